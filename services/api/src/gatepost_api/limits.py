"""How often a key may call, counted in Postgres so that all replicas count together.

A replica takes permits in blocks and gives them out by itself, so that a statement is spent on one call in many. The window
is fixed; what a replica took and did not use by its end is lost, which errs on the strict side.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost_api.errors import Refusal

_KNOWN_MOST = 10_000
_BLOCKS = 20  # a window is taken in this many blocks by one replica


class LimitStore(Protocol):
    """What the counter needs."""

    async def fetchval(self, name: str, *args: Any) -> Any:
        """The first value of a named statement."""


@dataclass
class Window:
    """What this replica holds of one name's window."""

    ends: float
    left: int = 0
    taken: int = 0
    is_spent: bool = False


@dataclass(frozen=True)
class Standing:
    """What a caller is told about its limit."""

    limit: int
    remaining: int
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        """The three headers of every authenticated reply."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class Limits:
    """Counts by name. A most of 0 means: no limit."""

    def __init__(self, store: LimitStore, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._windows: dict[str, Window] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def spend(self, name: str, *, most: int, seconds: int) -> Standing | None:
        """Take one permit, or raise 429 with the whole seconds until the window ends."""
        if most <= 0:
            return None
        block = max(1, most // _BLOCKS)
        now = self._clock()
        window = self._windows.get(name)
        if window is None or window.ends <= now:
            window = self._fresh(name, now, seconds)
        if window.left == 0 and not window.is_spent:
            async with self._locks.setdefault(name, asyncio.Lock()):
                if window.left == 0 and not window.is_spent:
                    await self._take(name, window, most, block)
        reset_s = max(1, math.ceil(window.ends - now))
        if window.left == 0:
            headers = Standing(most, 0, reset_s).headers
            raise Refusal("rate_limited", headers={**headers, "Retry-After": str(reset_s)}, retry_after=reset_s)
        window.left -= 1
        return Standing(most, max(0, most - window.taken + window.left), reset_s)

    def _fresh(self, name: str, now: float, seconds: int) -> Window:
        if len(self._windows) > _KNOWN_MOST:
            self._windows = {key: held for key, held in self._windows.items() if held.ends > now}
            self._locks = {key: lock for key, lock in self._locks.items() if key in self._windows or lock.locked()}
        window = self._windows[name] = Window((now // seconds + 1) * seconds)
        return window

    async def _take(self, name: str, window: Window, most: int, block: int) -> None:
        """One block more, as far as the window holds it."""
        taken = int(await self._store.fetchval("take_permits", name, int(window.ends), block))
        window.taken = min(most, taken)
        window.left = max(0, min(block, most - (taken - block)))
        window.is_spent = taken >= most
