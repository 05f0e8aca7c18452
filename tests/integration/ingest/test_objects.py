"""Large mail stands in an object store: nothing is lost, nothing is left there that no row names, nothing is believed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gatepost_store import Queries, Store, StoreError
from integration.ingest.conftest import Ingest
from support.cluster import PASSWORD
from support.mailroom import Mailroom
from support.object_server import ObjectServer


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    with ObjectServer() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
async def away(objects: ObjectServer, ingest: Ingest) -> Ingest:
    """An ingest whose large mail goes to the object store."""
    assert objects.port
    return ingest


@pytest.fixture
async def gatekeeper(objects: ObjectServer, _mailroom: Mailroom) -> AsyncIterator[Store]:
    """Who erases and sweeps."""
    assert objects.port
    url = _mailroom.postgres.url("gp_gatekeeper", PASSWORD)
    store = await Store.open(url, service="gatekeeper", queries=Queries.of("gatepost_gatekeeper"))
    yield store
    await store.close()


def rows(ingest: Ingest, box: dict[str, str]) -> list[dict[str, Any]]:
    return ingest.room.rows(f"SELECT sha256, bytes, object FROM raw WHERE mailbox_id = '{box['id']}'")


def left(ingest: Ingest) -> list[str]:
    return [row["key"] for row in ingest.room.rows("SELECT key FROM object_left ORDER BY key")]


async def test_a_large_mail_goes_there_and_a_small_one_does_not(away: Ingest, objects: ObjectServer) -> None:
    box = away.room.mailbox()
    large, small = away.mail(box["address"], "much " * 10_000), away.mail(box["address"], "little")
    for raw in (large, small):
        assert (await away.send(raw, box["address"]))[0] == 250

    stored = rows(away, box)
    keys = [row["object"] for row in stored if row["object"]]
    assert [objects.kept[key] for key in keys] == [large]
    assert [row["bytes"] is None for row in stored if row["object"]] == [True]
    assert sum(row["bytes"] is not None for row in stored) == 1
    assert left(away) == []
    assert await away.store.content(next(row for row in stored if row["object"])) == large


async def test_what_was_changed_there_is_not_believed(away: Ingest, objects: ObjectServer) -> None:
    box = away.room.mailbox()
    await away.send(away.mail(box["address"], "much " * 10_000), box["address"])
    (row,) = rows(away, box)
    objects.kept[row["object"]] = b"something else"

    with pytest.raises(StoreError, match="not what was stored"):
        await away.store.content(row)


async def test_while_it_is_away_large_mail_is_asked_to_come_back(away: Ingest, objects: ObjectServer) -> None:
    """Small mail is taken meanwhile, and the same bytes are taken once it is there again."""
    box = away.room.mailbox()
    large = away.mail(box["address"], "much " * 10_000)
    objects.refuse = True
    assert (await away.send(large, box["address"]))[0] == 451
    assert (await away.send(away.mail(box["address"]), box["address"]))[0] == 250

    objects.refuse = False
    assert (await away.send(large, box["address"]))[0] == 250
    assert len(rows(away, box)) == 2


async def test_what_no_row_names_is_swept_away(away: Ingest, objects: ObjectServer, gatekeeper: Store) -> None:
    """The second copy of a mail that came twice; what was announced just now may yet be named and is left alone."""
    box = away.room.mailbox()
    large = away.mail(box["address"], "much " * 10_000)
    for _ in range(2):
        assert (await away.send(large, box["address"]))[0] == 250
    (row,) = rows(away, box)
    (orphan,) = set(left(away)) & objects.kept.keys()
    assert orphan != row["object"]

    await gatekeeper.sweep_objects()
    assert orphan in objects.kept
    away.room.sql("UPDATE object_left SET due_at = now() - interval '1 second'")
    await gatekeeper.sweep_objects()

    assert list(objects.kept) == [row["object"]]
    assert left(away) == []


async def test_what_is_erased_goes_there_too(away: Ingest, objects: ObjectServer, gatekeeper: Store) -> None:
    box = away.room.mailbox()
    assert (await away.send(away.mail(box["address"], "much " * 10_000), box["address"]))[0] == 250
    (mail,) = away.stored(box)

    assert await gatekeeper.fetchval("erase_mails", [mail["id"]]) == 1
    await gatekeeper.sweep_objects()

    assert objects.kept == {}
    assert left(away) == []
