"""The world rows on a real Postgres: modes, grants, rules, codes, stops, suppressions, endpoints; and lost answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gatepost_contracts.ids import new_id
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.move import On
from support.mails import (
    AGENT,
    ANN,
    INGEST,
    MAILBOX,
    OPERATOR,
    SYSTEM,
    TENANT,
    draft,
    drafted,
    inbound,
    made,
    moved,
    revision,
    stayed,
)  # fmt: skip


async def test_the_world(world, fired) -> None:
    """Modes, the two-person rule, suppressions, the scanner, endpoints."""
    gatekeeper, ingest, notifier = (
        await world.store("gatekeeper"),
        await world.store("ingest"),
        await world.store("notifier"),
    )
    assert stayed(await gatekeeper.step("W2", MAILBOX, by=AGENT, mode="monitored")) == ("LOWER",)
    moved(
        await gatekeeper.step(
            "W1", MAILBOX, by=OPERATOR, mode="monitored", data={"mode": "monitored", "previous": "gated_send"}
        )
    )
    assert stayed(await gatekeeper.step("W1", MAILBOX, by=ANN, mode="autonomous")) == ("ROLE",)
    assert stayed(await gatekeeper.step("W1", MAILBOX, by=OPERATOR, mode="autonomous", ceiling="gated_send")) == (
        "UP_TO_CEILING",
    )
    moved(
        await gatekeeper.step(
            "W2", MAILBOX, by=AGENT, mode="gated_send", data={"mode": "gated_send", "previous": "monitored"}
        )
    )
    moved(
        await gatekeeper.step(
            "W9", MAILBOX, by=SYSTEM, mode="gated_all", data={"mode": "gated_all", "previous": "gated_send"}
        )
    )
    moved(await gatekeeper.step("W3", MAILBOX, by=OPERATOR, on=True))
    moved(await gatekeeper.step("W8", MAILBOX, by=SYSTEM, on=True))
    assert tuple(
        await world.owner.fetchrow("SELECT mode, two_person, policy_block FROM mailbox WHERE id = $1", MAILBOX)
    ) == ("gated_all", True, True)

    payload = {
        "mailbox_id": MAILBOX,
        "address": "x@y.org",
        "reason": "unsubscribed",
        "scope": "mailbox",
        "emits": ["email.unsubscribed"],
    }
    first = made(await ingest.insert("W6", payload, by=INGEST, data={"how": "link"}))
    again = made(await ingest.insert("W6", payload, by=INGEST, data={"how": "link"}))
    assert (first.duplicate, again.duplicate) == (False, True)
    made(
        await ingest.insert(
            "W6",
            payload | {"address": "z@y.org", "emits": ["email.complained"], "reason": "complained"},
            by=INGEST,
            data={"how": "arf"},
        )
    )
    made(await ingest.insert("W6", payload | {"address": "m@y.org", "emits": [], "reason": "manual"}, by=INGEST))
    assert stayed(await gatekeeper.step("W7", MAILBOX, by=AGENT, address="x@y.org")) == ("ROLE",)
    moved(await gatekeeper.step("W7", MAILBOX, by=OPERATOR, address="x@y.org"))
    assert await world.owner.fetchval("SELECT count(*) FROM suppression") == 2

    endpoint = new_id("whk")
    await world.owner.execute(
        "INSERT INTO endpoint (id, tenant_id, url, events, secret_sealed, secret_hint) VALUES ($1, $2, 'u', '{}', '', '')",
        endpoint,
        TENANT,
    )
    moved(await notifier.step("N2", MAILBOX, by=SYSTEM, endpoint_id=endpoint))
    moved(await notifier.step("N1", MAILBOX, by=SYSTEM, endpoint_id=endpoint, reason="gone"))
    assert stayed(await notifier.step("N1", MAILBOX, by=SYSTEM, endpoint_id=endpoint, reason="gone")) == ("EXISTS",)


async def test_grants_are_raised_by_operators_and_lowered_by_anyone(world, fired) -> None:
    """And a grant keeps its id, so that what was released under it stays under it."""
    gatekeeper = await world.store("gatekeeper")

    async def grant(row: str, by: Any, mode: str, **more: Any) -> Any:
        return await gatekeeper.step(
            row, MAILBOX, by=by, mode_grant_id=new_id("grt"), kind="category", name="faq", mode=mode, **more
        )

    assert stayed(await grant("W1g", AGENT, "monitored")) == ("ROLE",)
    assert stayed(await grant("W2g", AGENT, "monitored")) == ("LOWER",)
    moved(await grant("W1g", OPERATOR, "monitored", covers_ask=True))
    first = await world.owner.fetchrow("SELECT * FROM mode_grant")
    moved(await grant("W1g", OPERATOR, "autonomous", covers_ask=True))
    moved(await grant("W2g", AGENT, "monitored"))
    again = await world.owner.fetchrow("SELECT * FROM mode_grant")
    assert (first["id"], 3, "monitored", True) == (again["id"], again["revision"], again["mode"], again["covers_ask"])
    assert stayed(await grant("W2g", AGENT, "monitored", covers_ask=True)) == ("LOWER",)
    moved(await grant("W9g", SYSTEM, "gated_send"))
    assert stayed(await gatekeeper.step("W2r", MAILBOX, by=AGENT, kind="category", name="none")) == ("EXISTS",)
    moved(await gatekeeper.step("W1r", MAILBOX, by=OPERATOR, kind="category", name="faq"))
    assert stayed(await gatekeeper.step("W1r", MAILBOX, by=OPERATOR, kind="category", name="faq")) == ("EXISTS",)
    moved(await grant("W1g", OPERATOR, "monitored"))
    moved(await gatekeeper.step("W2r", MAILBOX, by=AGENT, kind="category", name="faq"))
    assert await world.owner.fetchval("SELECT count(*) FROM mode_grant WHERE revoked_at IS NULL") == 0


async def test_nobody_but_an_operator_grants_what_would_outlast_a_tightening(world, fired) -> None:
    """A grant equal to a loose mailbox's mode would stay loose when the mailbox is tightened."""
    gatekeeper = await world.store("gatekeeper")
    moved(await gatekeeper.step("W1", MAILBOX, by=OPERATOR, mode="monitored"))

    equal = await gatekeeper.step(
        "W2g", MAILBOX, by=AGENT, mode_grant_id=new_id("grt"), kind="category", name="faq", mode="monitored"
    )
    gated = await gatekeeper.step(
        "W2g", MAILBOX, by=AGENT, mode_grant_id=new_id("grt"), kind="category", name="faq", mode="gated_send"
    )

    assert stayed(equal) == ("LOWER",)
    moved(gated)
    assert stayed(await gatekeeper.step("W2r", MAILBOX, by=AGENT, kind="category", name="faq")) == ("LOWER",)


