"""A mail as it came over the wire, before anyone read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Mailbox:
    """What ingest needs to know of a recipient's mailbox."""

    id: str
    tenant_id: str
    address: str
    mode: str
    max_size: int
    expires_after_s: int = 604_800


@dataclass(frozen=True)
class Recipient:
    """One accepted RCPT: the address as it was given and the mailbox it reached."""

    address: str
    mailbox: Mailbox


class Refused(Exception):
    """The mail is not taken, for good: the reply the peer gets, a whole 5yz line that names no rule of ours."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass(frozen=True)
class Arrived:
    """Bytes and envelope of one mail, by whichever door it came."""

    raw: bytes
    sender: str  # empty: the null sender
    recipients: tuple[Recipient, ...]
    had_bare_line_ends: bool
    peer: str
    hello: str
    is_encrypted: bool
    at: datetime
    relay: str = ""  # the relay of ours that signed in and brought it
    door: str = "smtp"  # smtp, http, imap or import
    received: bytes | None = None  # as it came, where line ends were changed in `raw`: what a signature was made over

    @property
    def signed(self) -> bytes:
        """The bytes a DKIM signature speaks of."""
        return self.raw if self.received is None else self.received

    def by_mailbox(self) -> tuple[Recipient, ...]:
        """One recipient for each mailbox; of several addresses of one mailbox the one with a tag counts."""
        chosen: dict[str, Recipient] = {}
        for recipient in self.recipients:
            if recipient.mailbox.id not in chosen or "+" in recipient.address.partition("@")[0]:
                chosen[recipient.mailbox.id] = recipient
        return tuple(chosen.values())
