"""The database goes away under a running ingest: peers are asked to come back, and nothing needs a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.ingest.conftest import Ingest
from support.cluster import Cluster, running
from support.mailroom import Mailroom


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Cluster]:
    """A server of this test's own, which it may stop."""
    with running(tmp_path / "pg") as made:
        yield made


@pytest.fixture
async def alone(mortal: Cluster) -> AsyncIterator[Ingest]:
    made = Ingest(Mailroom(mortal.database()))
    await made.start(store_s=10)
    yield made
    await made.close()
    await made.room.close()


async def test_postgres_away_is_451_and_its_return_is_enough(alone: Any) -> None:
    """At RCPT and at the final dot; the same bytes are taken once afterwards."""
    box = alone.room.mailbox()
    raw = alone.mail(box["address"])
    assert (await alone.send(raw, box["address"]))[0] == 250

    other = alone.mail(box["address"], "second")
    await asyncio.to_thread(alone.room.postgres.server.stop)
    away = [await alone.send(other, box["address"]) for _ in range(2)]
    await asyncio.to_thread(alone.room.postgres.server.start)
    for _ in range(50):
        code, reply = await alone.send(other, box["address"])
        if code == 250:
            break
        await asyncio.sleep(0.1)

    assert {code for code, _ in away} == {451}
    assert code == 250, reply
    assert (await alone.send(raw, box["address"]))[0] == 250
    assert len(alone.stored(box)) == 2
