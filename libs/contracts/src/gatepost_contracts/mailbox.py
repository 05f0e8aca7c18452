"""What happens to a mailbox's autonomy."""

from __future__ import annotations

from typing import ClassVar, Literal

from gatepost_contracts.email import Mode
from gatepost_contracts.event import Event
from gatepost_contracts.ids import PauseId, PrincipalId

Scope = Literal["tenant", "mailbox", "agent", "category"]


class MailboxModeChanged(Event):
    """Its oversight mode is another one now."""

    type: ClassVar[str] = "mailbox.mode_changed"

    mode: Mode
    previous: Mode
    by: PrincipalId | None = None
    why: str = ""


class MailboxPaused(Event):
    """New attempts stop until an operator resumes."""

    type: ClassVar[str] = "mailbox.paused"

    pause_id: PauseId
    scope: Scope
    target: str
    by: PrincipalId | None = None
    reason: str = ""


class MailboxResumed(Event):
    """A pause was lifted."""

    type: ClassVar[str] = "mailbox.resumed"

    pause_id: PauseId
    scope: Scope
    target: str
    by: PrincipalId | None = None
