"""The same event twice changes nothing, for every consumer.

The broker delivers at least once: after a crash, a restart, an ack that was lost. One case per durable and event type of
every service's own rows; a row without a case fails. Each case makes a real situation on a real Postgres, lets the handler
see its event, and compares every table and everything that was published before and after it sees it again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.integration.drafter.conftest import Drafting
from tests.integration.gatekeeper.house import ADA, House, house_of

from gatepost_contracts.catalogue import CONSUMERS, EVENTS_BY_TYPE
from gatepost_contracts.commands import SetMode
from gatepost_contracts.event import Event
from gatepost_contracts.ids import new_id
from gatepost_contracts.records import event_from_record
from gatepost_notifier.desk import Desk as Notices
from gatepost_runtime.keys import make_keys
from gatepost_store import Queries, Store
from support.cluster import PASSWORD, Cluster
from support.documents import rows_of
from support.lone_sender import lone_sender
from support.mailroom import TENANT, Mailroom
from support.released import World
from support.runtime import eventually
from support.smtp_peer import Peer

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
Handler = Callable[[Any], Awaitable[Any]]
Situation = tuple[Handler, Event]


@dataclass
class Stage:
    """Every service's parts on one database."""

    room: Mailroom
    keys: Path
    monkeypatch: pytest.MonkeyPatch
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def drafting(self) -> Drafting:
        made = Drafting(self.room)
        await made.start()
        self.stack.push_async_callback(made.close)
        return made

    async def house(self) -> House:
        owner = await asyncpg.connect(self.room.postgres.url())
        self.stack.push_async_callback(owner.close)
        stores: dict[str, Store] = {}
        for name in ("gatekeeper", "api", "ingest"):
            stores[name] = await self.room.store(name)
            stores[name].queries = Queries.of("gatepost_gatekeeper")
        return await house_of(owner, stores, Ed25519PrivateKey.generate())

    async def sender(self) -> tuple[World, Peer, Any]:
        url = self.room.postgres.url("gp_sender", PASSWORD)
        peer = await self.stack.enter_async_context(Peer())
        for name, value in {
            "GATEPOST_ENV": "dev", "GATEPOST_DATABASE_URL": url, "GATEPOST_KEYS_DIR": str(self.keys / "sender"),
            "GATEPOST_NATS_URL": "nats://127.0.0.1:1", "GATEPOST_SENDER_RELAY_HOST": "127.0.0.1",
            "GATEPOST_SENDER_RELAY_PORT": str(peer.port), "GATEPOST_SENDER_POLL_S": "60",
            "GATEPOST_SENDER_DKIM_RECORDS_FILE": str(self.keys / "dkim.json"),
        }.items():  # fmt: skip
            self.monkeypatch.setenv(name, value)
        lone = await self.stack.enter_async_context(lone_sender())
        if not self.room.sql("SELECT 1 FROM tenant WHERE id = 'ten_01JD0000000000000000000000';"):
            self.room.insert("tenant", id="ten_01JD0000000000000000000000", name="Acme", slug="other")
        return World(self.room.postgres, self.keys, url), peer, lone

    def event(self, subject: str, event_type: str) -> Event:
        """The event that a record of this subject makes."""
        rows = self.room.rows(f"SELECT record FROM audit_record WHERE subject_id = '{subject}' ORDER BY seq DESC")
        records = [json.loads(row["record"]) for row in rows]
        return event_from_record(next(r for r in records if event_type in r["emits"]), event_type)

    async def everything(self) -> dict[str, Any]:
        """What stands in every table once what was decided has been published."""
        await eventually(lambda: not self.room.rows("SELECT id FROM outbox"), "an empty outbox")
        names = self.room.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        parts = " UNION ALL ".join(
            f"SELECT '{t['tablename']}' AS name, count(*) AS n, md5(string_agg(t::text, '|' ORDER BY t::text)) AS sum"
            f" FROM {t['tablename']} t" for t in names
        )  # fmt: skip
        found = {row["name"]: (row["n"], row["sum"]) for row in self.room.rows(parts)}
        return found | {"published": len(self.room.events)}


# -- one function per case: make the situation, say who handles which event of it ----------------------------------------


