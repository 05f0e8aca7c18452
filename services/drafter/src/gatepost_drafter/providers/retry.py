"""One budget for all tries of one draft: so many calls, so many seconds, pauses that grow or that the model names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gatepost_drafter.provider import RETRYABLE, DraftFailed, DraftResult, Usage


@dataclass(frozen=True)
class Budget:
    """How often and how long a model is tried for one draft."""

    attempts: int = 3
    deadline_s: float = 120.0
    pause_s: float = 1.0
    calls_s: float = 60.0


async def within(budget: Budget, call: Callable[[], Awaitable[DraftResult]]) -> DraftResult:
    """The first good answer; raises the last DraftFailed with what all tries together used."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + budget.deadline_s
    used = Usage()
    for attempt in range(1, budget.attempts + 1):
        try:
            async with asyncio.timeout(min(budget.calls_s, ends - loop.time())):
                return await call()
        except TimeoutError:
            failure = DraftFailed("timeout", "the model did not answer in time")
        except DraftFailed as failed:
            failure = failed
        used = used.plus(failure.usage)
        failure.usage = used
        pause = max(budget.pause_s * 2 ** (attempt - 1), failure.retry_after_s or 0.0)
        if failure.kind not in RETRYABLE or attempt == budget.attempts or loop.time() + pause >= ends:
            raise failure
        await asyncio.sleep(pause)
    raise DraftFailed("configuration", "the budget allows no attempt")
