"""Erasing a person on a real Postgres: their data goes, the log stays proven, a hold wins, what is open waits."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.integration.gatekeeper.house import ADA, House

from gatepost_contracts.canonical import canonical, sha256_hex
from gatepost_contracts.commands import ErasePerson, LiftHold, Pause, PlaceHold
from gatepost_gatekeeper.people import People
from gatepost_gatekeeper.receipts import Receipts
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_store.audit.export import whole_log
from gatepost_store.audit.sequencer import Sequencer
from gatepost_store.audit.verify_audit import verify

KEY = Ed25519PrivateKey.generate()
SECRET = "My account number is 4711 0815."


class Desk:
    """The people's desk over the house's database."""

    def __init__(self, house: House, **days: int | None) -> None:
        self.house, store = house, house.stores["gatekeeper"]
        self.sequencer = Sequencer(store, KEY, "gate.test", checkpoint_s=0)
        clocks: dict[str, Any] = {"mail_days": None, "webhook_days": None} | days
        self.people = People(WorldSteps(Steps(store)), Receipts(store, KEY), **clocks)

    async def erase(self, address: str = ADA, by: str = "operator") -> Any:
        return await self.people.erase(self.house.said(ErasePerson, by, address=address))

    async def log(self) -> bytes:
        while (placed := await self.sequencer.place(sign_now=True)) and placed.records:
            pass
        return "".join([line + "\n" async for line in whole_log(self.house.stores["gatekeeper"].reading)]).encode()

    async def written(self) -> str:
        """Everything that the database holds, but the log, as text."""
        tables = ("message", "revision", "delivery", "attempt", "decision", "thread", "raw", "attachment", "contact")
        found = [await self.house.owner.fetch(f"SELECT * FROM {table}") for table in tables]
        return repr([dict(row) for rows in found for row in rows])


@pytest.fixture
async def desk(house: House) -> Desk:
    await house.owner.execute("TRUNCATE audit_tree, audit_leaf, audit_node, audit_checkpoint, legal_hold")
    await house.owner.execute(
        "TRUNCATE audit_unplaced; INSERT INTO audit_unplaced (subject_id, seq)"
        " SELECT subject_id, seq FROM audit_record ORDER BY at, subject_id, seq"
    )
    desk = Desk(house)
    await desk.sequencer.place(sign_now=True)  # the log has its name
    return desk


async def story(house: House, sender: str) -> tuple[str, str]:
    """A mail of theirs and our answer, which a person rejected with a note: both have ended."""
    box = await house.mailbox("gated_send")
    mail = await house.inbound(box, SECRET, header_from=sender, envelope_from=sender, salt="5a" * 16)
    draft = await house.draft(mail, f"You said: {SECRET}", to=(sender,))
    assert (await house.decide(draft, "reject", note=f"do not repeat {SECRET}", final=True)).ok
    return mail["id"], draft


async def test_everything_of_the_person_goes_and_the_log_stays_proven(desk: Desk) -> None:
    """Records hold digests over content that carried its own salt: proofs hold, the digests say nothing."""
    house = desk.house
    mine, draft = await story(house, "eva.erase@customer.example")
    other, _ = await story(house, "otto.other@customer.example")
    before = await desk.log()
    sha = await house.owner.fetchval("SELECT content_sha256 FROM revision WHERE message_id = $1", draft)
    reply = await desk.erase("Eva.Erase@customer.example")

    assert (reply.ok, reply.extra["mails"], reply.extra["kept_by_hold"], reply.extra["not_ended"]) == (True, 2, 0, 0)
    text = await desk.written()
    assert "eva.erase" not in text.lower()
    assert await house.owner.fetchval("SELECT text FROM message WHERE id = $1", other) == SECRET
    assert {"", None} >= {await house.owner.fetchval("SELECT content FROM revision WHERE message_id = $1", draft)}
    assert await house.owner.fetchval("SELECT salt FROM message WHERE id = $1", mine) is None
    after = await desk.log()
    result = verify(after)
    assert result["records"] > verify(before)["records"]
    assert sha in after.decode()  # the digest is still there, and nothing is left that it could be held against
    assert "eva.erase" not in after.decode().lower()


async def test_the_certificate_says_whom_without_the_log_saying_it(desk: Desk) -> None:
    """The record holds a salted digest of the address; who holds the certificate can open it."""
    await story(desk.house, "cora.cert@customer.example")
    reply = await desk.erase("cora.cert@customer.example")
    given = reply.extra["certificate"]
    record = given["receipt"]["record"]

    assert record["data"]["person_sha256"] == sha256_hex(f"{given['salt']}\n{given['address']}")
    assert ("W16", "done", 2) == (record["row"], record["data"]["phase"], record["data"]["mails"])
    assert verify((canonical(given["receipt"]) + "\n").encode())["leaf"]
    content = await desk.log()
    assert verify(content, receipts=[given["receipt"]])["records"]
    assert given["salt"] not in content.decode()


@pytest.mark.parametrize("scope", ["person", "thread", "mailbox", "tenant"])
async def test_a_hold_wins_over_the_person_and_the_clock(desk: Desk, scope: str) -> None:
    """Until it is lifted; then the same request erases."""
    house = desk.house
    who = f"hilda.{scope}@customer.example"
    mine, _ = await story(house, who)
    row = await house.show(mine)
    target = {"person": who.upper(), "thread": row["thread_id"], "mailbox": row["mailbox_id"], "tenant": ""}[scope]
    hold = await desk.people.place_hold(house.said(PlaceHold, "operator", scope=scope, target=target, reason="case 12"))
    assert hold.ok
    clock = Desk(house, mail_days=1)
    await house.owner.execute("UPDATE message SET created_at = now() - interval '3 days' WHERE id = $1", mine)
    await clock.people.sweep()
    reply = await desk.erase(who)

    assert (0, 2) == (reply.extra["mails"], reply.extra["kept_by_hold"])
    assert SECRET == (await house.show(mine))["text"]
    assert who not in (await desk.log()).decode()
    assert (await desk.people.lift_hold(house.said(LiftHold, "operator", hold_id=hold.id))).ok
    assert 2 == (await desk.erase(who)).extra["mails"]


async def test_a_hold_keeps_what_was_only_drafted_to_the_person(desk: Desk) -> None:
    """A revision that went to somebody else in the end is theirs too: the erasure finds it, so the hold must."""
    house, who = desk.house, "rosa.revised@customer.example"
    mail = await house.inbound(await house.mailbox("gated_send"))
    draft = await house.draft(mail, to=(who,))
    await house.revise(draft, mail, "To somebody else.")
    assert (await house.decide(draft, "reject", final=True)).ok
    hold = await desk.people.place_hold(house.said(PlaceHold, "operator", scope="person", target=who, reason=""))
    kept = await desk.erase(who)
    assert (await desk.people.lift_hold(house.said(LiftHold, "operator", hold_id=hold.id))).ok

    assert ((0, 1), (1, 0)) == tuple(
        (reply.extra["mails"], reply.extra["kept_by_hold"]) for reply in (kept, await desk.erase(who))
    )


async def test_what_waits_is_not_erased(desk: Desk) -> None:
    """A held draft keeps what a person must decide on; the request says that it is left."""
    house = desk.house
    mail = await house.inbound(await house.mailbox("gated_send"), header_from="nora.now@customer.example")
    draft = await house.draft(mail, to=("nora.now@customer.example",))
    reply = await desk.erase("nora.now@customer.example")

    assert (1, 1) == (reply.extra["mails"], reply.extra["not_ended"])
    assert "held" == await house.state(draft)
    assert (await house.decide(draft, "approve")).ok


async def test_the_clock_erases_what_is_past_its_time(desk: Desk) -> None:
    """And leaves a record of how many."""
    house = desk.house
    old, _ = await story(house, "rita.retain@customer.example")
    young, _ = await story(house, "yan.young@customer.example")
    await house.owner.execute("UPDATE message SET created_at = now() - interval '40 days' WHERE id = $1", old)
    await Desk(house, mail_days=30).people.sweep()

    assert (None, SECRET) == ((await house.show(old))["text"], (await house.show(young))["text"])
    record = json.loads(await house.owner.fetchval(
        "SELECT record FROM audit_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1", house.tenant))  # fmt: skip
    assert ("W16", "system", "mail", 30) == (
        record["row"], record["role"], record["data"]["class"], record["data"]["after_days"],
    )  # fmt: skip


async def test_words_have_a_clock_of_their_own(desk: Desk) -> None:
    """What people wrote about a pause goes, the record that names it stays and says nothing."""
    house = desk.house
    for reason, days in (("Eva wrote nonsense", 40), ("today", 0)):
        pulled = house.said(Pause, "agent", scope="category", target="faq", reason=reason)
        assert (await house.world.pause(pulled)).ok
        await house.owner.execute(
            "UPDATE audit_words SET at = now() - make_interval(days => $2) WHERE tenant_id = $1 AND text = $3",
            house.tenant, days, reason,
        )  # fmt: skip
    await Desk(house, words_days=30).people.sweep()

    words = await house.owner.fetch("SELECT text FROM audit_words WHERE tenant_id = $1 ORDER BY text", house.tenant)
    assert ["faq", "faq", "today"] == [row["text"] for row in words]
    assert "nonsense" not in (log := (await desk.log()).decode())
    assert '"class":"words"' in log


@pytest.mark.parametrize("by", ["agent", "reviewer"])
async def test_only_an_operator_erases_or_holds(desk: Desk, by: str) -> None:
    """Neither the program that writes nor the person who decides."""
    hold = desk.house.said(PlaceHold, by, scope="tenant", target="", reason="")

    assert "scope_missing" == (await desk.erase(by=by)).code
    assert "scope_missing" == (await desk.people.place_hold(hold)).code


async def test_a_revision_can_only_be_emptied(desk: Desk) -> None:
    """Erasing needs a right on it; the right is good for nothing else."""
    _, draft = await story(desk.house, "mona.mend@customer.example")

    with pytest.raises(asyncpg.PostgresError, match="never changed"):
        await desk.house.owner.execute("UPDATE revision SET markdown = 'other' WHERE message_id = $1", draft)