async def drafter_received(stage: Stage) -> Situation:
    drafting = await stage.drafting()
    mail = await drafting.write(stage.room.mailbox(), "How long does delivery take?")
    return drafting.desk.received, stage.event(mail["id"], "email.received")


async def drafter_rejected(stage: Stage) -> Situation:
    drafting = await stage.drafting()
    box = stage.room.mailbox()
    mail = await drafting.write(box, "How long does delivery take?")
    await drafting.desk.received(stage.event(mail["id"], "email.received"))
    (draft,) = drafting.drafts(box)
    stage.room.sql(
        f"UPDATE message SET state = 'revising', revision = 1, decided_at = now() WHERE id = '{draft['message']}'"
    )
    stage.room.insert(
        "decision", id=new_id("evt"), tenant_id=TENANT, mailbox_id=box["id"], message_id=draft["message"], seq=11,
        action="send_back", principal="prn_reviewer", door="rest", note="Say it shorter.",
    )  # fmt: skip
    event = EVENTS_BY_TYPE["email.rejected"].model_validate(
        golden("email.rejected") | {"message_id": draft["message"], "subject_id": draft["message"],
                                    "thread_id": draft["thread_id"], "revision": 1, "final": False}
    )  # fmt: skip
    return drafting.desk.rejected, event


async def gatekeeper_drafted(stage: Stage) -> Situation:
    house = await stage.house()
    message = await house.draft(await house.inbound(await house.mailbox("gated_send")), judge=False)
    return house.desk.review, stage.event(message, "email.drafted")


async def gatekeeper_received(stage: Stage) -> Situation:
    house = await stage.house()
    mail = await house.inbound(await house.mailbox("gated_send"))
    older = await house.draft(mail)
    newer_mail = await house.inbound(mail["mailbox_id"], thread=mail["thread_id"])
    await house.draft(newer_mail)
    # as if nobody had looked: the older draft waits still
    stage.room.sql(f"UPDATE message SET state = 'held' WHERE id = '{older}'")
    return house.desk.customer_wrote_again, stage.event(newer_mail["id"], "email.received")


async def _released(house: House) -> tuple[str, str]:
    mailbox = await house.mailbox("monitored", undo_window_s=3600)
    message = await house.draft(await house.inbound(mailbox))
    assert await house.state(message) == "released"
    return mailbox, message


async def gatekeeper_mode_changed(stage: Stage) -> Situation:
    house = await stage.house()
    mailbox, _ = await _released(house)
    said = house.said(SetMode, "operator", mailbox_id=mailbox, mode="gated_send", why="careful")
    assert (await house.world.set_mode(said)).ok
    return house.desk.world_changed, stage.event(mailbox, "mailbox.mode_changed")


def opted_out(event_type: str, how: str) -> Callable[[Stage], Awaitable[Situation]]:
    async def make(stage: Stage) -> Situation:
        house = await stage.house()
        mailbox, _ = await _released(house)
        suppression = new_id("sup")
        await house.owner.execute(
            "INSERT INTO suppression (id, tenant_id, address, reason) VALUES ($1, $2, $3, 'unsubscribed')",
            suppression, house.tenant, ADA,
        )  # fmt: skip
        event = EVENTS_BY_TYPE[event_type].model_validate(
            golden(event_type) | {"suppression_id": suppression, "mailbox_id": mailbox, "how": how}
        )
        return house.desk.world_changed, event

    return make


def pause(event_type: str) -> Callable[[Stage], Awaitable[Situation]]:
    async def make(stage: Stage) -> Situation:
        house = await stage.house()
        mailbox, _ = await _released(house)
        event = EVENTS_BY_TYPE[event_type].model_validate(golden(event_type) | {"mailbox_id": mailbox})
        return house.desk.world_changed, event

    return make


async def _sent(stage: Stage) -> tuple[str, Handler, Event, Any]:
    world, peer, lone = await stage.sender()
    message = world.released()
    event = EVENTS_BY_TYPE["email.released"].model_validate(
        golden("email.released") | {"message_id": message, "subject_id": message, "deliveries": [f"{message}.1.1"]}
    )

    async def handle(event: Event) -> None:
        await lone.wired.actor.released(event)
        await eventually(lambda: world.state(message) == "delivered", "the delivery")
        assert len(peer.mails) == 1

    return message, handle, event, lone


