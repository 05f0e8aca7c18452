"""The contents that records name by digest, for those who must hand them over: a retention or an access request.

Each opening says whose content it is and holds what its digest was made of, so that the verifier checks it against the
record. What was erased has lost its salt and cannot be opened any more; nothing stands in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from gatepost_store.audit.proofs import Contents, Q

AT_ONCE = 20
"""Mails whose contents are in memory at a time: a mail may have 25 MB."""


async def openings(
    reader: Contents, subjects: Sequence[str], named: set[tuple[str, str]]
) -> AsyncIterator[dict[str, Any]]:
    """What the records of these mails, mailboxes and accounts name (`named`: subject and digest), once each."""
    left = set(named)
    for start in range(0, len(subjects), AT_ONCE):
        some = list(subjects[start : start + AT_ONCE])
        for row in await reader.fetch(Q["texts_of"], some):
            if _take(left, row["of"], row["salt"], row["text"]):
                yield _said(row["of"], row["salt"], text=row["text"])
                if row["salt"] is None:  # a mail as it leaves names its files
                    left |= {(row["of"], file["sha256"]) for file in json.loads(row["text"])["attachments"]}
        for row in await reader.fetch(Q["bytes_of"], some):
            content = await reader.content(row) or b""
            if _take(left, row["of"], row["salt"], hashlib.sha256(content).hexdigest(), is_digest=True):
                yield _said(row["of"], row["salt"], raw=base64.b64encode(content).decode())


def _said(subject: str, salt: str | None, **content: str) -> dict[str, Any]:
    return {"of": subject, **content, **({} if salt is None else {"salt": salt})}


def _take(left: set[tuple[str, str]], subject: str, salt: str | None, text: str, *, is_digest: bool = False) -> bool:
    """Is it one that a record names and that was not given yet?"""
    salted = text if salt is None else f"{salt}\n{text}"
    digest = salted if is_digest and salt is None else hashlib.sha256(salted.encode()).hexdigest()
    if (subject, digest) not in left:
        return False
    left.remove((subject, digest))
    return True
