"""One child of the supervisor: started, waited for, started again, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from gatepost_embedded import children
from gatepost_embedded.child import Child
from gatepost_embedded.errors import EmbeddedError, PortTakenError, StartFailedError

T = TypeVar("T")
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
STEADY_S = 5.0
"""Who ran this long starts again with the first delay."""
FIRST_TRIES = 3
SETTLE_S = 0.5
"""Who cannot be asked whether it is ready must at least live this long at first."""
PROBE_S = 0.05
LARGEST_LOG = 10_000_000


class Kept:
    """Keeps one program running; what it does is told through `say`, new process numbers through `changed`."""

    def __init__(
        self,
        child: Child,
        *,
        logs: Path,
        keeper: children.Keeper,
        threads: Executor,
        say: Callable[[str], None],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self.child = child
        self.log = logs / f"{child.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._keeper, self._threads, self._say, self._changed = keeper, threads, say, changed
        self._task: asyncio.Task[None] | None = None
        self._delay = FIRST_DELAY_S

    @property
    def pid(self) -> int | None:
        """The number of the running program."""
        return None if self.process is None else self.process.pid

    async def start_first(self) -> None:
        """Start it and wait until it is ready; says why when it cannot be. From then on it is kept running."""
        for attempt in range(1, FIRST_TRIES + 1):
            try:
                await self._start_once()
                break
            except PortTakenError:
                raise
            except EmbeddedError:
                await self._end()
                moved = self.child.new_port is not None and self.child.new_port()
                if attempt == FIRST_TRIES or (self.child.rank == 0 and not moved):
                    raise
            await asyncio.sleep(self._next_delay())
        self._delay = FIRST_DELAY_S
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.child.name}")

    async def stop(self, hurry: asyncio.Event) -> None:
        """Ask it to end, wait, insist; `hurry` shortens the wait."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._end(hurry)

    async def _keep(self) -> None:
        while True:
            if self.process is not None:
                begun = time.monotonic()
                code = await ended(self.process)
                self._forget()
                if time.monotonic() - begun > STEADY_S:
                    self._delay = FIRST_DELAY_S
                delay = self._next_delay()
                self._say(f"{self.child.name} ended ({describe(code)}); starting it again in {delay:g} s")
            else:
                delay = self._next_delay()
            await asyncio.sleep(delay)
            try:
                await self._start_once(patient=True)
            except Exception as error:
                self._say(f"{self.child.name} did not start: {error}")
                if self.process is None or self.process.poll() is not None:
                    self._forget()
                else:
                    await self._end()

    def _next_delay(self) -> float:
        delay = self._delay
        self._delay = min(2 * delay, LONGEST_DELAY_S)
        return delay

    async def _start_once(self, *, patient: bool = False) -> None:
        """Start it and wait until it is ready. A patient wait has no end: a server that recovers is not killed for it."""
        child = self.child
        if child.prepare is not None:
            await self._in_thread(child.prepare)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        command = child.command() if callable(child.command) else child.command
        env = child.env() if callable(child.env) else child.env
        guise = child.guise() if callable(child.guise) else child.guise
        try:
            self.process = children.spawn(
                command, env=env, log=self.log, death_signal=child.death_signal, guise=guise, cwd=child.folder
            )
        except OSError as error:
            raise StartFailedError(child.name, f"cannot be started ({error})") from error
        self._keeper.add(self.process.pid, child.death_signal)
        await self._changed()
        await self._wait_ready(patient=patient)
        await self._changed()

    async def _wait_ready(self, *, patient: bool) -> None:
        child, process, begun = self.child, self.process, time.monotonic()
        while process is not None:
            if process.poll() is not None:
                self._forget()
                why = f"ended ({describe(process.returncode)})"
                raise StartFailedError(child.name, why, children.tail(self.log), str(self.log))
            lived = time.monotonic() - begun
            if child.probe is None:
                if patient or lived > SETTLE_S:
                    return
            elif await self._in_thread(child.probe):
                return
            elif lived > child.ready_timeout_s and not patient:
                why = f"was not ready after {child.ready_timeout_s:g} s"
                raise StartFailedError(child.name, why, children.tail(self.log), str(self.log))
            await asyncio.sleep(PROBE_S)

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _forget(self) -> None:
        """The program has ended; whatever it started in its group ends too."""
        if self.process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self._keeper.drop(self.process.pid)
        self.process = None

    async def _end(self, hurry: asyncio.Event | None = None) -> None:
        process, child = self.process, self.child
        if process is None:
            return
        plan = ((child.stop_signal, child.stop_timeout_s), (child.last_signal, 5.0), (signal.SIGKILL, 5.0))
        for number, wait_s in plan:
            if process.poll() is not None:
                break
            if number != child.stop_signal:
                self._say(f"{child.name} does not stop; sending {signal.Signals(number).name}")
            for each in (number, signal.SIGCONT):  # a stopped process hears nothing until it continues
                with contextlib.suppress(OSError):
                    process.send_signal(each)
            waits = {asyncio.ensure_future(ended(process))}
            if hurry is not None and child.last_signal == signal.SIGKILL:  # never for Postgres: it stops fast as it is
                waits.add(asyncio.ensure_future(hurry.wait()))
            await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        self._forget()


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process without a thread."""
    loop = asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        while process.poll() is None:
            await asyncio.sleep(PROBE_S)
        return process.returncode
    done = asyncio.Event()
    loop.add_reader(handle, done.set)
    try:
        await done.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()


def describe(code: int) -> str:
    """Say how it ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