async def test_giving_up_a_grant_never_lets_the_mailbox_cover_the_ask(world, fired) -> None:
    """A mailbox that covers the ask is looser than a grant of the same mode that does not."""
    gatekeeper = await world.store("gatekeeper")
    moved(await gatekeeper.step("W1", MAILBOX, by=OPERATOR, mode="monitored", covers_ask=True))
    grant = {"kind": "category", "name": "refunds"}
    moved(await gatekeeper.step("W1g", MAILBOX, by=OPERATOR, mode_grant_id=new_id("grt"), mode="monitored", **grant))

    assert stayed(await gatekeeper.step("W2r", MAILBOX, by=AGENT, **grant)) == ("LOWER",)
    moved(await gatekeeper.step("W1r", MAILBOX, by=OPERATOR, **grant))


async def test_a_rule_is_a_row_with_a_revision(world, fired) -> None:
    gatekeeper = await world.store("gatekeeper")
    for conditions in ({"words": ["parcel"]}, {"words": ["parcel", "where"]}, None):
        moved(
            await gatekeeper.step("W10", MAILBOX, by=OPERATOR, name="faq", conditions=conditions, priority=5)
        )  # fmt: skip
    assert stayed(await gatekeeper.step("W10", MAILBOX, by=AGENT, name="faq", conditions={})) == ("ROLE",)

    rows = await world.owner.fetch("SELECT revision, conditions IS NULL AS gone FROM category_rule ORDER BY revision")
    assert [(1, False), (2, False), (3, True)] == [tuple(row) for row in rows]


