"""The database goes away under a running ingest: peers are asked to come back, and nothing needs a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from integration.ingest.conftest import Ingest
from support.mailroom import Mailroom


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Ingest]:
    room = Mailroom(tmp_path / "pg")
    await asyncio.to_thread(room.start)
    await room.migrate()
    made = Ingest(room)
    await made.start(store_s=10)
    yield made
    await made.close()
    await room.close()
    await asyncio.to_thread(room.postgres.stop)


async def test_postgres_away_is_451_and_its_return_is_enough(alone: Any) -> None:
    """At RCPT and at the final dot; the same bytes are taken once afterwards."""
    box = alone.room.mailbox()
    raw = alone.mail(box["address"])
    assert (await alone.send(raw, box["address"]))[0] == 250

    other = alone.mail(box["address"], "second")
    await asyncio.to_thread(alone.room.postgres.stop)
    away = [await alone.send(other, box["address"]) for _ in range(2)]
    await asyncio.to_thread(alone.room.postgres.start)
    for _ in range(50):
        code, reply = await alone.send(other, box["address"])
        if code == 250:
            break
        await asyncio.sleep(0.1)

    assert {code for code, _ in away} == {451}
    assert code == 250, reply
    assert (await alone.send(raw, box["address"]))[0] == 250
    assert len(alone.stored(box)) == 2
