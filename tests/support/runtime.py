"""A real nats-server with the generated users, and the runtime's own process inside the test's loop, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatepost_contracts.catalogue import SERVICES
from gatepost_contracts.email import EmailDrafted, EmailReceived, EmailRejected
from gatepost_contracts.ids import new_id
from gatepost_runtime.main import Process
from gatepost_runtime.rows import Wired
from gatepost_runtime.settings import RuntimeSettings
from gatepost_runtime.streams import nats_users

NATS_SERVER = Path(sys.executable).with_name("nats-server")
TENANT, MAILBOX = new_id("ten"), new_id("mbx")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def eventually(look: Callable[[], Any], what: str, within_s: float = 10) -> Any:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = look()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come within {within_s} s")


class Broker:
    """One nats-server of our own; may be killed and started again on its port and data."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.name = f"test-{secrets.token_hex(8)}"
        self.passwords = {user: secrets.token_urlsafe(12) for user in (*SERVICES, "operator")}
        self.process: subprocess.Popen[bytes] | None = None
        conf = folder / "nats.conf"
        conf.write_text(
            f'server_name: {self.name}\nlisten: "127.0.0.1:{self.port}"\n'
            f"jetstream {{ store_dir: {json.dumps(str(folder / 'js'))} }}\n{nats_users(self.passwords)}"
        )
        conf.chmod(0o600)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(NATS_SERVER), "-c", str(self.folder / "nats.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                assert self.name in peer.makefile().readline(), "a stranger is on our port"
                return
            time.sleep(0.02)
        raise AssertionError("nats-server did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def url(self, user: str, password: str | None = None) -> str:
        return f"nats://{user}:{password or self.passwords[user]}@127.0.0.1:{self.port}"


class StoreDown(Exception):
    """Stands for gatepost_store.StoreUnavailable."""


class FakeStore:
    """As much of a store as the runtime touches."""

    def __init__(self) -> None:
        self.publisher: Any = None
        self.closed = False
        self.away: str | None = None

    async def ready(self) -> None:
        if self.away:
            raise StoreDown(self.away)

    async def sweep(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed = True


class Running:
    """One service process inside this loop."""

    def __init__(self, name: str, url: str, wired: Wired, store: FakeStore, **settings: Any) -> None:
        values = {
            "env": "dev", "nats_url": url, "database_url": "postgresql://nobody@127.0.0.1:1/none", "health_port": 0,
            "first_retry_s": 0.05, "graceful_timeout_s": 5, "command_timeout_s": 1, "log_level": "error",
        }  # fmt: skip
        self.store = store

        async def wire(service: Any) -> Wired:
            return wired

        async def open_store(settings: RuntimeSettings, name: str) -> Any:
            return store

        self.process = Process(name, RuntimeSettings(**(values | settings)), wire, open_store)
        self.task: asyncio.Task[int] | None = None
        self.service = self.process.service

    async def start(self, *, ready: bool = True) -> Running:
        self.task = asyncio.create_task(self.process.run())
        if ready:
            await eventually(self.is_ready, "readiness")
        return self

    async def is_ready(self) -> bool:
        return await self.process._ready() is None

    async def why_not(self) -> str:
        return await self.process._ready() or ""

    async def stop(self) -> int:
        assert self.task is not None
        self.process.leave(0)
        return await asyncio.wait_for(self.task, 20)


def _common(message: str, event_type: str, seq: int) -> dict[str, Any]:
    return {
        "event_id": f"{message}.{seq}.{event_type}", "occurred_at": datetime(2026, 1, 2, tzinfo=UTC), "tenant_id": TENANT,
        "mailbox_id": MAILBOX, "subject_id": message, "seq": seq, "message_id": message, "thread_id": f"thr_{message[4:]}",
    }  # fmt: skip


def received(seq: int = 1) -> EmailReceived:
    return EmailReceived(**_common(new_id("msg"), "email.received", seq), raw_sha256="ab" * 32)


def drafted(seq: int = 1) -> EmailDrafted:
    return EmailDrafted(
        **_common(new_id("msg"), "email.drafted", seq), revision=1, content_sha256="cd" * 32, author="prn_drafter",
        author_kind="drafter",
    )  # fmt: skip


def rejected(seq: int = 1) -> EmailRejected:
    return EmailRejected(**_common(new_id("msg"), "email.rejected", seq), revision=1, final=True)


async def dead_letters(operator: Any) -> list[Any]:
    """What lies in DEAD, read without acking."""
    from nats.js.api import AckPolicy, ConsumerConfig

    js = operator.jetstream()
    count = (await js.stream_info("DEAD")).state.messages
    if not count:
        return []
    reader = await js.pull_subscribe(
        "dead.>", stream="DEAD", config=ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=5)
    )
    found: list[Any] = []
    while len(found) < count:
        found += await reader.fetch(count - len(found), timeout=2)
    return found


def get(url: str) -> tuple[int, bytes]:
    """One GET, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
