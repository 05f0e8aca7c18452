"""Whom or what a selection of the log is about: the questions of examiners, auditors and customers.

Whole mails are selected, never parts of them, so that each one's records are gap-free; the records of their mailboxes come
with them, since they say which mode was in force.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from gatepost_store.audit.proofs import Q, Reader
from gatepost_store.step import plain


@dataclass(frozen=True)
class Scope:
    """All that is given must hold; nothing given selects everything."""

    tenant_id: str | None = None
    customer: str | None = None  # an address that wrote or was written to
    thread: str | None = None  # ours, or the caller's own id
    agent: str | None = None  # principal or key that wrote drafts
    tag: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None  # mails with a record from then on
    until: datetime | None = None  # and before then
    mailbox_ids: tuple[str, ...] = ()  # those that the caller may see; empty: all

    @property
    def is_everything(self) -> bool:
        """True when nothing is selected away."""
        return self == Scope()

    def said(self) -> dict[str, Any]:
        """As it stands in the export's first line."""
        return {name: plain(value) for name, value in asdict(self).items() if value}

    async def subjects(self, reader: Reader) -> list[str]:
        """The mails and mailboxes whose records are selected."""
        rows = await reader.fetch(
            Q["subjects"], self.tenant_id, self.customer.lower() if self.customer else None, self.thread, self.agent,
            self.tag, self.metadata or None, self.since, self.until, list(self.mailbox_ids) or None,
        )  # fmt: skip
        return sorted(row["id"] for row in rows)


def metadata_of(words: list[str]) -> dict[str, Any]:
    """`key=value` words as metadata; a value that is JSON is taken as such."""
    found: dict[str, Any] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise ValueError(f"{word!r} is not key=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
