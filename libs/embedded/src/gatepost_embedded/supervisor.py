"""Keep a set of programs running: in order up, in the other order down, again when one dies, none left behind.

Programs of one rank start side by side, and the next rank begins when all of them are ready. What dies later is started
again after a short pause that grows while it keeps dying. A first start that fails ends everything with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gatepost_embedded import children
from gatepost_embedded.child import Child, Step
from gatepost_embedded.errors import StartFailedError
from gatepost_embedded.files import FolderLock, private_folder

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
STEADY_S = 10.0
"""A program that lived this long is started again at once when it ends."""
LOOK_S = 0.03


class Supervisor:
    """Runs children on one data folder until SIGINT or SIGTERM."""

    def __init__(self, data: Path, on_change: Callable[[dict[str, int]], None] = lambda _: None) -> None:
        self.data = data
        self.logs = data / "logs"
        self._on_change = on_change
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._is_up = False
        # death signals hang on the thread that started a child, so one thread starts them all and stays
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")

    @property
    def pids(self) -> dict[str, int]:
        """Who runs now, by name; ourselves as `supervisor`."""
        return {"supervisor": os.getpid(), **{name: process.pid for name, process in self._running.items()}}

    async def run(self, items: Sequence[Child | Step], ready: Callable[[], None] = lambda: None) -> int:
        """Start everything, call `ready` once, keep it running; 0 after a clean stop. Raises when it cannot start."""
        private_folder(self.data)
        private_folder(self.logs)
        lock = FolderLock(self.data / "lock")
        lock.take("Gatepost", wait_s=10)
        self._keeper = children.Keeper(lock.handle)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            up = asyncio.create_task(self._start_all(items))
            stop = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({up, stop}, return_when=asyncio.FIRST_COMPLETED)
            if up.done():
                await up
                self._is_up = True
                self._changed()
                ready()
                await stop
            else:
                up.cancel()
            return 0
        finally:
            stop.cancel()
            await self._stop_all([item for item in items if isinstance(item, Child)])
            self._keeper.close()
            lock.release()
            self._starter.shutdown(wait=False)

    async def _start_all(self, items: Sequence[Child | Step]) -> None:
        for rank in sorted({item.rank for item in items}):
            for step in items:
                if isinstance(step, Step) and step.rank == rank:
                    await step.action()
            now = [child for child in items if isinstance(child, Child) and child.rank == rank]
            await asyncio.gather(*(self._first_start(child) for child in now))

    async def _first_start(self, child: Child) -> None:
        """Start it and wait until it is ready; on a lost port try another one."""
        for _ in range(5):
            await self._spawn(child)
            deadline = time.monotonic() + child.ready_timeout_s
            process = self._running[child.name]
            while process.poll() is None:
                if child.probe is None or await asyncio.to_thread(child.probe):
                    self._keepers.append(asyncio.create_task(self._keep(child)))
                    return
                if time.monotonic() > deadline:
                    raise self._failed(child, f"was not ready after {child.ready_timeout_s:g} s")
                await asyncio.sleep(LOOK_S)
            self._keeper.drop(process.pid)
            if child.new_port is None or not child.new_port():
                break
            await asyncio.sleep(FIRST_PAUSE_S)
        raise self._failed(child, f"ended with code {self._running[child.name].returncode}")

    def _failed(self, child: Child, why: str) -> StartFailedError:
        log = self._log(child)
        return StartFailedError(child.name, why, children.tail(log), str(log))

    async def _keep(self, child: Child) -> None:
        """Start it again whenever it ends."""
        pause = FIRST_PAUSE_S
        while True:
            process, since = self._running[child.name], time.monotonic()
            while process.poll() is None:
                await asyncio.sleep(LOOK_S)
            self._keeper.drop(process.pid)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE_S if time.monotonic() - since > STEADY_S else min(pause * 2, LONGEST_PAUSE_S)
            sys.stderr.write(f"{child.name} ended ({_how(process.returncode)}); starting it again\n")
            await asyncio.sleep(pause)
            with contextlib.suppress(asyncio.CancelledError):
                await self._again(child)

    async def _again(self, child: Child) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                await self._spawn(child)
            except Exception as error:  # a full disk, a folder that is gone: say it and go on trying
                sys.stderr.write(f"{child.name} could not be started again: {error}\n")
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            self._changed()
            return

    async def _spawn(self, child: Child) -> None:
        if child.prepare is not None:
            await asyncio.to_thread(child.prepare)
        if self._stopping.is_set():
            raise asyncio.CancelledError
        line = child.command() if callable(child.command) else child.command
        env = child.env() if callable(child.env) else child.env
        guise = child.guise() if callable(child.guise) else child.guise

        def start() -> subprocess.Popen[bytes]:
            process = children.spawn(
                line, env=env, log=self._log(child), death_signal=child.death_signal, guise=guise, cwd=self.data
            )
            self._keeper.add(process.pid, child.death_signal)
            return process

        self._running[child.name] = await asyncio.get_running_loop().run_in_executor(self._starter, start)

    def _changed(self) -> None:
        if self._is_up:
            self._on_change(self.pids)

    def _log(self, child: Child) -> Path:
        return self.logs / f"{child.name}.log"

    async def _stop_all(self, all_children: list[Child]) -> None:
        """Services first, servers last; a rank stops side by side."""
        self._stopping.set()
        for rank in sorted({child.rank for child in all_children}, reverse=True):
            now = [child for child in all_children if child.rank == rank and child.name in self._running]
            await asyncio.gather(*(self._stop(child) for child in now))
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _stop(self, child: Child) -> None:
        process = self._running[child.name]
        await asyncio.to_thread(
            children.stop, process, child.stop_signal, wait_s=child.stop_timeout_s, last=child.last_signal
        )
        self._keeper.drop(process.pid)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
