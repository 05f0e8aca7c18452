"""Two accounts in one installation: what one says of itself is recorded, seen and obeyed in that one alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.integration.gatekeeper.conftest import KEY
from tests.integration.gatekeeper.house import OVERSEER, House, house_of
from tests.integration.gatekeeper.test_oversight import events

from gatepost_contracts.commands import (
    ErasePerson,
    LiftHold,
    Pause,
    PlaceHold,
    RemoveSuppression,
    RequestUpgrade,
    Resume,
)
from gatepost_contracts.mailbox import MailboxPaused
from gatepost_gatekeeper.people import People
from gatepost_gatekeeper.receipts import Receipts
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Inserted, Moved
from gatepost_store.audit.scope import Scope

SENDER = Actor(Role.SYSTEM, None, "sender")


@pytest.fixture
async def other(house: House) -> AsyncIterator[House]:
    """A second account; the system mailbox is the first one's."""
    made = await house_of(house.owner, house.stores, KEY)
    first = await house.owner.fetchval("SELECT tenant_id FROM mailbox WHERE id = 'mbx_system'")
    assert first != made.tenant
    yield made


def people(house: House) -> People:
    store = house.stores["gatekeeper"]
    return People(
        WorldSteps(Steps(store)), Receipts(store, Ed25519PrivateKey.generate()), mail_days=None, webhook_days=None
    )


async def own_records(house: House) -> list[dict[str, Any]]:
    rows = await house.owner.fetch(
        "SELECT record, tenant_id FROM audit_record WHERE subject_id = $1 ORDER BY seq", house.tenant
    )
    assert {house.tenant} >= {row["tenant_id"] for row in rows}
    return [json.loads(row["record"]) for row in rows]


@pytest.mark.parametrize("scope", ["tenant", "agent", "category"])
async def test_a_stop_of_one_account_is_its_own(house: House, other: House, scope: str) -> None:
    """The row, the record, the event and what it stops; the neighbour sends on and sees nothing."""
    boxes = await house.mailbox("autonomous"), await other.mailbox("autonomous")
    target = {"tenant": "", "agent": other.keys["agent"][1], "category": "faq"}[scope]
    pulled = await other.world.pause(other.said(Pause, "agent", scope=scope, target=target))
    assert pulled.ok

    row = await house.owner.fetchrow("SELECT tenant_id, mailbox_id FROM pause WHERE id = $1", pulled.id)
    assert (other.tenant, "mbx_system") == tuple(row)
    assert [] == await own_records(house)
    (record,) = await own_records(other)
    assert ("W4", other.tenant, "mbx_system", 1) == (record["row"], record["tenant"], record["mailbox"], record["seq"])
    (told,) = await events(other, other.tenant, MailboxPaused)
    assert (other.tenant, pulled.id) == (told.tenant_id, told.pause_id)
    await other.desk.world_changed(told)
    assert [] == await events(house, boxes[0], MailboxPaused)
    assert 1 == len(await events(other, boxes[1], MailboxPaused))
    assert "released" == await house.state(await house.draft(await house.inbound(boxes[0]), category="faq"))
    assert "held" == await other.state(await other.draft(await other.inbound(boxes[1]), category="faq"))

    assert "not_found" == (await house.world.resume(house.said(Resume, "operator", pause_id=pulled.id))).code
    assert (await other.world.resume(other.said(Resume, "operator", pause_id=pulled.id))).ok
    assert ["W4", "W5"] == [record["row"] for record in await own_records(other)]
    assert [] == await own_records(house)


async def test_holds_and_erasures_of_one_account_are_its_own(house: House, other: House) -> None:
    """A hold keeps the data of its own account alone, and only that one can lift it."""
    held = await people(other).place_hold(other.said(PlaceHold, "operator", scope="person", target="eva@c.example"))
    assert (held.ok, other.tenant) == (
        True, await house.owner.fetchval("SELECT tenant_id FROM legal_hold WHERE id = $1", held.id),
    )  # fmt: skip
    erased = await people(other).erase(other.said(ErasePerson, "operator", address="eva@c.example"))

    assert "not_found" == (await people(house).lift_hold(house.said(LiftHold, "operator", hold_id=held.id))).code
    assert (await people(other).lift_hold(other.said(LiftHold, "operator", hold_id=held.id))).ok
    assert erased.ok
    assert ["W14", "W16", "W16", "W15"] == [record["row"] for record in await own_records(other)]
    assert [] == await own_records(house)


