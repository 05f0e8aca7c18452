"""The drafter's desk on a real Postgres, with mail that ingest stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost_drafter.desk import Desk
from gatepost_drafter.providers import Providers
from gatepost_drafter.settings import DrafterSettings
from gatepost_ingest.arrived import Arrived, Mailbox, Recipient
from gatepost_ingest.intake import Intake
from gatepost_ingest.settings import IngestSettings
from support.cluster import Cluster
from support.mailroom import KEY, TENANT, Mailroom
from support.trace import trace_holds


@pytest.fixture(scope="session")
def _mailroom(cluster: Cluster) -> Mailroom:
    return Mailroom(cluster.database())


class Drafting:
    """A desk, and customers who write."""

    def __init__(self, room: Mailroom) -> None:
        self.room = room
        self.settings = DrafterSettings(sweep_after_s=0)
        self.providers = Providers(self.settings)

    async def start(self) -> None:
        self.store = await self.room.store("drafter")
        self.desk = Desk(self.store, self.settings, self.providers)
        self.intake = Intake(await self.room.store("ingest"), KEY, IngestSettings())

    async def write(
        self, box: dict[str, str], text: str, *, sender: str = "ada@customer.example", headers: str = ""
    ) -> dict[str, Any]:
        """A customer's mail, stored; its row."""
        n = len(self.room.rows(f"SELECT 1 FROM message WHERE mailbox_id = '{box['id']}'"))
        raw = (
            f"From: Ada Customer <{sender}>\r\nTo: {box['address']}\r\nSubject: A question\r\n"
            f"Message-ID: <m{n}.{box['id']}@customer.example>\r\n{headers}\r\n{text}\r\n"
        ).encode()
        to = Recipient(box["address"], Mailbox(box["id"], TENANT, box["address"], box["mode"], 10**6))
        (message,) = await self.intake.receive(Arrived(raw, sender, (to,), False, "", "", False, datetime.now(UTC)))
        return self.room.rows(f"SELECT * FROM message WHERE id = '{message}'")[0]

    def drafts(self, box: dict[str, str]) -> list[dict[str, Any]]:
        """Revisions with their mail, oldest first."""
        return self.room.rows(
            "SELECT m.id AS message, m.thread_id, m.state, m.answers AS answered, m.to_addresses, r.* FROM message m"
            f" JOIN revision r ON r.message_id = m.id WHERE m.mailbox_id = '{box['id']}' ORDER BY m.id, r.n"
        )

    async def close(self) -> None:
        await self.intake.close()
        await self.providers.close()


@pytest.fixture
async def drafting(_mailroom: Mailroom, request: pytest.FixtureRequest) -> AsyncIterator[Drafting]:
    made = Drafting(_mailroom)
    await made.start()
    yield made
    await made.close()
    await _mailroom.close()
    await trace_holds(_mailroom.postgres.url(), request)
