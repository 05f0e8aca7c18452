"""A broker and service processes for these tests, all ended after each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from gatepost_runtime.rows import Wired
from gatepost_runtime.settings import StreamSettings
from gatepost_runtime.streams import apply
from support.runtime import Broker, FakeStore, Running


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    server = Broker(tmp_path)
    server.start()
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.terminate()
        server.process.wait(10)


@pytest.fixture
async def declared(broker: Broker) -> Broker:
    await apply(broker.url("operator"), StreamSettings(GATEPOST_ACK_WAIT_S=2))
    return broker


@pytest.fixture
async def operator(declared: Broker) -> AsyncIterator[Any]:
    client = await nats.connect(declared.url("operator"), inbox_prefix="_INBOX_operator")
    yield client
    await client.close()


@pytest.fixture
async def run(declared: Broker) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    started: list[Running] = []

    async def start(name: str, wired: Wired, *, ready: bool = True, url: str | None = None, **settings: Any) -> Running:
        running = Running(name, url or declared.url(name), wired, settings.pop("store", FakeStore()), **settings)
        started.append(running)
        return await running.start(ready=ready)

    yield start
    for running in started:
        if running.task is not None and not running.task.done():
            await running.stop()
