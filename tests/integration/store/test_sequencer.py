"""The log on a real Postgres: gap-free, in order, crash-safe, one writer at a time, and its exports prove themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.canonical import canonical
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Queries, Store
from gatepost_store.audit.export import selection, whole_log
from gatepost_store.audit.proofs import Proofs, newest_checkpoint, receipt
from gatepost_store.audit.sequencer import LOCK, ForeignKey, Sequencer
from gatepost_store.audit.verify_audit import is_consistent, read_checkpoint, verify
from support.audit_log import fill

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
async def gatekeeper(world: Any) -> AsyncIterator[Store]:
    await fill(world, mails=40)
    yield await world.store("gatekeeper")


async def exported(store: Store) -> bytes:
    return "".join([line + "\n" async for line in whole_log(store.reading)]).encode()


async def test_every_record_gets_the_next_place_in_the_order_of_its_mail(world: Any, gatekeeper: Store) -> None:
    """Small batches cut through mails; the places stay gap-free and each mail's numbers ascend."""
    sequencer = Sequencer(gatekeeper, KEY, "gate.test", batch=7, checkpoint_s=0)
    while (placed := await sequencer.place()) and placed.records:
        pass

    leaves = await world.owner.fetch("SELECT idx, subject_id, seq FROM audit_leaf ORDER BY idx")
    assert list(range(len(leaves))) == [row["idx"] for row in leaves]
    assert len(leaves) == await world.owner.fetchval("SELECT count(*) FROM audit_record")
    seen: dict[str, int] = {}
    for row in leaves:
        assert seen.get(row["subject_id"], 0) + 1 == row["seq"]
        seen[row["subject_id"]] = row["seq"]
    assert 0 == await world.owner.fetchval("SELECT count(*) FROM audit_unplaced")


async def test_the_export_is_proven_by_the_file_alone(gatekeeper: Store) -> None:
    """Whatever batches and checkpoints it was made of."""
    sequencer = Sequencer(gatekeeper, KEY, "gate.test", batch=11, checkpoint_s=0)
    while (placed := await sequencer.place()) and placed.records:
        pass
    result = verify(await exported(gatekeeper))

    assert placed is not None
    assert (placed.size, "gate.test") == (result["records"], result["origin"].split("/")[0])
    assert result["checkpoints"] > 5


async def test_a_restart_goes_on_where_the_log_stood(world: Any, gatekeeper: Store) -> None:
    """A new process knows the frontier from its row; the checkpoints of both are of one log."""
    first = await Sequencer(gatekeeper, KEY, "gate.test", batch=30).place(sign_now=True)
    await fill(world, mails=15)
    second = await Sequencer(gatekeeper, KEY, "other.test", checkpoint_s=0).place()

    assert first is not None and second is not None and second.size > first.size == 30
    vkey = (await gatekeeper.reading.fetchrow("SELECT vkey FROM audit_tree"))["vkey"]
    (_, old, old_root), (_, new, new_root) = (
        read_checkpoint(c or "", vkey) for c in (first.checkpoint, second.checkpoint)
    )
    path = await Proofs(gatekeeper.reading).consistency(old, new)
    assert is_consistent(old, new, old_root, new_root, path)
    assert verify(await exported(gatekeeper), vkey, [first.checkpoint or ""])["records"] == second.size


async def test_two_replicas_never_place_the_same_record(world: Any, gatekeeper: Store) -> None:
    """Both place as fast as they can while steps go on; the log stays one."""
    other = await Store.open(
        world.server.url("gp_gatekeeper", world.name), service="gatekeeper", queries=Queries.parse("")
    )
    replicas = [Sequencer(store, KEY, "gate.test", batch=5, checkpoint_s=0) for store in (gatekeeper, other)]
    done = asyncio.Event()

    async def work(sequencer: Sequencer) -> int:
        count = 0
        while not done.is_set() or await other.reading.fetchval("SELECT count(*) FROM audit_unplaced"):
            placed = await sequencer.place()
            count += placed.records if placed else 0
        return count

    async def write() -> None:
        for _ in range(4):
            await fill(world, mails=20)
        done.set()

    *counts, _ = await asyncio.gather(*(asyncio.create_task(work(s)) for s in replicas), write())
    await other.close()

    assert verify(await exported(gatekeeper))["records"] == sum(counts)
    assert sum(counts) == await world.owner.fetchval("SELECT count(*) FROM audit_record")


async def test_while_another_holds_the_lock_nothing_is_placed(world: Any, gatekeeper: Store) -> None:
    """The other replica may be in the middle of its batch."""
    await world.owner.execute("SELECT pg_advisory_lock($1)", LOCK)
    sequencer = Sequencer(gatekeeper, KEY, "gate.test")
    assert await sequencer.place() is None

    await world.owner.execute("SELECT pg_advisory_unlock($1)", LOCK)
    placed = await sequencer.place()
    assert placed is not None and placed.records > 0


