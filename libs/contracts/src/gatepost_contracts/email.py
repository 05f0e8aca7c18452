"""What happens to mail, in the past tense."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from gatepost_contracts.event import EmailEvent, Event, Sha256
from gatepost_contracts.ids import DeliveryId, MessageId, PrincipalId, SuppressionId, ThreadId

Mode = Literal["read_only", "gated_all", "gated_send", "monitored", "autonomous"]
Stage = Literal["connect", "greeting", "ehlo", "tls", "auth", "mail", "rcpt", "data", "dot", "quit", "queue"]


class EmailReceived(EmailEvent):
    """Inbound mail is stored, threaded and may be seen by agents."""

    type: ClassVar[str] = "email.received"

    raw_sha256: Sha256 = Field(
        description="Over the mail's salt, a newline and the digest of its bytes: it says nothing once they are erased."
    )
    automatic: bool = Field(False, description="An automatic mail that must not be answered (RFC 3834).")
    has_attachments: bool = False
    admitted: bool = Field(False, description="A person let it out of quarantine.")


class EmailQuarantined(EmailEvent):
    """Inbound mail is kept aside: spam, malformed, a loop, or a mailbox that holds everything."""

    type: ClassVar[str] = "email.quarantined"

    reasons: tuple[str, ...] = ()
    discarded: bool = Field(False, description="A person threw it away.")


class EmailReported(EmailEvent):
    """A delivery report, complaint, opt-out or automatic reply was read."""

    type: ClassVar[str] = "email.reported"

    kind: Literal["dsn", "arf", "opt_out", "auto_reply"]
    about_message_id: MessageId | None = None
    about_delivery_id: DeliveryId | None = None
    action: Literal["failed", "delivered", "delayed", "none"] = "none"
    status_code: str | None = Field(None, description="Enhanced status (RFC 3463).", examples=["5.1.1"])
    proven: bool = Field(False, description="It names a mail that we really sent.")
    severity: Literal["none", "hard", "soft"] = Field(
        "none",
        description="Of a failure: hard, the address is gone; soft, it was full, busy or would not have this mail.",
    )


class _OptedOut(Event):
    suppression_id: SuppressionId
    how: Literal["link", "header", "reply", "arf"]
    about_message_id: MessageId | None = None
    message_id: MessageId | None = None
    thread_id: ThreadId | None = None


class EmailComplained(_OptedOut):
    """A recipient called our mail spam, provably; they are suppressed."""

    type: ClassVar[str] = "email.complained"


class EmailUnsubscribed(_OptedOut):
    """A recipient opted out; they are suppressed."""

    type: ClassVar[str] = "email.unsubscribed"


class EmailDrafted(EmailEvent):
    """A revision of an outbound mail exists."""

    type: ClassVar[str] = "email.drafted"

    revision: int = Field(ge=1, description="Which draft of the mail.")
    content_sha256: Sha256
    author: PrincipalId
    author_kind: Literal["drafter", "agent", "person", "service"]
    failed: bool = Field(False, description="No text came about; a person must write it.")
    failure: str | None = None


class EmailHeld(EmailEvent):
    """A person must look before this leaves."""

    type: ClassVar[str] = "email.held"

    revision: int = Field(ge=0)
    content_sha256: Sha256 | None = None
    reasons: tuple[str, ...] = Field(
        (), description="Policy rules that held it, the deciding one first.", examples=[("gated",)]
    )
    expires_at: AwareDatetime | None = None
    mode: Mode | None = Field(None, description="The effective mode.")
    release: int = Field(0, ge=0)


class EmailReleased(EmailEvent):
    """It may leave; carries the gatekeeper's signed grant."""

    type: ClassVar[str] = "email.released"

    revision: int = Field(ge=1)
    content_sha256: Sha256
    release: int = Field(ge=1)
    grant: str = ""
    deliveries: tuple[DeliveryId, ...] = ()
    due_at: AwareDatetime
    decided: bool = Field(False, description="A person decided; false: the mode let it go.")
    decided_by: PrincipalId | None = None
    edited: bool = False


class EmailRejected(EmailEvent):
    """A person said no: for good, or with a note to its author."""

    type: ClassVar[str] = "email.rejected"

    revision: int = Field(ge=0)
    content_sha256: Sha256 | None = None
    final: bool
    reason_code: str | None = None
    decided_by: PrincipalId | None = None
    rounds_left: int = Field(0, ge=0)


class EmailRefused(EmailEvent):
    """Policy forbids it."""

    type: ClassVar[str] = "email.refused"

    reasons: tuple[str, ...]
    deliveries: tuple[DeliveryId, ...] = ()


class EmailCancelled(EmailEvent):
    """It was withdrawn before it was on the wire."""

    type: ClassVar[str] = "email.cancelled"

    by: PrincipalId | None = None
    role: str = ""


class EmailExpired(EmailEvent):
    """It timed out undecided; time never approves."""

    type: ClassVar[str] = "email.expired"


class EmailSuperseded(EmailEvent):
    """A newer draft answers a later mail of the customer."""

    type: ClassVar[str] = "email.superseded"

    by_message_id: MessageId | None = None


class _Outcome(EmailEvent):
    deliveries: tuple[DeliveryId, ...] = Field(description="The recipients it speaks of.")
    release: int = Field(ge=1)


class EmailDelivered(_Outcome):
    """The next hop took it: its 250 was read."""

    type: ClassVar[str] = "email.delivered"

    via: Literal["mx", "relay"] | None = None
    code: int | None = None
    proven_by: Literal["reply", "dsn", "person"] = "reply"


class EmailDeferred(_Outcome):
    """Not now: 4yz, or lost before the final dot. It will be tried again."""

    type: ClassVar[str] = "email.deferred"

    code: int | None = None
    stage: Stage | None = None
    next_attempt_at: AwareDatetime


class EmailBounced(_Outcome):
    """Failed for good, by reply or by a proven report."""

    type: ClassVar[str] = "email.bounced"

    code: int | None = None
    enhanced: str | None = None
    bounce_type: Literal["hard", "soft"] = "hard"
    proven_by: Literal["reply", "dsn", "queue_life"] = "reply"


class EmailUncertain(_Outcome):
    """Nobody can know whether the other side took it; a person or a report decides, never a blind retry."""

    type: ClassVar[str] = "email.uncertain"

    stage: Stage | None = None
