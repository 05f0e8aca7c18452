"""What must not happen: edges outside the table, rights of others, races, double commands, lost or doubled events."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gatepost_contracts.ids import new_id
from gatepost_oversight.states import derive
from gatepost_store import Inserted, Moved, Queries, Stayed, StepRefused, Store, StoreSettings, StoreUnavailable
from gatepost_store.migrate import migrate, pending
from support.mails import (
    AGENT,
    ANN,
    BOB,
    INGEST,
    MAILBOX,
    SENDER,
    SYSTEM,
    TENANT,
    Mail,
    draft,
    drafted,
    inbound,
    made,
    moved,
    revision,
    stayed,
)  # fmt: skip


async def _mail(world, **kwargs) -> Mail:
    return await Mail(
        await world.store("api"), await world.store("gatekeeper"), await world.store("sender"), draft(**kwargs)
    ).write()


async def _as(world, service: str) -> asyncpg.Connection:
    return await asyncpg.connect(world.server.url(f"gp_{service}", world.name))


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("sender", "UPDATE message SET ok1 = 'prn_ann', ok1_hash = content WHERE id = $1"),
        ("sender", "UPDATE message SET state = 'released', last_row = 'T11', version = version + 1 WHERE id = $1"),
        ("gatekeeper", "UPDATE message SET state = 'delivered', last_row = 'T28', version = version + 1 WHERE id = $1"),
        ("gatekeeper", "UPDATE message SET state = 'released', last_row = 'T08', version = version + 1 WHERE id = $1"),
        ("gatekeeper", "UPDATE message SET state = 'rejected', last_row = 'T18' WHERE id = $1"),
        ("gatekeeper", "UPDATE delivery SET owner = 'x' WHERE message_id = $1"),
        ("api", "UPDATE message SET state = 'released' WHERE id = $1"),
        ("api", "UPDATE message SET content = 'x' WHERE id = $1"),
        ("api", "UPDATE mailbox SET mode = 'autonomous' WHERE id <> $1"),
        ("drafter", "UPDATE message SET ask = 'autonomous' WHERE id = $1"),
        ("drafter", "DELETE FROM suppression WHERE id <> $1"),
        ("gatekeeper", "UPDATE audit_record SET record = '{}' WHERE subject_id = $1"),
        ("gatekeeper", "DELETE FROM audit_record WHERE subject_id = $1"),
        ("sender", "SELECT step_gatekeeper('{}', '{}', '{}', '{}', '{}', '{}', '{}') WHERE $1 <> ''"),
        (
            "api",
            "INSERT INTO decision (id, tenant_id, mailbox_id, message_id, seq, action, principal, door) VALUES ('d', 't', 'm', $1, 1, 'approve', 'p', 'rest')",
        ),
        ("sender", "SELECT key_sha256 FROM api_key WHERE id <> $1"),
    ],
)
async def test_the_database_refuses(world, service: str, statement: str) -> None:
    """A service whose password leaked still cannot write what is not its own."""
    mail = await (await _mail(world)).hold()
    connection = await _as(world, service)
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.PostgresError)) as refused:
        await connection.execute(statement, mail.id)
    assert refused.value.sqlstate in {"42501", "GP001", "GP002"}
    await connection.close()


async def test_no_service_can_say_that_it_only_rehearses(world) -> None:
    """The word that lets a replay take a thread back is the owner's alone; even the owner's edits need it said."""
    mail = await (await _mail(world)).hold()
    edit = "UPDATE message SET state = 'delivered', version = version + 1, last_row = 'T25' WHERE id = $1"
    connection = await _as(world, "gatekeeper")
    await connection.execute("SET gatepost.rehearsal = 'on'")
    with pytest.raises(asyncpg.PostgresError, match="no such step"):
        await connection.execute(edit, mail.id)
    await connection.close()
    with pytest.raises(asyncpg.PostgresError, match="no such step"):
        await world.owner.execute(edit, mail.id)


@pytest.mark.parametrize("state", ["released", "held", "drafted", "delivered"])
async def test_no_mail_is_born_further_on(world, state: str) -> None:
    """An author's insert cannot skip the gate."""
    connection = await _as(world, "api")
    with pytest.raises(asyncpg.PostgresError, match="no such step"):
        await connection.execute(
            "INSERT INTO message (id, tenant_id, mailbox_id, thread_id, direction, state, last_row) VALUES ($1, $2, $3, 'thr', 'outbound', $4, 'T05')",
            new_id("msg"), TENANT, MAILBOX, state,
        )  # fmt: skip
    await connection.close()


