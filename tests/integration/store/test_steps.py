"""A mail's whole life through the generated functions on a real Postgres."""

from __future__ import annotations

import json

from support.mails import AGENT, ANN, INGEST, MAILBOX, Mail, draft, inbound, made, moved, stayed


async def test_inbound_mail_is_stored_once(world) -> None:
    """A retried mail is recognised by mailbox and digest."""
    store = await world.store("ingest")
    payload = inbound()
    first = made(
        await store.insert("T01", payload, by=INGEST, data={"raw_sha256": payload["m"]["raw_sha256"]}, raw=b"bytes")
    )
    again = made(await store.insert("T01", inbound(), by=INGEST, raw=b"bytes"))

    assert (first.duplicate, again.duplicate) == (False, True)
    assert first.message_id == again.message_id
    assert await world.owner.fetchval("SELECT bytes FROM raw") == b"bytes"
    assert await world.owner.fetchval("SELECT count(*) FROM message") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM thread") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM attachment") == 1
    row = await world.owner.fetchrow("SELECT head, participants FROM thread")
    assert first.message_id == row["head"]
    assert {"cora@example.org", "support@test"} == set(row["participants"])
    assert [f"{first.message_id}.1.email.received"] == [
        r["id"] for r in await world.owner.fetch("SELECT id FROM outbox")
    ]


async def test_a_whole_life(world) -> None:
    """Draft, hold, approve, claim, announce, deliver: each one step, each with its record."""
    mail = Mail(await world.store("api"), await world.store("gatekeeper"), await world.store("sender"), draft())
    await mail.write()
    await mail.hold()
    assert stayed(
        await mail.step("T11", type(ANN)(ANN.role, "prn_agent", ANN.actor), **mail.seen(), grant_token="g")
    ) == ("NOT_AUTHOR",)
    await mail.approve(decision_id="dec_1", action="approve", decided_revision=1, decided_hash=mail.sha)
    assert moved(await mail.claim()).state == "sending"
    moved(await mail.announce())
    assert moved(await mail.end("T28", code=250)).state == "delivered"

    rows = await world.owner.fetch(
        "SELECT seq, row_id, record FROM audit_record WHERE subject_id = $1 ORDER BY seq", mail.id
    )
    assert [r["row_id"] for r in rows] == ["T05", "T06", "T09", "T11", "T24", "T27", "T28"]
    assert list(range(1, 8)) == [r["seq"] for r in rows]
    for row in rows:
        record = json.loads(row["record"])
        assert row["record"] == json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert row["seq"] == record["seq"]
    message = await world.owner.fetchrow("SELECT * FROM message WHERE id = $1", mail.id)
    assert (
        message["state"],
        message["version"],
        message["ok1"],
        message["rfc_message_id"],
    ) == ("delivered", 7, "prn_ann", "<x@test>")
    assert await world.owner.fetchval("SELECT count(*) FROM attempt") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM decision") == 1
    assert message["mailbox_id"] == MAILBOX
    assert AGENT.principal == message["author"]
