"""Threads that take their work in groups."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatepost_sender.crew import Crew


async def test_each_gets_its_own_result_or_its_own_error() -> None:
    """One mail that cannot be signed spoils none of those that were handed over with it."""

    def fail() -> bytes:
        raise ValueError("odd")

    with ThreadPoolExecutor(2) as pool:
        crew = Crew(pool, 2)
        asked = [crew.do(fail) if n % 7 == 3 else crew.do(lambda n=n: bytes([n])) for n in range(40)]
        got = await asyncio.gather(*asked, return_exceptions=True)

    assert [bytes([n]) for n in range(40) if n % 7 != 3] == [r for r in got if isinstance(r, bytes)]
    assert 6 == sum(isinstance(r, ValueError) for r in got)


async def test_what_is_asked_meanwhile_goes_over_together() -> None:
    """A busy pair of threads is handed few groups, not each piece alone."""
    groups: list[int] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, fn, group):  # type: ignore[no-untyped-def]
            groups.append(len(group))
            return super().submit(fn, group)

    with Counting(2) as pool:
        crew = Crew(pool, 2)
        await asyncio.gather(*(crew.do(bytes) for _ in range(32)))

    assert 32 == sum(groups)
    assert max(groups) == 8
    assert len(groups) <= 6


async def test_who_stops_waiting_holds_up_nobody() -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        crew = Crew(pool, 1)
        first = asyncio.ensure_future(crew.do(lambda: b"%d" % gate.wait(5)))
        await asyncio.sleep(0.01)
        second, third = (asyncio.ensure_future(crew.do(lambda: b"done")) for _ in range(2))
        await asyncio.sleep(0)
        second.cancel()
        gate.set()

        assert b"1" == await first
        assert b"done" == await third
        with pytest.raises(asyncio.CancelledError):
            await second