async def test_a_code_raises_the_mode_once(world, fired) -> None:
    """Three codes an hour; a used, old or unknown one raises nothing, and only an operator redeems."""
    gatekeeper = await world.store("gatekeeper")
    requests = [new_id("upg") for _ in range(4)]

    async def ask(request: str) -> Any:
        return await gatekeeper.step(
            "W11", MAILBOX, by=AGENT, request_id=request, mode="monitored", code_sha256="0" * 64,
            expires_at=datetime.now(UTC) + timedelta(hours=24),
        )  # fmt: skip

    async def redeem(request: str, by: Any = OPERATOR, **more: Any) -> Any:
        told = {"request_id": request, "mode": "monitored", "code_ok": True} | more
        return await gatekeeper.step("W12", MAILBOX, by=by, **told)

    for request in requests[:3]:
        moved(await ask(request))
    assert stayed(await ask(requests[3])) == ("RATE",)
    assert stayed(await redeem(requests[0], AGENT)) == ("ROLE",)
    assert stayed(await redeem(requests[0], code_ok=False)) == ("CODE",)
    await world.owner.execute("UPDATE mailbox SET ceiling = 'gated_send' WHERE id = $1", MAILBOX)
    assert stayed(await redeem(requests[0], ceiling="autonomous")) == ("UP_TO_CEILING",)  # a code raises no ceiling
    await world.owner.execute("UPDATE mailbox SET ceiling = 'autonomous' WHERE id = $1", MAILBOX)
    assert stayed(await redeem(requests[0], mode="autonomous")) == ("CODE",)
    listing = {"kind": "allowlist", "name": "*@x.example", "mode_grant_id": "mgr_1", "request_id": requests[0],
               "mode": "monitored", "code_ok": True}  # fmt: skip
    assert stayed(await gatekeeper.step("W12g", MAILBOX, by=OPERATOR, **listing)) == (
        "CODE",
    )  # it was asked of the mailbox
    moved(await redeem(requests[0], covers_ask=True))
    assert stayed(await redeem(requests[0])) == ("CODE",)
    await world.owner.execute(
        "UPDATE upgrade_request SET pattern = '*@x.example', redeemed_at = NULL WHERE id = $1", requests[0]
    )
    assert stayed(await redeem(requests[0])) == ("CODE",)
    assert stayed(await gatekeeper.step("W12g", MAILBOX, by=AGENT, **listing)) == ("ROLE",)
    moved(await gatekeeper.step("W12g", MAILBOX, by=OPERATOR, **listing))
    assert stayed(await gatekeeper.step("W12g", MAILBOX, by=OPERATOR, **listing)) == ("CODE",)
    assert await world.owner.fetchval("SELECT count(*) FROM mode_grant WHERE kind = 'allowlist'") == 1
    await world.owner.execute("UPDATE upgrade_request SET expires_at = now() WHERE id = $1", requests[1])
    await world.owner.execute("UPDATE upgrade_request SET tries = 6 WHERE id = $1", requests[2])
    assert [stayed(await redeem(request)) for request in requests[1:]] == [("CODE",)] * 3
    assert ("monitored", True) == tuple(await world.owner.fetchrow(
        "SELECT mode, covers_ask FROM mailbox WHERE id = $1", MAILBOX
    ))  # fmt: skip


async def test_stops_are_told_without_touching_them(world, fired) -> None:
    gatekeeper = await world.store("gatekeeper")
    moved(
        await gatekeeper.step(
            "W4", "mbx_system", by=AGENT, pause_id="pse_1", scope="tenant", target=TENANT, tenant_id=TENANT
        )
    )
    moved(await gatekeeper.step("W4t", MAILBOX, by=SYSTEM, command_id="cmd_told"))
    assert moved(await gatekeeper.step("W4t", MAILBOX, by=SYSTEM, command_id="cmd_told")).already
    moved(await gatekeeper.step("W5", "mbx_system", by=OPERATOR, pause_id="pse_1", tenant_id=TENANT))
    moved(await gatekeeper.step("W5t", MAILBOX, by=SYSTEM))
    assert await world.owner.fetchval("SELECT count(*) FROM pause") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM audit_record WHERE subject_id = $1", MAILBOX) == 2


async def _answers_are_lost(store: Any, times: int = 1) -> None:
    """The next commits happen, and the connection breaks before their answers come."""
    writer, once = store._writer, store._writer._once
    left = times

    async def lossy(units: Any, gone: Any) -> Any:
        nonlocal left
        rows = await once(units, gone)
        if left and units:
            left -= 1
            raise asyncpg.ConnectionDoesNotExistError("the connection was closed in the middle of operation")
        return rows

    writer._once = lossy


