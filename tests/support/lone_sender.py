"""A sender without a broker: the real wiring over a real database, its queue polled. Also runs as a process of its own.

`python lone_sender.py` reads GATEPOST_DATABASE_URL, GATEPOST_KEYS_DIR and GATEPOST_SENDER_*, and works until it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from gatepost_contracts.event import Event
from gatepost_runtime.keys import Keys
from gatepost_runtime.settings import RuntimeSettings
from gatepost_sender.app import wire
from gatepost_store import Queries, Store


class Lone:
    """The parts of a running service that tests look at."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.stopping = asyncio.Event()
        self.registry = CollectorRegistry()

    async def publish(self, events: Sequence[Event]) -> list[bool]:
        self.events += events
        return [True] * len(events)

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@contextlib.asynccontextmanager
async def lone_sender() -> AsyncIterator[Lone]:
    settings = RuntimeSettings(nats_url="nats://127.0.0.1:1")  # type: ignore[call-arg]
    assert settings.keys_dir is not None
    lone = Lone()
    store = await Store.open(settings.database_url, service="sender", queries=Queries.of("gatepost_sender"))
    store.publisher = lone.publish
    service: Any = SimpleNamespace(
        settings=settings,
        keys=Keys(Path(settings.keys_dir)),
        store=store,
        registry=lone.registry,
        stopping=lone.stopping,
    )
    wired = await wire(service)
    lone.wired = wired  # type: ignore[attr-defined]
    tasks = [asyncio.create_task(task()) for task in wired.tasks]
    try:
        yield lone
    finally:
        lone.stopping.set()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=20)
        for close in wired.close:
            await close()
        await store.close()


async def eventually(look: Callable[[], Any], within_s: float = 10) -> Any:
    until = asyncio.get_running_loop().time() + within_s
    while not (found := await asyncio.to_thread(look)):
        assert asyncio.get_running_loop().time() < until, "it never came"
        await asyncio.sleep(0.05)
    return found


async def _for_ever() -> None:
    async with lone_sender():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_for_ever())
