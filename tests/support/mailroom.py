"""A database of our own with a tenant, mailboxes and knowledge, and the stores of services that work on it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from gatepost_cli.bootstrap import sample_articles
from gatepost_cli.knowledge import chunks_of, title_of
from gatepost_contracts.event import Event
from gatepost_contracts.ids import new_id
from gatepost_store import Queries, Store, StoreSettings
from support.cluster import PASSWORD, Database

TENANT = "ten_" + "0" * 26
KEY = b"k" * 32
"""The token key of these tests."""


def quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"ARRAY[{', '.join(map(quoted, value))}]::text[]"
    return "'" + str(value).replace("'", "''") + "'"


class Mailroom:
    """The world of one test session; each test makes mailboxes of its own."""

    def __init__(self, database: Database) -> None:
        self.postgres = database
        self.stores: list[Store] = []
        self.events: list[Event] = []
        self.sql(f"INSERT INTO tenant (id, name, slug) VALUES ('{TENANT}', 'Acme', 'default')")
        self.sql(
            f"INSERT INTO principal (id, tenant_id, kind, name) VALUES ('prn_drafter', '{TENANT}', 'service', 'drafter')"
        )
        self.insert("mailbox", id="mbx_system", tenant_id=TENANT, address="system@gatepost.invalid")

    def sql(self, text: str) -> list[list[str]]:
        answer = self.postgres.psql("SET session_replication_role = replica;\n" + text)
        return [line.split("|") for line in answer.splitlines()]

    def rows(self, text: str) -> list[dict[str, Any]]:
        found = self.sql(f"SELECT coalesce(json_agg(x), '[]') FROM ({text}) x")
        return list(json.loads("|".join(found[0]) if len(found) == 1 else "\n".join("|".join(r) for r in found)))

    def insert(self, table: str, **values: Any) -> None:
        self.sql(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(quoted, values.values()))})")

    def mailbox(self, mode: str = "gated_send", **values: Any) -> dict[str, str]:
        """A mailbox with the sample knowledge."""
        box = {"id": new_id("mbx"), "tenant_id": TENANT, "address": f"s{secrets.token_hex(4)}@demo.test", "mode": mode}
        self.insert("mailbox", **({**box, "display_name": "Support", "drafting": True} | values))
        for name, markdown in sample_articles():
            article, title = new_id("kno"), title_of(markdown, name)
            self.insert(
                "article", id=article, tenant_id=TENANT, mailbox_id=box["id"], name=name, title=title,
                markdown=markdown, sha256="0" * 64,
            )  # fmt: skip
            for n, chunk in enumerate(chunks_of(markdown, title)):
                self.insert(
                    "chunk", id=new_id("chk"), tenant_id=TENANT, mailbox_id=box["id"], article_id=article, n=n,
                    heading=chunk.heading, text=chunk.text,
                )  # fmt: skip
        return box

    async def store(self, service: str) -> Store:
        store = await Store.open(
            self.postgres.url(f"gp_{service}", PASSWORD), service=service,
            queries=Queries.of(f"gatepost_{service}"), settings=StoreSettings(),
        )  # fmt: skip

        async def publish(events: list[Event]) -> list[bool]:
            self.events += events
            return [True] * len(events)

        store.publisher = publish  # type: ignore[assignment]
        self.stores.append(store)
        return store

    async def close(self) -> None:
        for store in self.stores:
            await store.close()
        self.stores.clear()
        self.events.clear()

    def sent(self, box: dict[str, str], thread: str, inbound: str, recipient: str, state: str = "delivered") -> str:
        """A mail of ours that left on a thread, as the other services leave it."""
        message = new_id("msg")
        self.insert(
            "message", id=message, tenant_id=TENANT, mailbox_id=box["id"], thread_id=thread, direction="outbound",
            state=state, last_row="T28", author="prn_drafter", author_kind="drafter", revision=1, release=1,
            answers=inbound, recipients=[recipient],
        )  # fmt: skip
        self.insert(
            "revision", tenant_id=TENANT, mailbox_id=box["id"], message_id=message, n=1, kind="draft",
            content_sha256="0" * 64, content="{}", markdown="We said two days.", subject="Re: x",
            recipients=[recipient], author="prn_drafter", author_kind="drafter",
        )  # fmt: skip
        self.insert(
            "delivery", id=f"{message}.1.1", tenant_id=TENANT, mailbox_id=box["id"], message_id=message,
            thread_id=thread, of_release=1, n=1, recipient=recipient, domain=recipient.split("@")[1],
            last_row="T28", due_at="2026-01-01", state=state,
        )  # fmt: skip
        self.sql(f"UPDATE thread SET participants = array_append(participants, '{recipient}') WHERE id = '{thread}'")
        return message
