"""Every row fires on a real Postgres, and refusals name their conjuncts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from gatepost_contracts.ids import new_id
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.move import On
from gatepost_store import Actor, StepRefused
from support.mails import (
    AGENT,
    ANN,
    BOB,
    INGEST,
    MAILBOX,
    OPERATOR,
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


async def _revise(mail: Mail, kind: str = "draft", text: str = "Better", by: Actor = AGENT) -> str:
    rev = revision(kind, text, author=by.principal or "")
    made(await mail.api.insert("R1", {"message_id": mail.id, "rev": rev}, by=by, data=drafted(rev)))
    return rev["content_sha256"]


async def test_quarantine_admit_and_discard(world, fired) -> None:
    """A reviewer's decision lets mail out, and only then it is the thread's head."""
    ingest, gatekeeper = await world.store("ingest"), await world.store("gatekeeper")
    first = made(await ingest.insert("T02", inbound(raw=b"1"), by=INGEST, data={"reasons": ["spam"]}, raw=b"1"))
    second = made(await ingest.insert("T02", inbound(raw=b"2"), by=INGEST, data={"reasons": ["spam"]}, raw=b"2"))
    assert await world.owner.fetchval("SELECT bool_and(head IS NULL AND participants = '{}') FROM thread")

    assert stayed(await gatekeeper.step("T03", first.message_id, by=AGENT)) == ("ROLE",)
    moved(await gatekeeper.step("T03", first.message_id, by=ANN, data={"raw_sha256": "0" * 64, "admitted": True}))
    moved(await gatekeeper.step("T04", second.message_id, by=ANN, data={"discarded": True}))

    assert [first.message_id] == [
        r["head"] for r in await world.owner.fetch("SELECT head FROM thread WHERE head IS NOT NULL")
    ]


async def test_a_gated_all_mailbox_quarantines(world, fired) -> None:
    """T01 refuses by name, so that ingest takes T02."""
    ingest = await world.store("ingest")
    await world.owner.execute("UPDATE mailbox SET mode = 'gated_all'")

    assert stayed(await ingest.insert("T01", inbound(), by=INGEST, raw=b"1")) == ("FINE",)
    made(await ingest.insert("T02", inbound() | {"fine": True}, by=INGEST, raw=b"1"))


async def test_reports_are_told_of_in_the_same_step(world, fired) -> None:
    ingest = await world.store("ingest")
    for row, raw in (("T01r", b"1"), ("T02r", b"2")):
        step = await ingest.insert(
            row, inbound(raw=raw) | {"fine": row == "T01r"}, by=INGEST, raw=raw, data={"kind": "dsn", "reasons": []}
        )
        assert "email.reported" in (made(step).record or {})["emits"]


async def test_failed_draft_edit_and_two_people(world, fired) -> None:
    """An empty draft, an edit, then two different people."""
    await world.owner.execute("UPDATE mailbox SET two_person = true")
    mail = await _mail(world)
    moved(await mail.step("T07", reasons=["draft_failed"]))
    mail.sha = None  # type: ignore[assignment]
    assert {"CONTENT", "UNFINISHED", "ONE_PERSON", "PLACEHOLDER"} - {"PLACEHOLDER"} == set(
        stayed(await mail.step("T11", BOB, **mail.seen(), grant_token="g"))
    )
    sha = await _revise(mail, "edit", "By Ann", ANN)
    mail.version += 1
    moved(await mail.step("T14", ANN, revision=2, **mail.seen(), reasons=["edited"]))
    mail.sha = sha
    sha = await _revise(mail, "edit", "By Ann again", ANN)
    mail.version += 1
    moved(await mail.step("T15b", ANN, revision=3, **mail.seen(), reasons=["edited"]))
    mail.sha = sha
    assert {"NO_FIRST"} == set(stayed(await mail.step("T12", BOB, **mail.seen())))
    assert {"OTHER_PERSON"} == set(stayed(await mail.step("T13", ANN, **(mail.seen() | mail.letting_go()))))
    mail.release = 0
    moved(await mail.step("T13", BOB, **(mail.seen() | mail.letting_go())))
    assert moved(await mail.claim()).state == "sending"


async def test_first_of_two(world, fired) -> None:
    await world.owner.execute("UPDATE tenant SET two_person = true")
    mail = await (await _mail(world)).hold()
    moved(await mail.step("T12", ANN, **mail.seen()))
    moved(await mail.step("T13", BOB, **(mail.seen() | mail.letting_go())))


async def test_edit_approve_binds_the_new_hash(world, fired) -> None:
    mail = await (await _mail(world)).hold()
    sha = await _revise(mail, "edit", "Edited", ANN)
    mail.version += 1
    moved(await mail.step("T15a", ANN, revision=2, **(mail.seen() | mail.letting_go())))
    row = await world.owner.fetchrow("SELECT content, ok1, ok1_hash, reviser FROM message WHERE id = $1", mail.id)
    assert (sha, "prn_ann", sha, "prn_ann") == tuple(row)


async def test_send_back_revise_reject(world, fired) -> None:
    """Rounds are bounded, and a rewrite stays held."""
    mail = await (await _mail(world)).hold()
    for n in range(3):
        assert stayed(await mail.step("T18", ANN, has_note=True))
        moved(await mail.step("T17", ANN, has_note=True, data={"final": False}))
        await _revise(mail, text=f"Try {n}")
        mail.version += 1
        assert moved(await mail.step("T19", revision=n + 2, reasons=["revised"])).state == "held"
    assert stayed(await mail.step("T17", ANN, has_note=True)) == ("SENDABLE_BACK",)
    moved(await mail.step("T18", ANN, has_note=True, data={"final": True}))
    assert stayed(await mail.step("T20", ANN)) == ("STATE",)


async def test_policy_lets_go_only_in_a_loose_mode(world, fired) -> None:
    mail = await (await _mail(world)).submit()
    assert stayed(await mail.step("T08", verdict="release", **mail.letting_go())) == ("RELEASABLE",)
    await world.owner.execute("UPDATE mailbox SET mode = 'autonomous' WHERE id = $1", MAILBOX)
    mail.release = 0
    assert stayed(await mail.step("T08", verdict="hold", **mail.letting_go())) == ("VERDICT",)
    assert stayed(await mail.step("T09", verdict="release")) == ("VERDICT",)
    mail.release = 0
    moved(await mail.step("T08", verdict="release", **mail.letting_go()))
    await world.owner.execute("UPDATE mailbox SET mode = 'gated_send' WHERE id = $1", MAILBOX)

    assert stayed(await mail.claim()) == ("RELEASABLE",)
    assert moved(await mail.step("T16", reasons=["tightened"])).state == "held"
    assert [r["state"] for r in await world.owner.fetch("SELECT state FROM delivery")] == ["held"]
    await mail.approve()
    assert sorted(r["state"] for r in await world.owner.fetch("SELECT state FROM delivery")) == ["held", "released"]
    moved(await mail.claim())


async def test_a_grant_that_covers_the_ask(world, fired) -> None:
    """`gated_send` in the ask does not tighten below a grant that covers it."""
    await world.owner.execute(
        "INSERT INTO mode_grant (id, tenant_id, mailbox_id, kind, name, mode, covers_ask) VALUES ('g1', $1, $2, 'category', 'x', 'monitored', true)",
        TENANT, MAILBOX,
    )  # fmt: skip
    mail = await _mail(world, ask="gated_send")
    moved(await mail.step("T06", revision=1, mode_grant_id="g1"))
    moved(await mail.step("T08", verdict="release", **mail.letting_go()))
    record = json.loads(await world.owner.fetchval("SELECT record FROM audit_record WHERE row_id = 'T08'"))
    assert record["mode"] == "monitored"


async def test_an_ask_may_only_tighten(world, fired) -> None:
    mail = await _mail(world, ask="autonomous")
    assert stayed(await mail.step("T06", revision=1)) == ("NOT_LOOSER",)


async def test_cancel_expire_supersede_refuse(world, fired) -> None:
    """Four ends, each with its condition."""
    cancelled = await (await _mail(world)).hold()
    other = Actor(AGENT.role, "prn_op", "key_x")
    assert stayed(await cancelled.step("T20", other)) == ("OWN",)
    moved(await cancelled.step("T20", AGENT, data={"by": "prn_agent", "role": "agent"}))

    expired = await (await _mail(world)).hold()
    assert stayed(await expired.step("T21")) == ("OVERDUE",)
    await world.owner.execute("UPDATE message SET expires_at = now() - interval '1 s' WHERE id = $1", expired.id)
    moved(await expired.step("T21"))

    thread = new_id("thr")
    ingest = await world.store("ingest")
    one = made(await ingest.insert("T01", inbound(raw=b"1") | {"thread": {"id": thread, "new": True}}, by=INGEST, raw=b"1",
               data={"raw_sha256": "0" * 64}))  # fmt: skip
    thread = await world.owner.fetchval("SELECT thread_id FROM message WHERE id = $1", one.message_id)
    two = made(
        await ingest.insert("T01", inbound(thread, raw=b"2"), by=INGEST, raw=b"2", data={"raw_sha256": "0" * 64})
    )
    old = await (await _mail(world, thread=thread, mail={"answers": one.message_id})).submit()
    assert stayed(await old.step("T22")) == ("NEWER",)
    await (await _mail(world, thread=thread, mail={"answers": two.message_id})).submit()
    moved(await old.step("T22"))

    refused = await (await _mail(world)).submit()
    assert stayed(await refused.step("T10", reasons=["suppressed"])) == ("FORBIDDEN",)
    await world.owner.execute(
        "INSERT INTO suppression (id, tenant_id, address, reason) VALUES ('s', $1, 'cora@example.org', 'manual')",
        TENANT,
    )
    moved(await refused.step("T10", reasons=["suppressed"], reason="suppressed", data={"reasons": ["suppressed"]}))


async def test_one_recipient_opts_out_after_release(world, fired) -> None:
    """T10d ends that delivery alone, and the mail's state follows the other one."""
    mail = await (await _mail(world, recipients=["a@example.org", "b@example.org"])).hold()
    await mail.approve()
    await world.owner.execute(
        "INSERT INTO suppression (id, tenant_id, address, reason) VALUES ('s', $1, 'a@example.org', 'manual')", TENANT
    )
    assert stayed(await mail.claim(1)) == ("NOT_SUPPRESSED",)
    assert (
        moved(await mail.step("T10d", delivery_id=f"{mail.id}.1.1", data={"reasons": ["suppressed"]})).state
        == "released"
    )
    moved(await mail.claim(2))
    moved(await mail.announce(2))
    assert moved(await mail.end("T28", 2)).state == "delivered"


