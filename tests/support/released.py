"""A mail as the gatekeeper leaves it for the sender, written by the database's owner and signed with the real key."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.ids import new_id
from gatepost_mail.content import Content
from gatepost_oversight.grant import Grant, recipients_digest, sign_grant
from gatepost_runtime.keys import Keys


def quoted(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"ARRAY[{', '.join(map(quoted, value))}]::text[]"
    return "'" + str(value).replace("'", "''") + "'"


class World:
    """The database as its owner sees it, and the gatekeeper's signature."""

    def __init__(self, postgres: Any, keys: Path, url: str) -> None:
        self.postgres, self.keys, self.url = postgres, keys, url
        self.grant_key: Ed25519PrivateKey = Keys(keys / "gatekeeper").grant_private

    def sql(self, text: str) -> list[list[str]]:
        answer = self.postgres.psql("SET session_replication_role = replica;\n" + text)
        return [line.split("|") for line in answer.splitlines()]

    def insert(self, table: str, **values: Any) -> None:
        self.sql(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(quoted, values.values()))});")

    def released(
        self, *recipients: str, grant: dict[str, Any] | None = None, key: Ed25519PrivateKey | None = None,
        mode: str = "autonomous", due_in_s: float = 0, thread: str | None = None, **changes: Any,
    ) -> str:  # fmt: skip
        """A mail that may leave, as the gatekeeper leaves it; its id."""
        recipients = recipients or ("ada@there.test",)
        if not self.sql("SELECT 1 FROM tenant WHERE id = 'ten_01JD0000000000000000000000';"):
            self.insert("tenant", id="ten_01JD0000000000000000000000", name="Acme", slug="default")
        tenant, mailbox = "ten_01JD0000000000000000000000", new_id("mbx")
        message = new_id("msg")
        address = f"support{secrets.token_hex(3)}@here.test"
        self.insert("mailbox", id=mailbox, tenant_id=tenant, address=address, mode=mode)
        thread = thread or new_id("thr")
        self.insert("thread", id=thread, tenant_id=tenant, mailbox_id=mailbox)
        content = Content(
            from_=address, from_name="Support", to=recipients, subject="Hällo", text="Hi\n\nthere", html="<p>Hi</p>"
        )
        due = datetime.now(UTC) + timedelta(seconds=due_in_s)
        claim: dict[str, Any] = {
            "message_id": message, "mailbox_id": mailbox, "revision": 1, "release": 1, "content_sha256": content.sha256,
            "recipients_sha256": recipients_digest(content.recipients), "policy": "0" * 64,
            "expires_at": datetime.now(UTC) + timedelta(days=5), **(grant or {}),
        }  # fmt: skip
        token = sign_grant(key or self.grant_key, Grant(**claim))
        self.insert(
            "message", **{
                "id": message, "tenant_id": tenant, "mailbox_id": mailbox, "thread_id": thread, "direction": "outbound",
                "state": "released", "last_row": "T08", "author": "prn_a", "author_kind": "drafter", "revision": 1,
                "content": content.sha256, "recipients": list(recipients), "release": 1, "grant_token": token,
            } | changes,
        )  # fmt: skip
        self.insert(
            "revision", tenant_id=tenant, mailbox_id=mailbox, message_id=message, n=1, kind="draft",
            content_sha256=content.sha256, content=content.canonical_text(), markdown="Hi", subject="Hällo",
            recipients=list(recipients), author="prn_a", author_kind="drafter",
        )  # fmt: skip
        for n, recipient in enumerate(recipients, 1):
            self.insert(
                "delivery", id=f"{message}.1.{n}", tenant_id=tenant, mailbox_id=mailbox, message_id=message,
                thread_id=thread, of_release=1, n=n, recipient=recipient, domain=recipient.split("@")[1],
                last_row="T08", due_at=due.isoformat(),
            )  # fmt: skip
        return message

    def state(self, message: str) -> str:
        return self.sql(f"SELECT state FROM message WHERE id = '{message}';")[0][0]

    def delivery(self, message: str, n: int = 1) -> dict[str, str]:
        names = ("state", "phase", "attempts", "stage", "code", "via", "reply")
        row = self.sql(f"SELECT {', '.join(names)} FROM delivery WHERE id = '{message}.1.{n}';")[0]
        return dict(zip(names, row, strict=True))
