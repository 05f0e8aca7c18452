"""A consumer that keeps a customer's history in a CRM: who wrote, what was delivered, when. Here the CRM is SQLite.

Run it beside `make up`:
    gatepost streams add-consumer crm_log --event email.received --event email.delivered
    GATEPOST_NATS_URL=<nats_url of data/ready.json> CRM_API_KEY=<a key that reads> python examples/crm_log.py
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatepost_client import AsyncGatepost
from gatepost_contracts.email import EmailDelivered, EmailReceived
from gatepost_runtime import On
from gatepost_runtime.consumer import consume


class CrmSettings(BaseSettings):
    """Read from CRM_*."""

    model_config = SettingsConfigDict(env_prefix="CRM_")

    api_url: str = Field("http://127.0.0.1:8080", description="Gatepost's API.")
    api_key: str = Field(description="A key with the scope read.")
    file: Path = Field(Path("crm.sqlite"), description="The CRM.")


class Crm:
    """One row an event: its id is the primary key, so that a repeat writes nothing."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS contact_event (event_id TEXT PRIMARY KEY, at TEXT, customer TEXT, what TEXT,"
            " subject TEXT, thread_id TEXT)"
        )

    def note(self, event_id: str, at: str, customer: str, what: str, subject: str, thread_id: str) -> None:
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO contact_event VALUES (?, ?, ?, ?, ?, ?)",
                (event_id, at, customer.lower(), what, subject, thread_id),
            )


class Log:
    """Turns events into rows of the CRM."""

    def __init__(self, client: AsyncGatepost, crm: Crm) -> None:
        self._client, self._crm = client, crm

    async def received(self, event: EmailReceived) -> None:
        mail = await self._client.get_email(event.message_id, mark_read=False)
        self._note(event, mail["from"], "wrote", mail)

    async def delivered(self, event: EmailDelivered) -> None:
        mail = await self._client.get_email(event.message_id, mark_read=False)
        for recipient in mail["to"]:
            self._note(event, recipient, "was answered", mail)

    def _note(self, event: EmailReceived | EmailDelivered, customer: str, what: str, mail: dict) -> None:
        key = f"{event.event_id} {customer.lower()}"
        self._crm.note(key, event.occurred_at.isoformat(), customer, what, mail["subject"], event.thread_id)


HANDLERS = (On(EmailReceived, Log.received, workers=8), On(EmailDelivered, Log.delivered, workers=8))


def main() -> None:
    settings = CrmSettings()
    client = AsyncGatepost(settings.api_key, base_url=settings.api_url)
    consume("crm_log", HANDLERS, Log(client, Crm(settings.file)), close=(client.close,))


if __name__ == "__main__":
    main()
