"""A real Postgres, a receiver that does what it is told, and a notifier put together by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gatepost_contracts.email import EmailReceived
from gatepost_contracts.ids import new_id
from gatepost_notifier.asked import Asked
from gatepost_notifier.deliver import Deliverer
from gatepost_notifier.desk import Desk
from gatepost_notifier.ledger import Ledger
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.wire import Wire
from gatepost_runtime import seal, unseal
from gatepost_runtime.targets import Targets
from gatepost_store import Queries, Store
from support.cluster import PASSWORD, Cluster, Database
from support.trace import trace_holds

KEY = X25519PrivateKey.generate()
SECRET = "a secret of the caller"
SETTINGS = NotifierSettings(retry_delays_s=(0.05, 0.05, 0.05), timeout_s=1, poll_s=0.02)


@pytest.fixture(scope="module")
def postgres(cluster: Cluster) -> Database:
    return cluster.database()


@dataclass
class Receiver:
    """Somebody's server. `answer` says what each request gets."""

    url: str = ""
    answer: Callable[[int], tuple[int, dict[str, str]]] = lambda _: (200, {})
    wait_s: float = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.got.append((dict(request.headers), await request.read()))
            status, headers = self.answer(len(self.got))
            await asyncio.sleep(self.wait_s)
            return web.Response(status=status, headers=headers, text="thanks")
        finally:
            self.at_once -= 1

    def said(self, name: str) -> list[Any]:
        return [json.loads(body)[name] for _, body in self.got]


@pytest.fixture
async def receivers() -> AsyncIterator[Callable[[], Any]]:
    runners: list[web.AppRunner] = []

    async def make(**more: Any) -> Receiver:
        receiver = Receiver(**more)
        app = web.Application()
        app.router.add_post("/hook", receiver.take)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        return receiver

    yield make
    for runner in runners:
        await runner.cleanup()


@dataclass
class House:
    owner: asyncpg.Connection
    store: Store
    desk: Desk
    deliverer: Deliverer
    asked: Asked
    tenant: str
    mailbox: str

    async def endpoint(self, url: str, *events: str, **columns: Any) -> str:
        endpoint = new_id("whk")
        values = {
            "id": endpoint, "tenant_id": self.tenant, "mailbox_id": None, "url": url, "events": list(events),
            "secret_sealed": seal(KEY.public_key(), SECRET.encode()), "secret_hint": "…", **columns,
        }  # fmt: skip
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.owner.execute(f"INSERT INTO endpoint ({', '.join(values)}) VALUES ({places})", *values.values())
        return endpoint

    async def received(self, thread: str | None = None, **tags: str) -> EmailReceived:
        """An event about a mail that stands in the database."""
        message, thread = new_id("msg"), thread or new_id("thr")
        await self.owner.execute("SET session_replication_role = replica")
        await self.owner.execute(
            "INSERT INTO thread (id, tenant_id, mailbox_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            thread, self.tenant, self.mailbox,
        )  # fmt: skip
        await self.owner.execute(
            "INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row, header_from, text,"
            " subject, tags) VALUES ($1, $2, $3, $4, 'inbound', 'received', 'T01', 'ada@customer.example', 'Hello', 'Hi', $5)",
            message, self.tenant, self.mailbox, thread, json.dumps(tags),
        )  # fmt: skip
        await self.owner.execute("SET session_replication_role = DEFAULT")
        return EmailReceived(
            event_id=f"{message}.1.email.received", occurred_at=datetime.now(UTC), tenant_id=self.tenant,
            mailbox_id=self.mailbox, subject_id=message, seq=1, message_id=message, thread_id=thread,
            raw_sha256="0" * 64,
        )  # fmt: skip

    async def rows(self, endpoint: str) -> list[Any]:
        return list(
            await self.owner.fetch("SELECT * FROM webhook_delivery WHERE endpoint_id = $1 ORDER BY place", endpoint)
        )

    async def until(self, look: Callable[[], Any], within_s: float = 8, every_s: float = 0.02) -> None:
        async def wait() -> None:
            while True:
                found = look()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(every_s)

        await asyncio.wait_for(wait(), within_s)


@pytest.fixture
async def house(postgres: Database, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    owner = await asyncpg.connect(postgres.url())
    tenant, mailbox = new_id("ten"), new_id("mbx")
    await owner.execute("INSERT INTO tenant (id, name, slug) VALUES ($1, 'Shop', $2)", tenant, tenant)
    for name in (mailbox, "mbx_system"):
        await owner.execute(
            "INSERT INTO mailbox (id, tenant_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            name, tenant, f"{name.lower()}@shop.example",
        )  # fmt: skip
    store = await Store.open(
        postgres.url("gp_notifier", PASSWORD), service="notifier", queries=Queries.of("gatepost_notifier")
    )
    wire = Wire(timeout_s=1, reply_bytes=65_536, targets=Targets(is_dev=True), in_all=256)
    deliverer = Deliverer(Ledger(store), wire, lambda sealed: unseal(KEY, sealed), SETTINGS)
    running = asyncio.create_task(deliverer.run())
    try:
        yield House(owner, store, Desk(store, deliverer.wake), deliverer, Asked(store, deliverer.wake), tenant, mailbox)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await wire.close()
        await store.close()
        await owner.close()
    await trace_holds(postgres.url(), request)