async def sender_released(stage: Stage) -> Situation:
    _, handle, event, _ = await _sent(stage)
    return handle, event


async def sender_reported(stage: Stage) -> Situation:
    message, handle, released, lone = await _sent(stage)
    await handle(released)
    event = EVENTS_BY_TYPE["email.reported"].model_validate(
        golden("email.reported") | {"kind": "dsn", "about_message_id": message, "about_delivery_id": f"{message}.1.1",
                                    "action": "failed", "status_code": "5.1.1", "proven": True}
    )  # fmt: skip
    return lone.wired.actor.reported, event


def unreached(event_type: str) -> Callable[[Stage], Awaitable[Situation]]:
    async def make(stage: Stage) -> Situation:
        house = await stage.house()
        event = EVENTS_BY_TYPE[event_type].model_validate(golden(event_type) | {"tenant_id": house.tenant})
        return house.desk.world_changed, event

    return make


def told(event_type: str) -> Callable[[Stage], Awaitable[Situation]]:
    async def make(stage: Stage) -> Situation:
        event = EVENTS_BY_TYPE[event_type].model_validate(golden(event_type) | {"tenant_id": TENANT})
        stage.room.insert(
            "endpoint", id=new_id("whk"), tenant_id=TENANT, url="http://127.0.0.1:1/", events=["*"], secret_hint="x",
            secret_sealed="x", created_at="2020-01-01",
        )  # fmt: skip
        return Notices(await stage.room.store("notifier"), lambda: None).tell, event

    return make


def golden(event_type: str) -> dict[str, Any]:
    return dict(json.loads((GOLDEN / f"{event_type}.json").read_text("utf-8")))


CASES: dict[tuple[str, str], Callable[[Stage], Awaitable[Situation]]] = {
    ("drafter_email_received", "email.received"): drafter_received,
    ("drafter_email_rejected", "email.rejected"): drafter_rejected,
    ("gatekeeper_email_drafted", "email.drafted"): gatekeeper_drafted,
    ("gatekeeper_email_received", "email.received"): gatekeeper_received,
    ("gatekeeper_world", "mailbox.mode_changed"): gatekeeper_mode_changed,
    ("gatekeeper_world", "mailbox.paused"): pause("mailbox.paused"),
    ("gatekeeper_world", "mailbox.resumed"): pause("mailbox.resumed"),
    ("gatekeeper_world", "email.unsubscribed"): opted_out("email.unsubscribed", "link"),
    ("gatekeeper_world", "email.complained"): opted_out("email.complained", "arf"),
    ("gatekeeper_world", "endpoint.disabled"): unreached("endpoint.disabled"),
    ("gatekeeper_world", "endpoint.exhausted"): unreached("endpoint.exhausted"),
    ("sender_email_released", "email.released"): sender_released,
    ("sender_email_reported", "email.reported"): sender_reported,
    **{("notifier_all", event_type): told(event_type) for event_type in EVENTS_BY_TYPE},
}
IDLE = {("gatekeeper_world", "mailbox.paused"), ("gatekeeper_world", "mailbox.resumed")}
"""Their handlers do nothing on purpose: a pause stops claims by itself."""


def test_every_row_of_every_service_has_a_case() -> None:
    """From the very tables the services hand to the runtime."""
    rows = {
        (row.durable(service), event_type)
        for service in CONSUMERS for row in rows_of(service) for event_type in row.types
    }  # fmt: skip

    assert rows == set(CASES)


@pytest.fixture(scope="module")
def room(cluster: Cluster) -> Mailroom:
    return Mailroom(cluster.database())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("keys")
    make_keys(folder)
    return folder


@pytest.fixture
async def stage(room: Mailroom, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    made = Stage(room, keys, monkeypatch)
    async with made.stack:
        yield made
    await room.close()
    room.sql("TRUNCATE endpoint, webhook_delivery, delivery, outbox CASCADE;")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}")
async def test_the_same_event_again_changes_nothing(stage: Stage, case: tuple[str, str]) -> None:
    handle, event = await CASES[case](stage)
    before = await stage.everything()
    await handle(event)
    once = await stage.everything()
    await handle(event)
    await asyncio.gather(handle(event), handle(event))
    twice = await stage.everything()

    assert (once == before) is (case in IDLE)
    assert {name: value for name, value in twice.items() if value != once[name]} == {}
