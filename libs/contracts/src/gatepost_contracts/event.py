"""What every event has: which record it follows from, when, and whose it is."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gatepost_contracts.ids import EventId, MailboxId, MessageId, TenantId, ThreadId

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["9f" * 32])]


class Event(BaseModel):
    """Something that happened. Ids, digests and verdicts, no bodies. Unknown fields are ignored; it never changes."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # a process uses a few of them

    type: ClassVar[str] = ""

    event_id: EventId
    schema_version: int = Field(1, ge=1, description="Of this event type; raised only by additive changes.")
    occurred_at: AwareDatetime
    tenant_id: TenantId
    mailbox_id: MailboxId
    subject_id: str = Field(
        description="Whose audit record it is: a mail's, or for world changes a mailbox's or the account's."
    )
    seq: int = Field(ge=0, description="Number of that audit record; gap-free per subject_id.")

    @property
    def subject(self) -> str:
        """The NATS subject: the type and the mailbox, so that one mailbox can be replayed or permitted alone."""
        return f"{self.type}.{self.mailbox_id}"

    def encode(self) -> bytes:
        """The body on the wire."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body; raises pydantic's ValidationError on anything that is not this event."""
        return cls.model_validate_json(body)


class EmailEvent(Event):
    """Something that happened to one mail."""

    message_id: MessageId
    thread_id: ThreadId
    row: str = Field("", description="Row of the lifecycle table that made it.", examples=["T11"])
