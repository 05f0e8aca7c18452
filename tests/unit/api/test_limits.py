"""The rate limit: replicas count together, in blocks, and never give out more than the window holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost_api.errors import Refusal
from gatepost_api.limits import Limits


class Shared:
    """The table, as two replicas see it."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, int], int] = {}
        self.statements = 0

    async def fetchval(self, _: str, name: str, ends: int, block: int) -> Any:
        await asyncio.sleep(0)
        self.statements += 1
        self.taken[name, ends] = self.taken.get((name, ends), 0) + block
        return self.taken[name, ends]


async def spent(limits: Limits, times: int, most: int) -> int:
    given = 0
    for _ in range(times):
        try:
            await limits.spend("key:a", most=most, seconds=60)
            given += 1
        except Refusal:
            continue
    return given


@pytest.mark.parametrize("most", [1, 7, 60, 100, 6000])
async def test_two_replicas_give_out_no_more_than_one(most: int) -> None:
    shared = Shared()
    first, second = Limits(shared, lambda: 30.0), Limits(shared, lambda: 30.0)
    given = await asyncio.gather(spent(first, most, most), spent(second, most, most))

    assert most - max(1, most // 20) < sum(given) <= most


async def test_one_statement_serves_many_calls() -> None:
    shared = Shared()
    await spent(Limits(shared, lambda: 30.0), 6000, 6000)

    assert shared.statements <= 20


async def test_a_refusal_says_when_in_whole_seconds() -> None:
    limits = Limits(Shared(), lambda: 30.4)
    await limits.spend("key:a", most=1, seconds=60)
    with pytest.raises(Refusal) as refusal:
        await limits.spend("key:a", most=1, seconds=60)

    assert refusal.value.status == 429
    assert refusal.value.headers["Retry-After"] == "30"
    assert refusal.value.headers["RateLimit-Remaining"] == "0"


async def test_a_new_window_begins_anew_and_none_is_no_limit() -> None:
    moment = [30.0]
    limits = Limits(Shared(), lambda: moment[0])
    await limits.spend("key:a", most=1, seconds=60)
    moment[0] = 61.0

    assert await limits.spend("key:a", most=1, seconds=60) is not None
    assert await limits.spend("key:a", most=0, seconds=60) is None