async def test_a_repeated_command_gets_its_first_answer(world) -> None:
    mail = await (await _mail(world)).hold()
    arguments = mail.seen() | mail.letting_go() | {"command_id": new_id("cmd")}
    first, second = await asyncio.gather(*(mail.gatekeeper.step("T11", mail.id, by=ANN, **arguments) for _ in range(2)))
    third = moved(await mail.gatekeeper.step("T11", mail.id, by=ANN, **arguments))

    assert {False, True} == {moved(first).already, moved(second).already}
    assert third.already
    assert moved(first).record == moved(second).record == third.record
    assert 1 == await world.owner.fetchval("SELECT count(*) FROM audit_record WHERE row_id = 'T11'")


async def test_events_are_published_once_committed_and_leave_the_outbox(world) -> None:
    published: list[str] = []

    async def publish(events) -> list[bool]:
        published.extend(event.event_id for event in events)
        return [True] * len(events)

    store = await world.store("ingest", flush_s=0.02)
    store.publisher = publish
    mail = made(await store.insert("T01", inbound(), by=INGEST, raw=b"1", data={"raw_sha256": "0" * 64}))
    for _ in range(100):
        if published and not await world.owner.fetchval("SELECT count(*) FROM outbox"):
            break
        await asyncio.sleep(0.02)
    assert [f"{mail.message_id}.1.email.received"] == published
    assert 0 == await world.owner.fetchval("SELECT count(*) FROM outbox")


async def test_what_a_crash_left_is_swept(world) -> None:
    """No publisher: as if the process had died after its commit. Another of the same service publishes it, once."""
    store = await world.store("ingest")
    ids = [
        made(
            await store.insert("T01", inbound(raw=b"%d" % n), by=INGEST, raw=b"1", data={"raw_sha256": "0" * 64})
        ).message_id
        for n in range(5)
    ]
    published: list[str] = []

    async def publish(events) -> list[bool]:
        published.extend(event.event_id for event in events)
        return [n > 0 for n in range(len(events))]

    store.publisher = publish
    assert 0 == await store.sweep_once()
    assert 4 == await store.sweep_once(older_than_s=0)
    assert 1 == await world.owner.fetchval("SELECT count(*) FROM outbox")
    assert {f"{i}.1.email.received" for i in ids} == set(published)
    assert 0 == await (await world.store("gatekeeper")).sweep_once(older_than_s=0)


async def test_one_bad_command_fails_alone(world) -> None:
    """Forty wait together; one of them cannot be stored."""
    store = await world.store("ingest")
    payloads = [inbound(raw=b"%d" % n) for n in range(40)]
    payloads[7]["m"]["spam_score"] = 99_999_999_999
    results = await asyncio.gather(
        *(store.insert("T01", p, by=INGEST, raw=b"x", data={"raw_sha256": "0" * 64}) for p in payloads),
        return_exceptions=True,
    )
    assert [7] == [n for n, r in enumerate(results) if isinstance(r, StepRefused)]
    assert 39 == sum(isinstance(r, Inserted) for r in results)
    with pytest.raises(StepRefused, match="NUL"):
        await store.insert("T01", inbound(text="a\0b"), by=INGEST, raw=b"x")


async def test_the_batch_is_one_commit(world) -> None:
    """Fifty commands that wait together share a transaction."""
    store = await world.store("ingest")
    await asyncio.gather(
        *(
            store.insert("T01", inbound(raw=b"%d" % n), by=INGEST, raw=b"x", data={"raw_sha256": "0" * 64})
            for n in range(50)
        )
    )
    transactions = await world.owner.fetchval("SELECT count(DISTINCT xmin::text) FROM message")
    assert transactions <= 5