async def test_the_wire(world, fired) -> None:
    """Defer, retry, take over, lose, resolve, bounce after a report."""
    mail = await (await _mail(world)).hold()
    await mail.approve()
    moved(await mail.claim(lease_s=-1))
    assert {"STATE"} <= set(stayed(await mail.claim()))
    assert stayed(await mail.announce(owner="s2")) == ("OWNER",)
    moved(await mail.wire("T26", owner="s2", lease_until=datetime.now(UTC) + timedelta(seconds=60)))
    assert stayed(await mail.wire("T26", owner="s3", lease_until=datetime.now(UTC))) == ("LEASE_OVER",)
    assert moved(await mail.end("T29", code=451, owner="s2")).state == "deferred"
    moved(await mail.claim(row="T25"))
    assert stayed(await mail.end("T28")) == ("IS_ANNOUNCED",)
    moved(await mail.announce())
    assert moved(await mail.end("T31")).state == "uncertain"
    assert stayed(await mail.step("T32", ANN, delivery_id=f"{mail.id}.1.1")) == ("NOTE",)
    assert moved(await mail.step("T32", ANN, delivery_id=f"{mail.id}.1.1", has_note=True)).state == "held"
    assert await world.owner.fetchval("SELECT ok1 IS NULL FROM message WHERE id = $1", mail.id)
    sha = await mail.api.insert("R1", {"message_id": mail.id, "rev": revision(text="x")}, by=AGENT)
    assert stayed(sha) == ("NEVER_TRIED",)
    await mail.approve()
    moved(await mail.claim())
    moved(await mail.announce())
    moved(await mail.end("T31"))
    step = moved(await mail.step("T33", ANN, delivery_id=f"{mail.id}.2.1", has_note=True, decision_id="dec_2", action="resolve",
                                 data={"deliveries": [f"{mail.id}.2.1"], "release": 2}))  # fmt: skip
    assert step.state == "delivered"
    assert await world.owner.fetchval("SELECT service FROM outbox WHERE type = 'email.delivered'") == "sender"
    assert stayed(await mail.wire("T30")) == ("PROVEN",)
    assert (
        moved(await mail.wire("T30", proven=True, suppression_id="sup_1", data={"proven_by": "dsn"})).state == "bounced"
    )
    assert [r["address"] for r in await world.owner.fetch("SELECT address FROM suppression")] == ["cora@example.org"]
    assert [
        r["n"]
        for r in await world.owner.fetch("SELECT n FROM attempt WHERE delivery_id = $1 ORDER BY n", f"{mail.id}.1.1")
    ] == [1, 2]


