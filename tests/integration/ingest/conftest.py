"""Ingest on a real Postgres, with SMTP on a free port."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any

import pytest

from gatepost_ingest.answers import Answers
from gatepost_ingest.directory import MailboxDirectory
from gatepost_ingest.intake import Intake
from gatepost_ingest.listener import Listener
from gatepost_ingest.settings import IngestSettings
from integration.ingest.door import Door, Opens
from support.cluster import Cluster
from support.mailroom import KEY, Mailroom
from support.trace import trace_holds


@pytest.fixture
async def doors() -> AsyncIterator[Opens]:
    made: list[Door] = []

    async def open_door(**more: Any) -> Door:
        door = Door(**more)
        await door.listener.start()
        made.append(door)
        return door

    yield open_door
    for door in made:
        await door.listener.stop(0)


@pytest.fixture(scope="session")
def _mailroom(cluster: Cluster) -> Mailroom:
    return Mailroom(cluster.database())


class Ingest:
    """The service's parts, wired as its app wires them."""

    def __init__(self, room: Mailroom) -> None:
        self.room = room

    async def start(self, **settings: Any) -> None:
        self.settings = IngestSettings(port=0, lookup_cache_s=0, **settings)
        self.store = await self.room.store("ingest")
        self.intake = Intake(self.store, KEY, self.settings)
        self.answers = Answers(self.settings, MailboxDirectory(self.store, 0), self.intake.receive)
        self.listener = Listener(self.settings, self.answers)
        self.answers.listener = self.listener
        await self.listener.start()

    async def send(self, raw: bytes, *recipients: str, sender: str = "ada@customer.example") -> tuple[int, bytes]:
        """The reply to the final dot."""

        def talk() -> tuple[int, bytes]:
            with smtplib.SMTP("127.0.0.1", self.listener.port, timeout=20) as smtp:
                smtp.ehlo()
                smtp.mail(sender)
                for recipient in recipients:
                    code, reply = smtp.rcpt(recipient)
                    if code != 250:
                        return code, reply
                return smtp.data(raw)

        return await asyncio.to_thread(talk)

    def mail(
        self, to: str, text: str = "How long does delivery take?", *, sender: str = "Ada Customer <ada@customer.example>",
        subject: str = "A question", message_id: str | None = None, **headers: str,
    ) -> bytes:  # fmt: skip
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Message-ID"] = message_id or make_msgid(domain="customer.example")
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        return mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))

    def stored(self, box: dict[str, str]) -> list[dict[str, Any]]:
        return self.room.rows(
            f"SELECT * FROM message WHERE mailbox_id = '{box['id']}' AND direction = 'inbound' ORDER BY id"
        )

    async def close(self) -> None:
        await self.listener.stop(0)
        await self.intake.close()


@pytest.fixture
async def ingest(_mailroom: Mailroom, request: pytest.FixtureRequest) -> AsyncIterator[Ingest]:
    made = Ingest(_mailroom)
    await made.start()
    yield made
    await made.close()
    await _mailroom.close()
    await trace_holds(_mailroom.postgres.url(), request)