async def test_a_lost_connection_is_temporary(world) -> None:
    store = await world.store("ingest")
    made(await store.insert("T01", inbound(raw=b"1"), by=INGEST, raw=b"x", data={"raw_sha256": "0" * 64}))
    await world.owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gp_ingest'")
    made(await store.insert("T01", inbound(raw=b"2"), by=INGEST, raw=b"x", data={"raw_sha256": "0" * 64}))


async def test_nobody_there_is_unavailable(world) -> None:
    with pytest.raises(StoreUnavailable):
        await Store.open(
            "postgresql://gp_api:x@127.0.0.1:1/none",
            service="api",
            queries=Queries.parse(""),
            settings=StoreSettings(connect_timeout_s=1),
        )


async def test_migrating_again_changes_nothing(world) -> None:
    url = world.server.url(name=world.name)
    assert [] == await migrate(url)
    assert [] == await pending(url)


async def test_two_recipients_end_at_once(world) -> None:
    """Two senders end two deliveries of one mail in the same moment: the mail must read delivered."""
    first = await world.store("sender")
    second = await Store.open(world.server.url("gp_sender", world.name), service="sender", queries=Queries.parse(""))
    mails = []
    for _ in range(15):
        mail = await (await _mail(world, recipients=["a@x.org", "b@x.org"])).hold()
        mails.append(await mail.approve())
    for mail in mails:
        for n in (1, 2):
            moved(await mail.claim(n))
            moved(await mail.announce(n))
    await asyncio.gather(*(
        store.step("T28", mail.id, by=SENDER, delivery_id=f"{mail.id}.1.{n}", data={"deliveries": [f"{mail.id}.1.{n}"], "release": 1})
        for mail in mails for n, store in ((1, first), (2, second))
    ))  # fmt: skip
    await second.close()
    assert {"delivered"} == {r["state"] for r in await world.owner.fetch("SELECT state FROM message")}


