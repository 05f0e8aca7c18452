"""What the supervisor must know of one program that it keeps running, or of one thing to do on the way up."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatepost_embedded.children import PLAIN, Guise

Command = Callable[[], Sequence[str]]


@dataclass(frozen=True)
class Child:
    """One program. Lower ranks are started, and ready, before higher ones; they are stopped in the other order.

    `command` and `env` may be functions, which are asked before every start. `prepare` and `probe` may block: they run in a
    thread, `prepare` before every start, `probe` again and again until it says yes.
    """

    name: str
    command: Sequence[str] | Command
    env: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict)
    rank: int = 2  # 0 servers, 1 catcher, 2 services
    prepare: Callable[[], None] | None = None
    probe: Callable[[], bool] | None = None
    ready_timeout_s: float = 60
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 15
    last_signal: int = signal.SIGKILL  # when it did not stop in time
    death_signal: int = signal.SIGKILL  # when the supervisor is dead
    guise: Guise | Callable[[], Guise] = PLAIN
    folder: Path | None = None  # its data, for the ready file
    new_port: Callable[[], bool] | None = (
        None  # on the first start: was the port lost to another, and is there a new one?
    )


@dataclass(frozen=True)
class Step:
    """Something to do once, when all of the lower ranks are ready: migrate, make keys, make the demo mailbox."""

    name: str
    action: Callable[[], Awaitable[None]]
    rank: int = 1
