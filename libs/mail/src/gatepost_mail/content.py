"""What a reviewer approves and a recipient sees; its digest is what a decision and a grant bind to."""

from __future__ import annotations

from functools import cached_property

from pydantic import BaseModel, ConfigDict

from gatepost_contracts.canonical import canonical, sha256_hex


class File(BaseModel):
    """An attachment, by digest; its bytes lie elsewhere."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: str
    sha256: str


class Content(BaseModel):
    """One outbound mail without what comes later (Date, Message-ID, signatures, the recipient's unsubscribe link)."""

    model_config = ConfigDict(frozen=True)

    from_: str
    from_name: str = ""
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str | None = None
    subject: str
    text: str
    html: str
    attachments: tuple[File, ...] = ()
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    salt: str = ""  # random, never sent: without it the digest says nothing of the content once that is erased

    def canonical_text(self) -> str:
        """The canonical JSON over which the digest is taken."""
        return canonical(self.model_dump(mode="json"))

    @cached_property
    def sha256(self) -> str:
        """content_sha256."""
        return sha256_hex(self.canonical_text())

    @property
    def recipients(self) -> tuple[str, ...]:
        """To, cc and bcc, lower case, without repeats, in that order."""
        return tuple(dict.fromkeys(a.lower() for a in (*self.to, *self.cc, *self.bcc)))

    @classmethod
    def exactly(cls, text: str) -> Content:
        """Read a text, and take the digest over these very characters: no other spelling has the digest of a content."""
        content = cls.from_json(text)
        content.__dict__["sha256"] = sha256_hex(text)  # where cached_property keeps it
        return content

    @classmethod
    def from_json(cls, text: str) -> Content:
        """Read what canonical_text wrote."""
        return cls.model_validate_json(text)