async def test_races(world) -> None:
    """Approvals, edits, cancels, claims and outcomes at random from two processes' worth of stores."""
    generator = random.Random(7)
    gatekeepers = [
        await world.store("gatekeeper"),
        await Store.open(
            world.server.url("gp_gatekeeper", world.name), service="gatekeeper", queries=Queries.parse("")
        ),
    ]
    senders = [
        await world.store("sender"),
        await Store.open(world.server.url("gp_sender", world.name), service="sender", queries=Queries.parse("")),
    ]
    api = await world.store("api")
    mails = [await (await _mail(world, recipients=["a@x.org", "b@x.org", "c@x.org"])).hold() for _ in range(10)]
    commands = [new_id("cmd") for _ in range(40)]

    async def turn() -> None:
        mail, gatekeeper, sender = generator.choice(mails), generator.choice(gatekeepers), generator.choice(senders)
        row = await world_read(mail.id)
        which = generator.randrange(9)
        sha, version, release = row["content"], row["version"], row["release"]
        delivery = f"{mail.id}.{max(release, 1)}.{generator.randint(1, 3)}"
        data = {"deliveries": [delivery], "release": max(release, 1)}
        lease = datetime.now(UTC) + timedelta(seconds=generator.choice([-1, 60]))
        wire = {"by": SENDER, "delivery_id": delivery}
        if which == 0:
            due = datetime.now(UTC) - timedelta(seconds=1)
            await gatekeeper.step(
                "T11", mail.id, by=generator.choice([ANN, BOB]), version=version, seen_hash=sha, grant_token="g", due_at=due,
                command_id=generator.choice([None, *commands]),
                data={"revision": row["revision"], "content_sha256": sha, "release": release + 1, "due_at": due},
            )  # fmt: skip
        elif which == 1:
            await gatekeeper.step("T16", mail.id, by=SYSTEM, reasons=["x"], data={"revision": 1})
        elif which == 2:
            rev = revision(text=str(generator.random()), recipients=["a@x.org", "b@x.org", "c@x.org"])
            inserted = await api.insert("R1", {"message_id": mail.id, "rev": rev}, by=AGENT, data=drafted(rev))
            if isinstance(inserted, Inserted) and inserted.record:
                await gatekeeper.step(
                    "T19",
                    mail.id,
                    by=SYSTEM,
                    revision=inserted.record["data"]["revision"],
                    reasons=["x"],
                    data={"revision": inserted.record["data"]["revision"]},
                )
        elif which == 3 and generator.random() < 0.05:
            await gatekeeper.step("T20", mail.id, by=ANN, data={"by": "prn_ann", "role": "reviewer"})
        elif which in {4, 5}:
            await sender.step("T24", mail.id, owner="s", lease_until=lease, grant_ok=True, **wire)
        elif which == 6:
            await sender.step("T27", mail.id, owner="s", **wire)
        elif which == 7:
            await sender.step(generator.choice(["T28", "T31"]), mail.id, data=data, stage="dot", **wire)
        else:
            due = datetime.now(UTC)
            await sender.step(
                "T29", mail.id, owner="s", due_at=due, data=data | {"next_attempt_at": due}, stage="rcpt", **wire
            )
            await sender.step("T25", mail.id, owner="s", lease_until=lease, grant_ok=True, **wire)

    lock = asyncio.Lock()

    async def world_read(message_id: str) -> asyncpg.Record:
        async with lock:
            return await world.owner.fetchrow(
                "SELECT content, version, release, revision FROM message WHERE id = $1", message_id
            )

    async def task() -> None:
        for _ in range(40):
            await turn()

    await asyncio.gather(*(task() for _ in range(16)))
    for store in (gatekeepers[1], senders[1]):
        await store.close()

    for mail in mails:
        records = await world.owner.fetch(
            "SELECT seq, row_id, record FROM audit_record WHERE subject_id = $1 ORDER BY seq", mail.id
        )
        message = await world.owner.fetchrow("SELECT state, version, release FROM message WHERE id = $1", mail.id)
        assert list(range(1, message["version"] + 1)) == [r["seq"] for r in records]
        assert message["release"] == sum(r["row_id"] == "T11" for r in records)
        deliveries = await world.owner.fetch(
            "SELECT id, state FROM delivery WHERE message_id = $1 AND of_release = $2", mail.id, message["release"]
        )
        if message["state"] not in {"cancelled", "drafted", "revising"} and deliveries:
            assert derive(r["state"] for r in deliveries) == message["state"]
        claims = [json.loads(r["record"])["delivery"] for r in records if r["row_id"] == "T24"]
        assert len(claims) == len(set(claims))
    wanted = {
        f"{r['subject_id']}.{r['seq']}.{kind}"
        for r in await world.owner.fetch("SELECT subject_id, seq, record FROM audit_record") for kind in json.loads(r["record"])["emits"]
    }  # fmt: skip
    assert wanted == {r["id"] for r in await world.owner.fetch("SELECT id FROM outbox")}
    assert not await world.owner.fetchval(
        "SELECT count(*) FROM (SELECT FROM command_result GROUP BY subject_id, seq HAVING count(*) > 1) x"
    )


async def test_a_missing_mail_is_neither_moved_nor_refused(world) -> None:
    gatekeeper = await world.store("gatekeeper")
    assert Stayed(None) == await gatekeeper.step("T09", new_id("msg"), by=SYSTEM)
    assert isinstance(
        await gatekeeper.step("W4", MAILBOX, by=AGENT, pause_id=new_id("pse"), scope="tenant", target=TENANT), Moved
    )
    assert ("ROLE",) == stayed(await gatekeeper.step("W5", MAILBOX, by=ANN, pause_id="x"))[:1]


async def test_a_record_that_makes_no_event_harms_nobody(world) -> None:
    """The step stands and is answered; the others' events go out."""
    published: list[str] = []

    async def publish(events) -> list[bool]:
        published.extend(event.event_id for event in events)
        return [True] * len(events)

    store = await world.store("ingest")
    store.publisher = publish
    bad = made(await store.insert("T01", inbound(raw=b"1"), by=INGEST, raw=b"1", data={"raw_sha256": "nonsense"}))
    good = made(await store.insert("T01", inbound(raw=b"2"), by=INGEST, raw=b"2", data={"raw_sha256": "0" * 64}))
    assert not bad.duplicate
    for _ in range(100):
        if published:
            break
        await asyncio.sleep(0.02)
    await store.sweep_once(older_than_s=0)
    assert {f"{good.message_id}.1.email.received"} == set(published)
