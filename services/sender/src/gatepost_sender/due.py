"""One delivery with all that an attempt needs to know, and whether its grant covers what would leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gatepost_mail.content import Content
from gatepost_oversight.grant import GrantRefused, recipients_digest, verify_grant
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.move import On
from gatepost_oversight.states import DELIVERY_ENDED, OPEN, State
from gatepost_store import Record

LEAVING = frozenset(m.id for m in MOVES if m.releases or m.on is On.DELIVERY or m.dst in OPEN)
"""Rows of the lifecycle table after which a mail may be on its way."""
ENDING = sorted(m.id for m in MOVES if m.on is On.DELIVERY and m.dst in DELIVERY_ENDED | {State.UNCERTAIN, State.HELD})
"""Rows after which this very delivery never leaves: a later release makes another one."""


@dataclass(frozen=True, slots=True)
class Due:
    """A row of the queries `due` and `one`."""

    id: str
    tenant_id: str
    mailbox_id: str
    message_id: str
    thread_id: str
    recipient: str
    domain: str
    state: str
    attempts: int
    of_release: int
    due_at: datetime
    grant_token: str | None
    content_sha256: str | None
    rfc_message_id: str | None
    mailbox_address: str
    mode: str
    operator: str
    author_kind: str | None
    category: str | None
    content: str | None
    is_approved: bool
    logged_row: str | None  # of its newest audit record
    logged_end: bool  # a record says that this delivery has ended, or was left to a person
    gives_up_at: datetime
    send_window: str | None
    rate_per_hour: int | None
    warmup_from: date | None
    is_test: bool
    is_again: bool  # after an attempt whose fate nobody knew: a person said that it did not arrive

    @classmethod
    def of(cls, row: Record) -> Self:
        """From the record the database gave."""
        return cls(**row)

    @property
    def has_pace(self) -> bool:
        """Its mailbox has a window, a rate or a warm-up."""
        return bool(self.send_window or self.rate_per_hour or self.warmup_from)

    @property
    def sender_domain(self) -> str:
        """The domain we sign for."""
        return self.mailbox_address.rpartition("@")[2]


def granted(due: Due, key: Ed25519PublicKey, now: datetime) -> Content:
    """The content that may leave; raises GrantRefused where the gatekeeper did not sign exactly this.

    The hash is taken of the very text from which the object that is handed to compose is read; no stored hash is
    believed. A state that its last step does not lead to is not believed either: a withdrawn mail whose row was edited
    back still has its grant.
    """
    if due.logged_row not in LEAVING or due.logged_end:
        raise GrantRefused("its audit records do not end with a step after which it leaves")
    if not due.grant_token or due.content is None:
        raise GrantRefused("there is no grant")
    grant = verify_grant(key, due.grant_token, now)
    content = Content.exactly(due.content)
    sha256 = content.sha256
    if (grant.message_id, grant.mailbox_id, grant.release) != (due.message_id, due.mailbox_id, due.of_release):
        raise GrantRefused("the grant is another mail's, or of another release")
    if sha256 != grant.content_sha256 or sha256 != due.content_sha256:
        raise GrantRefused("the content is not the one that was released")
    named = content.recipients
    if recipients_digest(named, content.salt) != grant.recipients_sha256 or due.recipient not in named:
        raise GrantRefused("the recipients are not those that were released")
    if content.from_.lower() != due.mailbox_address.lower():
        raise GrantRefused("the content is from another address than the mailbox's")
    return content
