"""End the supervisor's children when the supervisor itself is gone, even by SIGKILL.

Run as `python -I -S keeper.py`, with a pipe from the supervisor as its input and the folder's lock among its open files.
Lines are `+ PID SIGNAL` and `- PID`. The end of the pipe is the supervisor's end, whatever its reason was: each child that was
not taken back gets its own signal, what still runs after the grace gets SIGKILL with its whole group, and only then
is the lock let go, so the next start never meets a server that is still writing.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_S = 3.0


def started_at(pid: int) -> str:
    """When the kernel started it; tells a process from a later one with the same number. Empty: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  a bare interpreter starts faster
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        if sys.platform == "linux":
            return ""
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "unknown"
    return "" if fields[0] in "ZX" else fields[19]


def read_children() -> dict[int, tuple[int, str]]:
    """Listen until the supervisor is gone; give what it left behind."""
    children: dict[int, tuple[int, str]] = {}
    for line in sys.stdin:
        word, number, *rest = line.split()
        if word == "+":
            children[int(number)] = (int(rest[0]), started_at(int(number)))
        else:
            children.pop(int(number), None)
    return children


def end(children: dict[int, tuple[int, str]]) -> None:
    """First politely, then for good."""
    for pid, (number, birth) in children.items():
        if started_at(pid) not in ("", birth):
            continue  # the number belongs to somebody else by now
        with contextlib.suppress(OSError):
            if number == signal.SIGKILL:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)
    deadline = time.monotonic() + GRACE_S
    alive = [pid for pid, (_, birth) in children.items() if birth and started_at(pid) == birth]
    while alive and time.monotonic() < deadline:
        time.sleep(0.02)
        alive = [pid for pid in alive if started_at(pid) == children[pid][1]]
    for pid in alive:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_S
    while any(started_at(pid) == children[pid][1] for pid in alive) and time.monotonic() < deadline:
        time.sleep(0.02)


def main() -> None:
    """Outlive every signal that a terminal sends to the supervisor."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    end(read_children())


if __name__ == "__main__":
    main()
