"""Writes what came of attempts: everything that waits at the moment in one statement, then what follows for endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from gatepost_notifier.ledger import Ledger, Tried
from gatepost_notifier.retry import Next

log = structlog.get_logger()
_MOST = 200
_AGAIN_S = 1.0


class Recorder:
    """One writer; an attempt that cannot be written is made again when its lease ends, with the same id."""

    def __init__(self, ledger: Ledger, *, disable_after_s: float, recorded: Callable[[set[str]], None]) -> None:
        self._ledger, self._recorded = ledger, recorded
        self._disable_after = timedelta(seconds=disable_after_s)
        self._waiting: list[Tried] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def put(self, tried: Tried) -> None:
        """Write this down soon."""
        self._waiting.append(tried)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            failing: set[str] = set()
            try:
                await self._ledger.record(batch)
                failing = await self._follow(batch)
            except Exception as error:  # the leases end and they are tried again
                log.warning("deliveries were not recorded", count=len(batch), error=type(error).__name__)
                await asyncio.sleep(_AGAIN_S)
            self._recorded(failing)
        self._idle.set()

    async def idle(self) -> None:
        """Until nothing waits (tests)."""
        await self._idle.wait()

    async def _follow(self, batch: Sequence[Tried]) -> set[str]:
        """An endpoint that says so, or that failed for days, is switched off. The endpoints whose rows say now that they fail."""
        reached = {t.endpoint["id"] for t in batch if t.verdict.next is Next.DONE}
        failed = {t.endpoint["id"]: t for t in batch if t.verdict.next is not Next.DONE}
        noted: set[str] = set()
        for endpoint_id, tried in failed.items():
            gone = any(t.verdict.next is Next.DISABLE for t in batch if t.endpoint["id"] == endpoint_id)
            if endpoint_id in reached and not gone:
                continue
            noted.add(endpoint_id)
            rests = [t.rests_s for t in batch if t.endpoint["id"] == endpoint_id and t.rests_s is not None]
            since = await self._ledger.failing(tried.endpoint, tried.outcome.error, max(rests, default=None))
            if gone:
                await self._ledger.disable(tried.endpoint, "it answered 410 Gone")
            elif datetime.now(UTC) - since > self._disable_after:
                await self._ledger.disable(tried.endpoint, "nothing reached it for days")
        return noted
