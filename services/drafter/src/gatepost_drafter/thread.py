"""What a draft is written from: the thread as both sides saw it, the customer, the knowledge, a reviewer's note.

Drafts that did not leave are never part of it: what the customer has not read was not said.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gatepost_drafter import knowledge
from gatepost_drafter.provider import Correction, DraftRequest, Turn
from gatepost_drafter.settings import DrafterSettings
from gatepost_store import Store


class OneAtATime:
    """One holder per key; keys nobody holds are forgotten."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        """Wait for the turn of this key."""
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = (lock, waiting - 1)


async def request_for(
    store: Store, settings: DrafterSettings, case: Mapping[str, Any], correction: Correction | None = None
) -> DraftRequest:
    """The request for a draft that answers the mail of this case."""
    rows = await store.fetch("turns", case["thread_id"], case["id"], settings.turns)
    turns = tuple(turn_of(dict(row), case) for row in reversed(rows))
    if not turns or turns[-1].message_id != case["id"]:
        raise LookupError("the mail to be answered is not on its thread")
    question = turns[-1]
    texts = [question.subject, question.text] + ([correction.note] if correction else [])
    passages = await knowledge.search(
        store, case["mailbox_id"], texts, least=settings.least_rank, most=settings.passages
    )
    names = await store.fetch("attachment_names", case["id"])
    return DraftRequest(
        mailbox_name=case["display_name"] or case["tenant_name"],
        mailbox_address=case["address"],
        instructions=case["system_prompt"],
        customer_name=case["from_name"] or "",
        turns=turns,
        passages=passages,
        correction=correction,
        attachments=tuple(row["name"] for row in names),
    )


def turn_of(row: Mapping[str, Any], case: Mapping[str, Any]) -> Turn:
    """A mail of the thread, as either side wrote it."""
    if row["direction"] == "outbound":
        name, address = case["display_name"], case["address"]
    else:
        name, address = row["from_name"] or "", row["header_from"] or ""
    return Turn(row["id"], row["direction"], name, address, row["at"], row["subject"], row["text"])