async def test_a_revision_whose_answer_was_lost_is_written_once(world) -> None:
    """The commit stands; the second try finds it by its command."""
    api = await world.store("api")
    payload = draft()
    made(await api.insert("T05", payload, by=AGENT, data=drafted(payload["rev"])))
    rev = revision(text="Better")
    await _answers_are_lost(api)

    second = made(await api.insert("R1", {"message_id": payload["m"]["id"], "rev": rev}, by=AGENT, data=drafted(rev)))

    assert second.record["data"]["revision"] == 2
    assert await world.owner.fetchval("SELECT count(*) FROM revision") == 2
    assert await world.owner.fetchval("SELECT count(*) FROM audit_record WHERE row_id = 'R1'") == 1


async def test_a_suppression_whose_answer_was_lost_is_told_once(world) -> None:
    ingest = await world.store("ingest")
    payload = {"mailbox_id": MAILBOX, "address": "x@y.org", "reason": "unsubscribed", "scope": "mailbox",
               "emits": ["email.unsubscribed"]}  # fmt: skip
    await _answers_are_lost(ingest)

    made(await ingest.insert("W6", payload, by=INGEST, data={"how": "link"}))

    assert await world.owner.fetchval("SELECT count(*) FROM suppression") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM audit_record WHERE row_id = 'W6u'") == 1
    assert await world.owner.fetchval("SELECT count(*) FROM outbox WHERE type = 'email.unsubscribed'") <= 1


async def test_holds_are_placed_lifted_and_erasures_told(world, fired) -> None:
    """By operators; a clock may erase, and nobody lifts a hold twice."""
    gatekeeper = await world.store("gatekeeper")
    hold = {"request_id": new_id("hld"), "scope": "tenant", "target": TENANT}
    assert stayed(await gatekeeper.step("W14", MAILBOX, by=ANN, **hold)) == ("ROLE",)
    moved(await gatekeeper.step("W14", MAILBOX, by=OPERATOR, **hold))
    moved(await gatekeeper.step("W15", MAILBOX, by=OPERATOR, request_id=hold["request_id"]))
    assert stayed(await gatekeeper.step("W15", MAILBOX, by=OPERATOR, request_id=hold["request_id"])) == ("EXISTS",)
    assert stayed(await gatekeeper.step("W16", MAILBOX, by=AGENT, data={"phase": "done"})) == ("ROLE",)
    moved(await gatekeeper.step("W16", MAILBOX, by=SYSTEM, data={"phase": "done"}))
    assert await world.owner.fetchval("SELECT lifted_at IS NOT NULL FROM legal_hold")


async def test_mails_move_to_another_thread_once_they_are_settled(world, fired) -> None:
    """By a person; what is open stays where it was approved, and no move is undone twice."""
    ingest, gatekeeper, api = [await world.store(name) for name in ("ingest", "gatekeeper", "api")]
    mail = inbound(raw=b"1")
    made(await ingest.insert("T01", mail, by=INGEST, data={"raw_sha256": mail["m"]["raw_sha256"]}, raw=b"1"))
    source, target = mail["m"]["thread_id"], new_id("thr")

    async def move(by: Any, kind: str, name: str, into: str, reason: str | None = None) -> Any:
        return await gatekeeper.step(
            "W13", MAILBOX, by=by, kind=kind, name=name, target=into, request_id=new_id("tmv"), reason=reason
        )

    assert stayed(await move(AGENT, "split", source, target)) == ("ROLE",)
    assert stayed(await move(ANN, "merge", source, target)) == ("EXISTS",)  # there is no such thread yet
    moved(await move(ANN, "split", source, target))
    assert await world.owner.fetchval("SELECT thread_id FROM message") == target
    first = await world.owner.fetchval("SELECT id FROM thread_move")
    moved(await move(ANN, "undo", target, source, first))
    assert stayed(await move(ANN, "undo", target, source, first)) == ("EXISTS",)
    payload = draft()
    payload["m"]["thread_id"], payload["thread"] = source, {}
    made(await api.insert("T05", payload, by=AGENT, data=drafted(payload["rev"])))
    assert stayed(await move(ANN, "merge", source, target)) == ("SETTLED",)


def test_every_world_row_fired(rows_fired) -> None:
    """Of this file's tests; run the whole file."""
    if len(rows_fired) < 10:
        pytest.skip("only some tests of this file ran")
    assert set() == {m.id for m in MOVES if m.on is On.WORLD} - rows_fired
