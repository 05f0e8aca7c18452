"""Wires the doors: what they look things up in, whom they ask, where they listen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from prometheus_client import Gauge

from gatepost_api.caller import KeyRing
from gatepost_api.door import build
from gatepost_api.limits import Limits
from gatepost_api.live import Live
from gatepost_api.machine import dead_letters
from gatepost_api.mcp_door import McpDoor
from gatepost_api.office import Office
from gatepost_api.settings import ApiSettings
from gatepost_runtime.dead import DeadLetters
from gatepost_runtime.errors import Unavailable
from gatepost_runtime.main import serve
from gatepost_runtime.rows import Wired
from gatepost_runtime.service import Service
from gatepost_runtime.settings import read

_NOTE_USED_S, _FORGET_S, _COUNT_S = 10.0, 600.0, 10.0


async def wire(service: Service) -> Wired:
    """The parts of this service."""
    settings = read(ApiSettings)
    keys = KeyRing(service.store, settings.key_cache_s)

    async def ready() -> bool:
        return await service.store_problem() is None

    def dead() -> DeadLetters:
        client = service.broker.client
        if client is None or not client.is_connected:
            raise Unavailable("the broker is away")
        return DeadLetters(client.jetstream(timeout=2))

    async def forget() -> None:
        await service.store.execute("forget_requests", settings.idempotency_h)
        await service.store.execute("forget_windows")
        await service.store.execute("forget_claims")
        await service.store.execute("forget_approval_links")

    waiting = Gauge("gatepost_dead_letters_waiting", "Events set aside, until a person says what becomes of them.",
                    registry=service.registry)  # fmt: skip

    async def count_dead() -> None:
        count = await dead_letters(office)
        if count is not None:  # else as many as it was; that nobody can look is told by /readyz
            waiting.set(count)

    live = Live(lambda: service.broker.client, service.stopping)

    office = Office(
        store=service.store, ask=service.ask, settings=settings, is_dev=service.settings.is_dev,
        public_url=service.settings.public_url, token_key=service.keys.token,
        notifier_seal=service.keys.seal_public("notifier"), keys=keys,
        targets=service.settings.targets, dead=dead, ready=ready, limits=Limits(service.store), live=live,
        identity=service.keys.identity_public,
    )  # fmt: skip
    mcp = McpDoor(office)
    return Wired(
        http=build(office, mcp),
        http_bind=(settings.host, settings.port),
        tasks=(
            _every(service.stopping, _NOTE_USED_S, keys.note_used),
            _every(service.stopping, _FORGET_S, forget),
            _every(service.stopping, _COUNT_S, count_dead),
            live.run,
            mcp.run,
        ),
        close=(keys.note_used,),
    )


def _every(
    stopping: asyncio.Event, seconds: float, work: Callable[[], Awaitable[None]]
) -> Callable[[], Coroutine[Any, Any, None]]:
    async def loop() -> None:
        while not stopping.is_set():
            await asyncio.sleep(seconds)
            await work()

    return loop


def main() -> None:
    """Entry point of `gatepost-api`."""
    serve("api", wire)