@pytest.mark.parametrize("table", ["audit_leaf", "audit_node", "audit_checkpoint", "audit_unplaced"])
async def test_a_crash_in_a_batch_undoes_all_of_it(world: Any, gatekeeper: Store, table: str) -> None:
    """Whichever statement the crash comes after, the next batch begins with the same records."""
    await fill(world, mails=60)
    sequencer = Sequencer(gatekeeper, KEY, "gate.test", checkpoint_s=0, batch=300)
    before = await world.owner.fetchval("SELECT count(*) FROM audit_unplaced")
    event = "DELETE" if table == "audit_unplaced" else "INSERT"
    await world.owner.execute(
        "CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'crash'; END $$;"
        f"CREATE TRIGGER crash AFTER {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION crash()"
    )
    with pytest.raises(Exception, match="crash"):
        await sequencer.place()
    assert before == await world.owner.fetchval("SELECT count(*) FROM audit_unplaced")
    assert 0 == await world.owner.fetchval("SELECT count(*) FROM audit_leaf")

    await world.owner.execute(f"DROP TRIGGER crash ON {table}")
    while (placed := await sequencer.place()) and placed.records:
        pass
    assert before == verify(await exported(gatekeeper))["records"]


async def test_another_key_does_not_sign_this_log(gatekeeper: Store) -> None:
    """A lost key is noticed at once, not when somebody verifies."""
    await Sequencer(gatekeeper, KEY, "gate.test").place()

    with pytest.raises(ForeignKey, match=r"checkpoint\.key"):
        await Sequencer(gatekeeper, Ed25519PrivateKey.generate(), "gate.test").place()


async def test_a_forged_leaf_does_not_get_in(world: Any, gatekeeper: Store) -> None:
    """The place is given to the hash of the record itself; a column beside it is not believed."""
    await world.owner.execute("SET session_replication_role = replica; UPDATE audit_record SET leaf = '\\x00'")
    await Sequencer(gatekeeper, KEY, "gate.test", checkpoint_s=0).place()

    assert verify(await exported(gatekeeper))["records"]


async def test_a_selection_proves_whole_mails_and_goes_on_from_a_checkpoint(world: Any, gatekeeper: Store) -> None:
    """What is handed to a third party holds that party's mails and nothing of others."""
    sequencer = Sequencer(gatekeeper, KEY, "gate.test", batch=30)
    kept = await sequencer.place(sign_now=True)
    while (placed := await sequencer.place(sign_now=True)) and placed.records:
        pass
    mails = [row["id"] for row in await world.owner.fetch("SELECT id FROM message ORDER BY id LIMIT 3")]
    lines = [line async for line in selection(gatekeeper.reading, mails, {"thread": "x"}, since=[30])]
    content = ("\n".join(lines) + "\n").encode()
    result = verify(content, saved=[kept.checkpoint or ""] if kept else [])

    assert 3 == result["subjects"]
    assert (
        await world.owner.fetchval("SELECT count(*) FROM audit_record WHERE subject_id = ANY($1)", mails)
        == result["records"]
    )


async def test_a_receipt_names_its_place(world: Any, gatekeeper: Store) -> None:
    """It verifies by itself, and inside of the whole log."""
    mail = await world.owner.fetchval("SELECT id FROM message ORDER BY id DESC LIMIT 1")
    assert await receipt(gatekeeper.reading, mail, 1) is None  # not placed yet
    await Sequencer(gatekeeper, KEY, "gate.test", checkpoint_s=0).place()
    given = await receipt(gatekeeper.reading, mail, 1)

    assert given is not None
    assert given["index"] == verify((canonical(given) + "\n").encode())["index"]
    assert verify(await exported(gatekeeper), receipts=[given])["records"]


async def test_the_newest_checkpoint_covers_everything_when_it_is_quiet(world: Any, gatekeeper: Store) -> None:
    """The interval holds back a checkpoint, but not for ever."""
    sequencer = Sequencer(gatekeeper, KEY, "gate.test", checkpoint_s=0)
    await sequencer.place()
    by = Actor(Role.OPERATOR, "prn_op", "key_op", "rest")
    await gatekeeper.step("W3", "mbx_" + "1" * 26, by=by, on=True)
    placed = await sequencer.place()

    checkpoint = await newest_checkpoint(gatekeeper.reading)
    assert placed is not None and checkpoint is not None
    assert placed.size == checkpoint.size == await world.owner.fetchval("SELECT count(*) FROM audit_record")
