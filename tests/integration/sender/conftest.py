"""What the sender's tests share: a database of their own, keys, and settings that point there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost_runtime.keys import make_keys
from support.cluster import PASSWORD, Cluster, Database
from support.released import World
from support.smtp_peer import Peer
from support.trace import check_trace


@pytest.fixture(scope="session")
def _database(cluster: Cluster) -> Database:
    return cluster.database()


@pytest.fixture
def world(
    _database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[World]:
    url = _database.url("gp_sender", PASSWORD)
    make_keys(tmp_path / "keys")
    given = {
        "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": url, "GATEPOST_KEYS_DIR": str(tmp_path / "keys" / "sender"),
        "GATEPOST_NATS_URL": "nats://127.0.0.1:1", "GATEPOST_PUBLIC_URL": "https://gatepost.test",
        "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1", "GATEPOST_SENDER_POLL_S": "0.05", "GATEPOST_SENDER_LEASE_S": "2",
        "GATEPOST_SENDER_RETRY_DELAYS_S": "0.1", "GATEPOST_SENDER_STOP_S": "0.2",
        "GATEPOST_SENDER_DKIM_RECORDS_FILE": str(tmp_path / "dkim.json"),
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    world = World(_database, tmp_path / "keys", url)
    yield world
    check_trace(_database.url(), request)
    tables = "attempt, delivery, revision, message, thread, mailbox, suppression, pause, outbox, audit_record, dkim_key"
    _database.psql(f"TRUNCATE {tables} CASCADE;")


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> Any:
    async with Peer() as peer:
        monkeypatch.setenv("GATEPOST_SENDER_RELAY_PORT", str(peer.port))
        yield peer
