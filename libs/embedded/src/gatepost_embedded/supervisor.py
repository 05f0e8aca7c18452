"""Keep a set of programs running on one data folder until Ctrl-C or SIGTERM.

Lower ranks are up before higher ones begin, and go down after them. Whatever dies is started again after 0.2 s, then
0.4 s, up to 5 s, on the same ports. When the supervisor itself dies, even by SIGKILL, three things end its children:
the kernel's signal to each (pact.py), the keeper (keeper.py), and the lock that the next start waits for.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from gatepost_embedded.child import Child, Step
from gatepost_embedded.children import Keeper
from gatepost_embedded.errors import EmbeddedError, StartFailedError
from gatepost_embedded.files import FolderLock, private_folder
from gatepost_embedded.kept import Kept

Pids = dict[str, int]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PREDECESSOR_S = 15


def tell(line: str) -> None:
    """Say it to whoever watches."""
    print(f"gatepost: {line}", file=sys.stderr, flush=True)  # noqa: T201  it speaks to a terminal


class Supervisor:
    """Runs children and steps on one data folder; nobody else can at the same time."""

    def __init__(
        self,
        data: Path,
        *,
        on_change: Callable[[Pids], Awaitable[None] | None] | None = None,
        say: Callable[[str], None] = tell,
    ) -> None:
        self.data = data.absolute()
        self.logs = self.data / "logs"
        self._on_change, self._say = on_change, say
        self._lock = FolderLock(self.data / "supervisor.lock")
        self._kept: list[Kept] = []
        self._is_up = False
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="supervisor")

    @property
    def pids(self) -> Pids:
        """The running programs by name, and ourselves as `supervisor`."""
        return {"supervisor": os.getpid()} | {k.child.name: k.pid for k in self._kept if k.pid is not None}

    def stop(self) -> None:
        """Begin to stop, as SIGTERM does; a second time: without patience."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def take_folder(self) -> None:
        """Make the data folder ours, or raise FolderInUseError that names who runs on it; `run` does it otherwise."""
        private_folder(self.data)
        private_folder(self.logs)
        self._lock.take("Gatepost", wait_s=PREDECESSOR_S)

    async def run(
        self, items: Sequence[Child | Step], *, ready: Callable[[], Awaitable[None] | None] | None = None
    ) -> int:
        """Start all, call `on_change` and `ready` once everything is up, keep it so until asked to stop; 0 is the exit code.

        Of one rank the steps come first, in the given order, then the children side by side. A start that fails stops what
        was started and raises an EmbeddedError that says why.
        """
        self.take_folder()
        keeper = Keeper(self._lock.handle)
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.stop)
        starting = asyncio.create_task(self._start(items, keeper))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self._is_up = True
                await self._changed()
                await _called(ready() if ready is not None else None)
                await stopping
            else:
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        finally:
            stopping.cancel()
            self._is_up = False
            await self._stop_all()
            self._threads.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(keeper.close)
            self._lock.release()
            for number in SIGNALS:
                loop.remove_signal_handler(number)
        return 0

    async def _start(self, items: Sequence[Child | Step], keeper: Keeper) -> None:
        for _, group in groupby(sorted(items, key=lambda item: item.rank), key=lambda item: item.rank):
            same_rank = list(group)
            for item in same_rank:
                if isinstance(item, Step):
                    await self._take(item)
            kept = [self._keep(item, keeper) for item in same_rank if isinstance(item, Child)]
            await _all_or_first_error([one.start_first() for one in kept])

    async def _take(self, step: Step) -> None:
        try:
            await step.action()
        except EmbeddedError:
            raise
        except Exception as error:
            raise StartFailedError(step.name, f"failed: {type(error).__name__}: {error}") from error

    def _keep(self, child: Child, keeper: Keeper) -> Kept:
        kept = Kept(child, logs=self.logs, keeper=keeper, threads=self._threads, say=self._say, changed=self._changed)
        self._kept.append(kept)
        return kept

    async def _changed(self) -> None:
        """Tell the new numbers, once there is something to tell; a failing listener stops nobody."""
        if not self._is_up or self._on_change is None:
            return
        try:
            await _called(self._on_change(self.pids))
        except Exception as error:
            self._say(f"could not tell about a change: {type(error).__name__}: {error}")

    async def _stop_all(self) -> None:
        """Higher ranks first and side by side; the servers of rank 0 one after the other, in their order."""
        by_rank = sorted(self._kept, key=lambda kept: -kept.child.rank)
        for rank, group in groupby(by_rank, key=lambda kept: kept.child.rank):
            if rank > 0:
                await asyncio.gather(*(kept.stop(self._hurry) for kept in group))
            else:
                for kept in group:
                    await kept.stop(self._hurry)


async def _called(answer: Awaitable[None] | None) -> None:
    if inspect.isawaitable(answer):
        await answer


async def _all_or_first_error(waits: Sequence[Awaitable[None]]) -> None:
    """All of them; the first that fails ends the others, and is what is told."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
