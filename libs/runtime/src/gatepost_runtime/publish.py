"""Events to the broker: a whole batch at once, each with its id, all within one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from nats.aio.client import Client
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import PubAck

from gatepost_contracts.event import Event
from gatepost_runtime.logging import get_logger
from gatepost_runtime.metrics import Metrics
from gatepost_runtime.tracing import Flows

log = get_logger()
Acked = asyncio.Future[PubAck]


class Publisher:
    """Publishes what was committed. What it could not place stays in the outbox and is taken by the sweeper.

    A missing ack does not mean "not stored", so it is published again with the same id; the server drops the repeat
    inside its window, and every consumer's own keys do so for ever.
    """

    def __init__(self, flows: Flows, metrics: Metrics, *, deadline_s: float = 5) -> None:
        self._flows, self._metrics, self._deadline_s = flows, metrics, deadline_s
        self._client: Client | None = None
        self._js: JetStreamContext | None = None

    def connected(self, client: Client) -> None:
        """From now on there is a broker."""
        self._client, self._js = client, client.jetstream(publish_async_max_pending=10_000)

    async def publish(self, events: Sequence[Event]) -> list[bool]:
        """For each event: True when the broker said that it has it."""
        if not events:
            return []
        if self._client is None or self._js is None or not self._client.is_connected:
            self._metrics.published.labels("waits").inc(len(events))
            return [False] * len(events)
        pending: list[Acked | None] = [await self._send(self._js, event) for event in events]
        waiting = [future for future in pending if future is not None]
        if waiting:
            await asyncio.wait(waiting, timeout=self._deadline_s)
        done = [self._is_stored(future) for future in pending]
        stored = sum(done)
        self._metrics.published.labels("stored").inc(stored)
        if stored < len(done):
            self._metrics.published.labels("failed").inc(len(done) - stored)
            log.warning("events were not acknowledged by the broker and stay in the outbox", count=len(done) - stored)
        return done

    async def _send(self, js: JetStreamContext, event: Event) -> Acked | None:
        headers: dict[str, Any] = {"Nats-Msg-Id": event.event_id, **self._flows.headers(event)}
        try:
            return await js.publish_async(event.subject, event.encode(), headers=headers)
        except (Error, OSError) as reason:
            log.warning("an event could not be handed to the broker", event_id=event.event_id, reason=str(reason))
            return None

    @staticmethod
    def _is_stored(future: Acked | None) -> bool:
        """A future that never ended is cancelled, which takes it off the client's list."""
        if future is None:
            return False
        if not future.done():
            future.cancel()
            return False
        if future.cancelled() or (reason := future.exception()) is not None:
            log.warning("the broker refused an event", reason=str(reason) if not future.cancelled() else "cancelled")
            return False
        return True
