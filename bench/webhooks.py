"""How fast webhooks leave: 10,000 events to a sink, through the notifier, and the same with each POST made by httpx2.

`make bench-webhooks`. One process, one endpoint, a thread per event; the sink is a process of its own; the loop is the one
that services run on. The goal, five times httpx, is about delivering: one POST on a kept connection and its reply, beside
the same by httpx2, and "bare" is that. "whole notifier" is the more telling figure: claims, opened secrets, both
signatures and recorded outcomes in Postgres stand on both sides of that ratio, and only the client differs. The rows are
there before the clock starts; it stops when the last outcome is written. A dead endpoint with as many rows stands beside
the last round: what it costs the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import structlog
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gatepost_embedded.postgres import Postgres
from gatepost_notifier.deliver import Deliverer
from gatepost_notifier.ledger import Ledger
from gatepost_notifier.retry import Outcome
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.wire import Wire
from gatepost_runtime import seal, unseal
from gatepost_runtime.targets import Targets
from gatepost_store import Queries, Store
from gatepost_store.migrate import ROLES, migrate

KEY = X25519PrivateKey.generate()
SECRET = seal(KEY.public_key(), b"a secret of the receiver")
SIGNING = seal(KEY.public_key(), Ed25519PrivateKey.generate().private_bytes_raw())
BODY = json.dumps({"event": "email.received", "body_text": "x" * 1500}).encode()
ADD = (
    "INSERT INTO webhook_delivery (id, tenant_id, mailbox_id, endpoint_id, event_id, event_type, alias, thread_id, place, body,"
    " is_first) SELECT '{endpoint}' || n, 'ten_1', 'mbx_1', '{endpoint}', 'x', 'email.received', '*', 'thr_' || n, n,"
    " decode('{body}', 'hex'), true FROM generate_series(1, {count}) AS n"
)


@dataclass(frozen=True)
class Took:
    """One round."""

    seconds: float
    cpu_s: float  # of this process; steadier than the clock where others share the machine


class Httpx:
    """The same as Wire, by httpx2: kept connections, no redirects, the same limits."""

    def __init__(self, *, timeout_s: float, in_all: int) -> None:
        limits = httpx2.Limits(max_connections=in_all, max_keepalive_connections=in_all)
        self._client = httpx2.AsyncClient(timeout=timeout_s, limits=limits, trust_env=False, follow_redirects=False)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        begun = time.monotonic()
        reply = await self._client.post(url, content=body, headers=dict(headers))
        return Outcome(reply.status_code, latency_ms=round((time.monotonic() - begun) * 1000))

    async def close(self) -> None:
        await self._client.aclose()


def sink(pipe: Any) -> None:
    """A server that answers 200 to everything."""

    async def serve() -> None:
        async def take(request: web.Request) -> web.Response:
            await request.read()
            return web.Response()

        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


def add(postgres: Postgres, endpoint: str, url: str, count: int) -> None:
    """An endpoint with so many deliveries that are due."""
    postgres.psql(
        "INSERT INTO endpoint (id, tenant_id, url, events, secret_sealed, secret_hint, signing_sealed)"
        f" VALUES ('{endpoint}', 'ten_1', '{url}', '{{*}}', '\\x{SECRET.hex()}', 'x', '\\x{SIGNING.hex()}');\n"
        + ADD.format(endpoint=endpoint, body=BODY.hex(), count=count) + "; ANALYZE webhook_delivery;"
    )  # fmt: skip


async def through_the_notifier(postgres: Postgres, url: str, wire: Any, endpoint: str, count: int) -> Took:
    """From the first look to the last outcome in the table."""
    add(postgres, endpoint, url, count)
    store = await Store.open(
        postgres.url("gp_notifier", "secret"), service="notifier", queries=Queries.of("gatepost_notifier")
    )
    settings = NotifierSettings(per_endpoint=32, in_flight=512)
    deliverer = Deliverer(Ledger(store), wire, lambda sealed: unseal(KEY, sealed), settings)
    began, cpu = time.perf_counter(), time.process_time()
    running = asyncio.create_task(deliverer.run())
    while any(row["id"] == endpoint for row in await store.fetch("endpoints_due")):
        await asyncio.sleep(0.05)
    await deliverer.settle()
    took = Took(time.perf_counter() - began, time.process_time() - cpu)
    running.cancel()
    await asyncio.wait({running})
    left = postgres.psql(
        f"SELECT count(*) FROM webhook_delivery WHERE endpoint_id = '{endpoint}' AND state <> 'delivered'"
    )
    assert left.strip() == "0", f"{left} were not delivered"
    await wire.close()
    await store.close()
    return took


async def bare(wire: Any, url: str, count: int) -> Took:
    """As many POSTs, 32 at a time, and nothing else."""
    left = iter(range(count))

    async def line() -> None:
        for _ in left:
            await wire.post(url, BODY, {"Content-Type": "application/json"})

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(line() for _ in range(32)))
    took = Took(time.perf_counter() - began, time.process_time() - cpu)
    await wire.close()
    return took


def _ours() -> Wire:
    return Wire(timeout_s=15, reply_bytes=65_536, targets=Targets(is_dev=True), in_all=512)


async def measure(postgres: Postgres, url: str, count: int) -> None:
    await migrate(postgres.url(), passwords=dict.fromkeys(ROLES, "secret"))
    rows = {
        "bare client, aiohttp": await bare(_ours(), url, count),
        "bare client, httpx2": await bare(Httpx(timeout_s=15, in_all=512), url, count),
        "notifier, aiohttp": await through_the_notifier(postgres, url, _ours(), "whk_a", count),
        "notifier, httpx2": await through_the_notifier(postgres, url, Httpx(timeout_s=15, in_all=512), "whk_h", count),
    }
    add(postgres, "whk_dead", "http://127.0.0.1:9/hook", count)
    rows["notifier, beside a dead endpoint"] = await through_the_notifier(postgres, url, _ours(), "whk_b", count)
    for name, took in rows.items():
        each, cpu = took.seconds / count * 1000, took.cpu_s / count * 1000
        print(f"{name:32} {1000 / each:8.0f} webhooks/s   {each:.3f} ms each, {cpu:.3f} ms of this process's CPU")
    for words, ours, theirs in (
        ("bare: {:.1f} times httpx2 by the clock, {:.1f} times by CPU", "bare client, aiohttp", "bare client, httpx2"),
        ("whole notifier: {:.1f} times httpx2 by the clock, {:.1f} times by CPU", "notifier, aiohttp", "notifier, httpx2"),
        ("a dead endpoint beside it: {:.2f} times as long, {:.2f} times the CPU", "notifier, aiohttp",
         "notifier, beside a dead endpoint"),
    ):  # fmt: skip
        print(words.format(rows[theirs].seconds / rows[ours].seconds, rows[theirs].cpu_s / rows[ours].cpu_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    count = parser.parse_args().count
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=sink, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/hook"
    with tempfile.TemporaryDirectory(prefix="gatepost-") as folder:
        postgres = Postgres(Path(folder) / "pg", sync_new_files=False)
        postgres.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(measure(postgres, url, count))
        finally:
            postgres.stop()
            server.terminate()


if __name__ == "__main__":
    main()
