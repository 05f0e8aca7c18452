"""Who receives here: mailboxes by address, from the database, remembered for about a second.

A mail bomb to one address costs one look-up a second. What is remembered can be a second old: a mailbox made or
deleted meanwhile is seen then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from gatepost_ingest.arrived import Mailbox
from gatepost_ingest.paths import without_tag
from gatepost_store import Store

V = TypeVar("V")
MOST = 10_000


class Remembered(Generic[V]):
    """Answers by key, each kept for a while; askers of the same key wait for one look-up."""

    def __init__(
        self, look: Callable[[str], Awaitable[V]], kept_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look, self._kept_s, self._clock = look, kept_s, clock
        self._known: dict[str, tuple[float, V]] = {}
        self._asked: dict[str, asyncio.Future[V]] = {}

    async def get(self, key: str) -> V:
        """The answer, at most `kept_s` old."""
        known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            return known[1]
        if (asked := self._asked.get(key)) is None:
            asked = asyncio.ensure_future(self._ask(key))
            self._asked[key] = asked
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(asked)

    def known(self, key: str) -> V | None:
        """The answer where it is remembered; None where it is not, or where it is None."""
        known = self._known.get(key)
        return known[1] if known is not None and self._clock() < known[0] else None

    async def _ask(self, key: str) -> V:
        value = await self._look(key)
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = (self._clock() + self._kept_s, value)
        return value


class MailboxDirectory:
    """The mailboxes of the database."""

    def __init__(self, store: Store, kept_s: float) -> None:
        self._store = store
        self._boxes = Remembered(self._box, kept_s)
        self._domains = Remembered(self._served, kept_s)

    def known(self, address: str) -> Mailbox | None:
        """The mailbox of a recipient where nobody must be asked; None: ask."""
        found = self._boxes.known(address)
        if found is None and "+" in address.rpartition("@")[0]:
            found = self._boxes.known(without_tag(address))
        return found

    async def find(self, address: str) -> Mailbox | None:
        """The mailbox of a recipient: the whole address, else without its +tag."""
        found = await self._boxes.get(address)
        if found is None and "+" in address.rpartition("@")[0]:
            found = await self._boxes.get(without_tag(address))
        return found

    async def serves(self, domain: str) -> bool:
        """Whether any mailbox is in this domain."""
        return domain in await self._domains.get("")

    async def _box(self, address: str) -> Mailbox | None:
        row = await self._store.fetchrow("mailbox_by_address", address)
        if row is None:
            return None
        return Mailbox(
            row["id"], row["tenant_id"], row["address"], row["mode"], row["max_size"], row["expires_after_s"]
        )

    async def _served(self, _: str) -> frozenset[str]:
        return frozenset(row["domain"] for row in await self._store.fetch("domains"))
