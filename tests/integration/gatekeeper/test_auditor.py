"""The live auditor on a real Postgres: silent while all is well, loud at the first deviation, whoever made it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.integration.gatekeeper.house import OVERSEER, House

from gatepost_contracts.canonical import canonical
from gatepost_contracts.commands import Pause
from gatepost_gatekeeper.auditor import Auditor
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.telling import Telling
from gatepost_store.audit.sequencer import Sequencer

KEY = Ed25519PrivateKey.generate()
pytestmark = pytest.mark.by_hand


class Watch:
    """The auditor, the sequencer before it, and the hand in the database."""

    def __init__(self, house: House) -> None:
        self.house, store = house, house.stores["gatekeeper"]
        self.registry = CollectorRegistry()
        self.sequencer = Sequencer(store, KEY, "gate.test", checkpoint_s=0)
        telling = Telling(Steps(store), Notices(Steps(store), Grants(KEY, 432_000)))
        self.auditor = Auditor(store, self.registry, interval_s=1, round_size=10_000, alert=telling.deviation)

    async def look(self) -> list[Any]:
        """Everything placed, replayed and compared once; what was told."""
        with capture_logs() as told:
            while (placed := await self.sequencer.place()) and placed.records:
                pass
            while await self.auditor.follow():
                pass
            await self.auditor.round()
        return [entry for entry in told if entry["log_level"] == "error"]

    @property
    def count(self) -> float:
        return self.registry.get_sample_value("gatepost_audit_deviations_total") or 0

    async def by_hand(self, sql: str, *args: Any) -> None:
        async with self.house.owner.transaction():
            await self.house.owner.execute("SET LOCAL session_replication_role = replica")
            await self.house.owner.execute(sql, *args)

    async def forge(self, message: str, **changes: Any) -> None:
        """A record that no step wrote, after the newest one of this mail, and the version that fits it."""
        owner = self.house.owner
        row = await owner.fetchrow(
            "SELECT * FROM audit_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1", message
        )  # fmt: skip
        record = json.loads(row["record"]) | {"seq": row["seq"] + 1} | changes
        await self.by_hand(
            "INSERT INTO audit_record (subject_id, seq, tenant_id, mailbox_id, row_id, record, leaf)"
            " VALUES ($1, $2, $3, $4, $5, $6, '')", message, record["seq"], row["tenant_id"], row["mailbox_id"],
            record["row"], canonical(record),
        )  # fmt: skip
        await self.by_hand("INSERT INTO audit_unplaced (subject_id, seq) VALUES ($1, $2)", message, record["seq"])
        await self.by_hand(
            "UPDATE message SET version = $2, state = $3, last_row = $4 WHERE id = $1",
            message, record["seq"], record["to"], record["row"],
        )  # fmt: skip


@pytest.fixture
async def watch(house: House) -> AsyncIterator[Watch]:
    watch = Watch(house)
    await house.owner.execute("TRUNCATE audit_tree, audit_leaf, audit_node, audit_checkpoint, audit_unplaced")
    await house.owner.execute("INSERT INTO audit_unplaced (subject_id, seq) SELECT subject_id, seq FROM audit_record"
                              " ORDER BY at, seq ON CONFLICT DO NOTHING")  # fmt: skip
    await watch.look()  # what earlier tests of this database left
    watch.before = watch.count  # type: ignore[attr-defined]
    yield watch


async def held(house: House) -> str:
    mail = await house.inbound(await house.mailbox("gated_send"))
    return await house.draft(mail)


async def test_it_is_silent_while_all_is_well(watch: Watch) -> None:
    """Holds, approvals, rejections, rewrites: no false alarm, and nothing is left behind."""
    house = watch.house
    for action in ("approve", "reject"):
        assert (await house.decide(await held(house), action)).ok
    await house.cancel(await held(house))

    assert [] == await watch.look()
    assert [] == await watch.look()
    size, audited = await house.owner.fetchrow("SELECT size, audited FROM audit_tree")
    assert size == audited > 0


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE message SET state = 'released' WHERE id = $1",
        "UPDATE message SET ok1 = 'prn_x', ok1_hash = content WHERE id = $1",
        "UPDATE message SET recipients = '{eve@elsewhere.example}' WHERE id = $1",
        "UPDATE revision SET content = replace(content, 'way', 'WAY') WHERE message_id = $1",
        "UPDATE message SET version = version + 1 WHERE id = $1",
        "DELETE FROM audit_record WHERE subject_id = $1",
    ],
)
async def test_a_row_edited_by_hand_is_found(watch: Watch, edit: str) -> None:
    """No record speaks of it, so the rounds find it; it is told once."""
    message = await held(watch.house)
    assert [] == await watch.look()
    await watch.by_hand(edit, message)
    told = await watch.look()

    assert [message] == [entry["subject"] for entry in told]
    assert watch.before + 1 == watch.count  # type: ignore[attr-defined]
    assert [] == await watch.look()


@pytest.mark.parametrize("table", ["mailbox", "tenant"])
@pytest.mark.parametrize("edit", ["version = version + 1", "last_row = 'W5'", "version = 0"])
async def test_a_mailbox_or_account_edited_by_hand_is_found(watch: Watch, table: str, edit: str) -> None:
    """They carry the records of modes, pauses and holds."""
    house = watch.house
    box = await house.mailbox("gated_send")
    scope, subject = ("mailbox", box) if table == "mailbox" else ("tenant", house.tenant)
    assert (await house.world.pause(house.said(Pause, "agent", scope=scope, target=subject))).ok
    assert [] == await watch.look()
    await watch.by_hand(f"UPDATE {table} SET {edit} WHERE id = $1", subject)

    assert [subject] == [entry["subject"] for entry in await watch.look()]


async def test_the_first_deviation_of_a_day_is_mailed_to_the_oversight_address(watch: Watch) -> None:
    """Beside the error in the log and the count: somebody who is not looking is told, once."""
    house = watch.house
    for _ in range(2):
        await watch.by_hand("UPDATE message SET state = 'released' WHERE id = $1", message := await held(house))
        assert [message] == [entry["subject"] for entry in await watch.look()]

    rows = await house.owner.fetch(
        "SELECT m.id, m.recipients, r.markdown FROM message m JOIN revision r ON r.message_id = m.id"
        " WHERE m.tenant_id = $1 AND m.mailbox_id = 'mbx_system'", house.tenant,
    )  # fmt: skip
    assert [[OVERSEER]] == [row["recipients"] for row in rows]
    assert "msg_" in rows[0]["markdown"]


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        ({"row": "T28", "event": "accepted", "role": "system", "from": "sending", "to": "delivered"}, "T28"),
        ({"row": "T11", "event": "approve", "role": "agent", "from": "held", "to": "released"}, "role agent"),
        ({"row": "T11", "event": "approve", "role": "reviewer", "from": "held", "to": "released"}, "NOT_AUTHOR"),
        ({"row": "T08", "event": "pass", "role": "system", "from": "drafted", "to": "released"}, "it was held"),
        ({"row": "T99", "event": "beam", "from": "held", "to": "released"}, "no row T99"),
    ],
)
async def test_a_step_that_the_table_forbids_is_found_at_once(watch: Watch, forged: dict[str, Any], why: str) -> None:
    """Whoever wrote it: a broken service, or somebody with its password."""
    message = await held(watch.house)
    author = (await watch.house.show(message))["author"]
    await watch.forge(message, **({"principal": author, "mode": "gated_send"} | forged))
    told = await watch.look()

    assert [message] == [entry["subject"] for entry in told]
    assert why in told[0]["why"]
