"""What happens to a mailbox's autonomy."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from gatepost_contracts.email import Mode
from gatepost_contracts.event import Event
from gatepost_contracts.ids import GrantId, PauseId, PrincipalId

Scope = Literal["tenant", "mailbox", "agent", "category"]
PENDING_MAIL = ("off", "at_once", "hourly", "daily")
"""How soon an account's oversight address hears of what waits for a person."""


class MailboxModeChanged(Event):
    """Its oversight mode is another one now."""

    type: ClassVar[str] = "mailbox.mode_changed"

    mode: Mode
    previous: Mode
    by: PrincipalId | None = None
    why: str = ""
    of: Literal["mailbox", "category", "allowlist"] = Field("mailbox", description="What has that mode now.")
    category: str | None = Field(None, description="The category, where one was changed.")
    grant_id: GrantId | None = Field(None, description="The grant of a category or of listed recipients.")
    covers_ask: bool = Field(False, description="A caller's `gated_send` does not tighten below it.")
    demoted: bool = Field(False, description="Quality dropped, and it became stricter by itself.")


class MailboxPaused(Event):
    """New attempts stop until an operator resumes."""

    type: ClassVar[str] = "mailbox.paused"

    pause_id: PauseId
    scope: Scope
    target: str = Field(
        description="A tenant's, mailbox's or principal's id; of a category the salted digest of its name."
    )
    by: PrincipalId | None = None
    reason: str = Field("", description="Of records before words went beside the log; webhooks say why.")


class MailboxResumed(Event):
    """A pause was lifted."""

    type: ClassVar[str] = "mailbox.resumed"

    pause_id: PauseId
    scope: Scope
    target: str = Field(description="As in the pause; of a category a salted digest of its name.")
    by: PrincipalId | None = None