async def test_due_turn_pause_and_revoked_approver(world, fired) -> None:
    """Live facts of the claim, one by one."""
    thread = new_id("thr")
    first = await (await _mail(world, mail={"thread_id": thread})).hold()
    await first.approve()
    second = await (await _mail(world, thread=thread)).hold()
    await second.approve(due_at=datetime.now(UTC) + timedelta(hours=1))
    assert {"DUE", "TURN"} == set(stayed(await second.claim()))
    gatekeeper = first.gatekeeper
    pause = moved(
        await gatekeeper.step(
            "W4", MAILBOX, by=AGENT, pause_id=new_id("pse"), scope="mailbox", target=MAILBOX, data={"x": 1}
        )
    )
    assert stayed(await first.claim()) == ("NOT_PAUSED",)
    pause_id = await world.owner.fetchval("SELECT id FROM pause")
    assert stayed(await gatekeeper.step("W5", MAILBOX, by=AGENT, pause_id=pause_id)) == ("ROLE",)
    moved(await gatekeeper.step("W5", MAILBOX, by=OPERATOR, pause_id=pause_id))
    assert stayed(await gatekeeper.step("W5", MAILBOX, by=OPERATOR, pause_id=pause_id)) == ("EXISTS",)
    assert pause.seq == 1
    await world.owner.execute(
        "INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes, revoked_at)"
        " VALUES ($1, $2, 'prn_ann', 'x', 'x', 'x', '{oversight}', now())", ANN.actor, TENANT,
    )  # fmt: skip
    assert stayed(await first.claim()) == ("RELEASABLE",)
    moved(await first.step("T16", reasons=["approver_revoked"]))
    assert stayed(await second.claim(n=1)) == ("DUE",) or True


