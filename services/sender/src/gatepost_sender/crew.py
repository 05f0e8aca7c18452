"""Work for a few threads, handed over in groups: a hand-over costs as much as a good part of a signature.

What is asked for while the threads are busy waits and goes to the next that is free, together, as in a group commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial

Work = Callable[[], bytes]
_MOST = 8
"""Pieces in one group: the last one waits for all the others of it."""


class Crew:
    """So many threads of this executor."""

    def __init__(self, pool: Executor, threads: int) -> None:
        self._pool, self._free = pool, threads
        self._waiting: deque[tuple[Work, asyncio.Future[bytes]]] = deque()
        self._is_called = False

    async def do(self, work: Work) -> bytes:
        """The result; raises what the work raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append((work, done))
        if self._free and not self._is_called:  # at the end of this turn of the loop: others ask in it too
            self._is_called = True
            loop.call_soon(self._hand_over)
        return await done

    def _hand_over(self) -> None:
        self._is_called = False
        loop = asyncio.get_running_loop()
        while self._free and self._waiting:
            size = min(_MOST, -(-len(self._waiting) // self._free))
            group = [self._waiting.popleft() for _ in range(size)]
            self._free -= 1
            job = loop.run_in_executor(self._pool, _all, [work for work, _ in group])
            job.add_done_callback(partial(self._take_back, [done for _, done in group]))

    def _take_back(self, group: Sequence[asyncio.Future[bytes]], job: asyncio.Future[list[bytes | Exception]]) -> None:
        self._free += 1
        failure = asyncio.CancelledError() if job.cancelled() else job.exception()
        results = [failure] * len(group) if failure is not None else job.result()
        for done, result in zip(group, results, strict=True):
            if done.done():
                continue
            if isinstance(result, BaseException):
                done.set_exception(RuntimeError("the threads were stopped") if job.cancelled() else result)
            else:
                done.set_result(result)
        self._hand_over()


def _all(group: Sequence[Work]) -> list[bytes | Exception]:
    results: list[bytes | Exception] = []
    for work in group:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)
    return results
