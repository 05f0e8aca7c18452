"""What time does without any event: ends what waited too long, and finds what an event should have told and did not.

Losing every event loses no mail: a draft nobody judged is judged here, and what the world has tightened is taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from gatepost_gatekeeper.desk import Desk
from gatepost_gatekeeper.steps import Steps

log = structlog.get_logger()
AT_ONCE = 32
Chore = Callable[[], Awaitable[None]]


class Timers:
    """The sweep."""

    def __init__(
        self, steps: Steps, desk: Desk, *, sweep_s: float, stuck_after_s: float, chores: Sequence[Chore] = ()
    ) -> None:
        self._steps, self._store, self._desk = steps, steps.store, desk
        self._sweep_s, self._stuck_after_s, self._chores = sweep_s, stuck_after_s, chores

    async def run(self) -> None:
        """For ever; a sweep that fails is tried again at the next turn."""
        while True:
            try:
                await self.sweep()
            except Exception as error:
                log.warning("a sweep failed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._sweep_s)

    async def sweep(self) -> None:
        """One round over everything."""
        await self._each(self._expire, await self._store.fetch("overdue"))
        await self._each(self._judge, await self._store.fetch("stuck", self._stuck_after_s))
        await self._each(self._take_back, await self._store.fetch("tightened"))
        await self._each(self._supersede, await self._store.fetch("threads_to_supersede"))
        for chore in self._chores:
            try:
                await chore()
            except Exception as error:
                log.warning("a chore of the sweep failed", error=f"{type(error).__name__}: {error}")

    async def _expire(self, row: Any) -> None:
        await self._steps.system("T21", row["id"], version=row["version"])

    async def _judge(self, row: Any) -> None:
        await self._desk.judge(row["id"])

    async def _take_back(self, row: Any) -> None:
        await self._desk.take_back(row["id"])

    async def _supersede(self, row: Any) -> None:
        await self._desk.supersede(row["thread_id"])

    async def _each(self, do: Callable[[Any], Awaitable[None]], rows: Sequence[Any]) -> None:
        """Some at a time, so that their steps share commits."""
        for start in range(0, len(rows), AT_ONCE):
            results = await asyncio.gather(*(do(row) for row in rows[start : start + AT_ONCE]), return_exceptions=True)
            for error in results:
                if isinstance(error, BaseException):
                    log.warning("one of a sweep failed", error=f"{type(error).__name__}: {error}")