async def test_a_suppression_of_one_account_is_its_own(house: House, other: House) -> None:
    """Added by its agent, seen and lifted by its operator."""
    made = await other.stores["api"].insert(
        "W6", {"mailbox_id": "mbx_system", "tenant_id": other.tenant, "address": "x@y.example", "reason": "manual", "scope": "tenant"},
        by=Actor(Role.AGENT, other.keys["agent"][1], other.keys["agent"][0], "rest"),
    )  # fmt: skip
    assert isinstance(made, Inserted)

    nobody = await house.world.remove_suppression(house.said(RemoveSuppression, "operator", address="x@y.example"))
    assert "not_found" == nobody.code
    assert (await other.world.remove_suppression(other.said(RemoveSuppression, "operator", address="x@y.example"))).ok
    assert ["W6", "W7"] == [record["row"] for record in await own_records(other)]
    assert [] == await own_records(house)


async def test_an_export_of_one_account_names_no_other(house: House, other: House) -> None:
    """Each account's selection is gap-free by itself: no record is shared."""
    for one in (house, other):
        await one.world.pause(one.said(Pause, "agent", scope="tenant", target=""))
        await one.inbound(await one.mailbox("gated_send"))
    reader = house.stores["gatekeeper"].reading
    mine, theirs = [set(await Scope(tenant_id=one.tenant).subjects(reader)) for one in (house, other)]

    assert house.tenant in mine
    assert other.tenant in theirs
    assert not mine & theirs
    assert "mbx_system" not in mine | theirs
    bound = await Scope(tenant_id=other.tenant, mailbox_ids=("mbx_system", "mbx_none")).subjects(reader)
    assert [] == bound


# -- the oversight address -----------------------------------------------------------------------------------------


async def bounced_notice(house: House) -> str:
    """A code whose mail the other side refuses for good, which suppresses the address."""
    mailbox = await house.mailbox("gated_send")
    assert (await house.upgrades.request(house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored"))).ok
    mail = await house.owner.fetchval(
        "SELECT id FROM message WHERE tenant_id = $1 AND mailbox_id = 'mbx_system' ORDER BY id DESC LIMIT 1",
        house.tenant,
    )
    assert isinstance(await claimed(house, mail), Moved)
    step = await house.stores["sender"].step(
        "T30", mail, delivery_id=f"{mail}.1.1", by=SENDER, code=550, stage="rcpt", suppression_id="sup_" + mail[4:],
        data={"deliveries": [f"{mail}.1.1"], "release": 1, "code": 550, "bounce_type": "hard", "proven_by": "reply"},
    )  # fmt: skip
    assert isinstance(step, Moved)
    return mailbox


async def claimed(house: House, mail: str) -> Any:
    return await house.stores["sender"].step(
        "T24", mail, delivery_id=f"{mail}.1.1", by=SENDER, grant_ok=True, owner="s", lease_until=datetime.now(UTC)
    )


async def test_no_bounce_silences_the_oversight_address(house: House) -> None:
    """The address is suppressed for ordinary mail, and codes and notices still go there."""
    mailbox = await bounced_notice(house)
    assert 1 == await house.owner.fetchval(
        "SELECT count(*) FROM suppression WHERE tenant_id = $1 AND address = $2", house.tenant, OVERSEER
    )
    asked = await house.upgrades.request(house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored"))
    mail = await house.owner.fetchval(
        "SELECT id FROM message WHERE tenant_id = $1 AND mailbox_id = 'mbx_system' ORDER BY id DESC LIMIT 1",
        house.tenant,
    )
    await house.timers.sweep()

    assert asked.extra["last_bounce"]["code"] == 550
    assert isinstance(await claimed(house, mail), Moved)
    ordinary = await house.draft(await house.inbound(await house.mailbox("autonomous")), to=(OVERSEER,))
    assert "refused" == await house.state(ordinary)


async def test_no_agent_silences_the_oversight_address(house: House) -> None:
    """Anyone may suppress an address; that of the people who watch is not silenced by it."""
    await house.stores["api"].insert(
        "W6", {"mailbox_id": "mbx_system", "tenant_id": house.tenant, "address": OVERSEER, "reason": "manual", "scope": "tenant"},
        by=Actor(Role.AGENT, house.keys["agent"][1], house.keys["agent"][0], "rest"),
    )  # fmt: skip
    mailbox = await house.mailbox("gated_send")
    await house.upgrades.request(house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored"))
    mail = await house.owner.fetchval(
        "SELECT id FROM message WHERE tenant_id = $1 AND mailbox_id = 'mbx_system'", house.tenant
    )

    assert isinstance(await claimed(house, mail), Moved)
