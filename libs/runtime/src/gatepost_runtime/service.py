"""What a service's code is given: its store, its keys, its way to ask others, and when to stop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry

from gatepost_contracts.commands import Command, CommandReply
from gatepost_runtime.commands import Asker
from gatepost_runtime.keys import Keys
from gatepost_runtime.logging import get_logger
from gatepost_runtime.metrics import Metrics
from gatepost_runtime.publish import Publisher
from gatepost_runtime.settings import RuntimeSettings
from gatepost_runtime.tracing import Flows

if TYPE_CHECKING:
    from gatepost_runtime.broker import Broker
    from gatepost_runtime.replay import Replaying
    from gatepost_store import Store


class Service:
    """One process of one service."""

    store: Store
    broker: Broker

    def __init__(self, name: str, settings: RuntimeSettings) -> None:
        self.name, self.settings = name, settings
        self.log: Any = get_logger()
        self.keys = Keys(settings.keys_dir)
        self.metrics = Metrics(name)
        self.flows = Flows(name, url=settings.otlp_url, ratio=settings.trace_ratio)
        self.asker = Asker(self.flows, settings.command_timeout_s)
        self.publisher = Publisher(self.flows, self.metrics)
        self.store_is_missing = "not connected yet"
        self.replaying: Replaying | None = None
        self.stopping = asyncio.Event()
        self.wake = asyncio.Event()

    @property
    def registry(self) -> CollectorRegistry:
        """Where a service registers counters of its own."""
        return self.metrics.registry

    async def ask(self, command: Command) -> CommandReply:
        """Ask the service that decides; raises Unavailable when it does not answer in time."""
        return await self.asker.ask(command)

    async def rest(self, seconds: float) -> bool:
        """Wait until woken, until stopping, or this long; False when it is time to stop.

        `wake.set()` in a handler is how an event makes a loop look at its table at once.
        """
        if not self.stopping.is_set() and not self.wake.is_set():
            waits = [asyncio.ensure_future(event.wait()) for event in (self.wake, self.stopping)]
            try:
                await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        self.wake.clear()
        return not self.stopping.is_set()

    async def store_problem(self) -> str | None:
        """Why the database cannot be used, if it cannot."""
        if getattr(self, "store", None) is None:
            return f"database: {self.store_is_missing}"
        try:
            await asyncio.wait_for(self.store.ready(), timeout=2)
        except Exception as reason:
            return f"database: {reason or type(reason).__name__}"
        return None

    async def close_store(self) -> None:
        """Commit what waits and leave the database."""
        if getattr(self, "store", None) is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.store.close(), timeout=10)