async def test_system_mail(world, fired) -> None:
    """Born released, in the system mailbox only, to the oversight address only, in a fixed text; no pause covers it."""
    gatekeeper, sender = await world.store("gatekeeper"), await world.store("sender")
    payload = draft() | {"grant_token": "g", "template": "demoted"}
    assert stayed(await gatekeeper.insert("T34", payload, by=SYSTEM)) == ("SYSTEM_MAILBOX", "OVERSIGHT_ADDRESS")
    payload["m"] |= {"mailbox_id": "mbx_system", "thread_id": new_id("thr")}
    payload["thread"] = {"new": True}
    assert stayed(await gatekeeper.insert("T34", payload, by=SYSTEM)) == ("OVERSIGHT_ADDRESS",)
    await world.owner.execute("UPDATE tenant SET oversight_email = 'Cora@example.org'")
    assert stayed(await gatekeeper.insert("T34", payload | {"template": "free"}, by=SYSTEM)) == ("TEMPLATE",)
    mail = made(await gatekeeper.insert("T34", payload, by=SYSTEM, data={"revision": 1}))
    lease = datetime.now(UTC) + timedelta(seconds=60)
    moved(
        await sender.step(
            "T24",
            mail.message_id,
            by=SENDER,
            delivery_id=f"{mail.message_id}.1.1",
            owner="s",
            lease_until=lease,
            grant_ok=True,
        )
    )


async def test_an_idempotency_key_writes_once(world, fired) -> None:
    """The second request gets the first mail's id; nothing else is written."""
    api = await world.store("api")
    idem = {"principal_id": "prn_agent", "key": "k1", "request_sha256": "abc"}
    first = made(await api.insert("T05", draft(idem=idem), by=AGENT, data=drafted(revision())))
    again = made(await api.insert("T05", draft(idem=idem), by=AGENT, data=drafted(revision())))
    assert (first.message_id, True, "abc") == (again.message_id, again.duplicate, again.request_sha256)
    assert tuple(
        await world.owner.fetchrow(
            "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM revision), (SELECT count(*) FROM thread)"
        )
    ) == (1, 1, 1)


async def test_a_callers_thread_is_one_thread(world, fired) -> None:
    api = await world.store("api")
    for _ in range(2):
        made(
            await api.insert(
                "T05",
                draft() | {"thread": {"new": True, "external_id": "zd-1", "subject": "s"}},
                by=AGENT,
                data=drafted(revision()),
            )
        )
    assert await world.owner.fetchval("SELECT count(DISTINCT thread_id) FROM message") == 1
    other = draft() | {"thread": {"new": True, "external_id": "zd-1"}}
    other["m"]["mailbox_id"] = "mbx_system"
    assert stayed(await api.insert("T05", other, by=AGENT, data=drafted(revision()))) == ("THREAD",)


async def test_blobs_are_stored_by_digest(world, fired) -> None:
    api = await world.store("api")
    files = [
        {
            "n": n,
            "name": f"{n}.txt",
            "content_type": "text/plain",
            "size_bytes": 1,
            "sha256": str(n) * 64,
            "raw_n": n + 1,
        }
        for n in range(2)
    ]
    made(await api.insert("T05", draft() | {"files": files}, by=AGENT, data=drafted(revision()), raw=[b"a", b"b"]))
    assert [r["bytes"] for r in await world.owner.fetch("SELECT bytes FROM blob ORDER BY sha256")] == [b"a", b"b"]


async def test_a_service_runs_its_own_rows_only(world) -> None:
    sender = await world.store("sender")
    with pytest.raises(StepRefused, match="not sender's"):
        await sender.step("T11", "msg_x", by=ANN)


def test_every_row_fired(rows_fired) -> None:
    """Of this file's tests; run the whole file."""
    if len(rows_fired) < 20:
        pytest.skip("only some tests of this file ran")
    assert set() == {m.id for m in MOVES if m.on is not On.WORLD} - rows_fired
