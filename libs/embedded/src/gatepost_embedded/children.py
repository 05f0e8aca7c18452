"""Start a program so that it cannot outlive us, and find out about programs by their number."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost_embedded import keeper
from gatepost_embedded.errors import EmbeddedError
from gatepost_embedded.settings import essentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOBODY = 65_534
PACT = str(Path(__file__).with_name("pact.py"))
KEEPER = str(Path(__file__).with_name("keeper.py"))


@dataclass(frozen=True)
class Guise:
    """As whom a program runs: plainly, as nobody in a user namespace of its own, or as another user for good."""

    namespace: bool = False
    uid: int | None = None
    gid: int | None = None


PLAIN = Guise()


def launch_line(command: Sequence[str], death_signal: int, guise: Guise = PLAIN) -> list[str]:
    """The command with what it takes to be told of our death, in the namespace where it will live."""
    line = list(command)
    if guise.uid is None:  # another user may not be able to read our interpreter; the keeper is enough there
        line = [sys.executable, "-I", "-S", PACT, str(os.getpid()), str(int(death_signal)), *line]
    if guise.namespace:
        line = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", *line]
    return line


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    death_signal: int = signal.SIGKILL,
    guise: Guise = PLAIN,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start in a process group of its own, with nothing of ours open but its log. Call it from a thread that stays."""
    with log.open("ab") as out:
        return subprocess.Popen(
            launch_line(command, death_signal, guise),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**essentials(), **env},
            cwd=cwd or log.parent,
            close_fds=True,
            process_group=0,
            user=guise.uid,
            group=guise.gid,
            extra_groups=None if guise.uid is None else [],
        )


class Keeper:
    """Our side of keeper.py: it is told who was started and who has ended, and acts when we are gone."""

    def __init__(self, lock_handle: int | None = None) -> None:
        self._handles = () if lock_handle is None else (lock_handle,)
        self._children: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", KEEPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=essentials(),
            cwd="/",
            close_fds=True,
            pass_fds=self._handles,
            start_new_session=True,
        )
        for pid, number in self._children.items():
            self._write(f"+ {pid} {number}\n")

    def _write(self, line: str) -> None:
        assert self._process is not None  # noqa: S101
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _tell(self, line: str) -> None:
        if self._process is None:
            return
        try:
            self._write(line)
        except OSError:  # somebody ended the keeper: another one learns all of it again
            self._process.wait()
            self._start()

    def add(self, pid: int, death_signal: int) -> None:
        """Note one that must not outlive us."""
        self._children[pid] = int(death_signal)
        self._tell(f"+ {pid} {int(death_signal)}\n")

    def drop(self, pid: int) -> None:
        """Forget one that has ended."""
        if self._children.pop(pid, None) is not None:
            self._tell(f"- {pid}\n")

    def close(self) -> None:
        """Let the keeper end; what is still registered ends with it."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            assert process.stdin is not None  # noqa: S101
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2 * keeper.GRACE_S + 1)


@functools.cache
def shared_keeper() -> Keeper:
    """One keeper for the servers that this process starts without a supervisor."""
    made = Keeper()
    atexit.register(made.close)
    return made


def command_line(pid: int) -> str:
    """What runs under this number; empty when nothing does."""
    if not keeper.started_at(pid):
        return ""
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.parent.parent.joinpath("self").exists():
        try:
            return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    answer = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def end_orphan(pid: int, number: int, *, what: str, wait_s: float = 15) -> None:
    """Ask a server that a predecessor of ours left on our folder to stop, and wait until it has."""
    birth = keeper.started_at(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + wait_s
    while birth and keeper.started_at(pid) == birth:
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"{what} (process {pid}) was left over on this folder and does not stop; end it by hand"
            )
        time.sleep(0.05)


def stop(process: subprocess.Popen[bytes], number: int, *, wait_s: float, last: int = signal.SIGKILL) -> int:
    """Ask with `number`, wait, and only then insist with `last`."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.send_signal(last)
            process.wait(wait_s)
    return process.returncode


def tail(log: Path, lines: int = 12) -> tuple[str, ...]:
    """The last lines of a log, for whoever wants to know why."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-lines:]


def has_namespaces() -> bool:
    """May we run a program as nobody in a user namespace?"""
    if shutil.which("unshare") is None:
        return False
    line = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "true"]
    return subprocess.run(line, capture_output=True, check=False, env=essentials()).returncode == 0
