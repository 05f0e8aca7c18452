"""A sender that dies where it is told to, again and again: one process that has everything imported, and forks.

`python mortal_sender.py` reads lines of JSON: {"at": "dot.after", "nth": 2, "limit_s": 5}. For each it forks a sender that
kills itself (SIGKILL) when it reaches that point for the nth time, or is killed after limit_s, and answers one line:
{"reached": true}. An empty "at" kills after limit_s alone: at any moment.
`break` names a fault that is planted for the run, to see that the accounting finds it.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gatepost_sender import driver
from gatepost_sender.queue import Queue
from gatepost_sender.route import RelayRouter
from gatepost_sender.signing import Signer
from gatepost_sender.steps import Steps
from gatepost_sender.wire import Wire
from support.lone_sender import Lone, lone_sender

STEPS = ("verify", "claim", "route", "sign", "connect", "greeting", "ehlo", "mail", "rcpt", "data", "announce", "pour",
         "dot", "answer", "end", "publish")  # fmt: skip
POINTS = tuple(f"{step}.{side}" for step in STEPS for side in ("before", "after"))
"""Every two steps of an attempt have a point between them; `.after` of the dot to `.before` of the end is the window."""

_VERBS = {"EHLO": "ehlo", "MAIL": "mail", "RCPT": "rcpt", "DATA": "data"}


class Fate:
    """Kills this process at the nth passing of one point."""

    def __init__(self, point: str, nth: int) -> None:
        self.point, self.left = point, nth

    def passes(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The coroutine function with a point before and one after it."""

        @functools.wraps(function)
        async def wrapped(*arguments: Any, **named: Any) -> Any:
            self.passes(f"{step}.before")
            result = await function(*arguments, **named)
            self.passes(f"{step}.after")
            return result

        return wrapped


def arm(fate: Fate) -> None:
    """Put the points into the sender's own steps."""
    for owner, name, step in (
        (Steps, "claim", "claim"), (RelayRouter, "route", "route"), (Signer, "sign", "sign"), (driver, "connect", "connect"),
        (Steps, "announce", "announce"), (Wire, "pour", "pour"), (Steps, "end", "end"), (Lone, "publish", "publish"),
    ):  # fmt: skip
        setattr(owner, name, fate.around(step, getattr(owner, name)))
    answer, say, verify = Wire.answer, Wire.say, Queue._verify

    def awaited(wire: Any) -> deque[str]:
        """The steps whose replies are still to come, in order."""
        return wire.__dict__.setdefault("steps", deque(["greeting"]))

    async def answered(self: Wire, timeout_s: float) -> Any:
        step = awaited(self).popleft() if awaited(self) else "other"
        if step in {"greeting", "answer"}:
            return await fate.around(step, answer)(self, timeout_s)
        result = await answer(self, timeout_s)
        fate.passes(f"{step}.after")
        return result

    def said(self: Wire, data: bytes, replies: int = 1) -> None:
        steps = ["dot"] if data == b".\r\n" else [_step_of(line) for line in data.decode().splitlines()]
        for step in steps:
            fate.passes(f"{step}.before")
        say(self, data, replies)
        if steps == ["dot"]:
            awaited(self).append("answer")
            fate.passes("dot.after")
        else:
            awaited(self).extend(steps)

    def verified(self: Queue, due: Any) -> Any:
        fate.passes("verify.before")
        result = verify(self, due)
        fate.passes("verify.after")
        return result

    Wire.answer, Wire.say, Queue._verify = answered, said, verified  # type: ignore[method-assign]


def _step_of(line: str) -> str:
    return _VERBS.get(line.split(":")[0].split(" ")[0], "other")


def plant(fault: str) -> None:
    """A sender that breaks its promise, for the harness to catch."""
    if fault == "no_intent":  # the dot without the recorded intent: whoever takes over sends again

        async def announce(self: Steps, message_id: str, delivery_id: str) -> bool:
            return True

        Steps.announce = announce  # type: ignore[method-assign]
    elif fault == "no_grant":  # what nobody signed for leaves
        from gatepost_mail.content import Content

        Queue._verify = lambda self, due: Content.from_json(due.content)  # type: ignore[method-assign]
    elif fault:
        raise ValueError(fault)


async def _work() -> None:
    async with lone_sender():
        await asyncio.Event().wait()


def child(order: dict[str, Any]) -> None:
    os.dup2(2, 1)  # the answers to orders stay ours
    plant(order.get("break", ""))
    if order.get("at"):
        arm(Fate(order["at"], order.get("nth", 1)))
    try:
        asyncio.run(_work())
    finally:
        os._exit(1)


def wait_for(pid: int, limit_s: float) -> bool:
    """True when it died by itself within its time."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        found, _ = os.waitpid(pid, os.WNOHANG)
        if found:
            return True
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


class Zygote:
    """The process that forks, as its caller sees it."""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, __file__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=dict(os.environ),
        )  # fmt: skip
        return self

    async def run(self, order: dict[str, Any]) -> bool:
        """One life; True when it died where it was told to."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return bool(json.loads(await self.process.stdout.readline())["reached"])

    async def __aexit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


def live_with(given: dict[str, str]) -> None:
    """Every sender from now on, here and forked, reads these."""
    os.environ |= given


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(order)
        print(json.dumps({"reached": wait_for(pid, order["limit_s"])}), flush=True)


if __name__ == "__main__":
    main()
