"""A mail as the gatekeeper leaves it for the sender, written by the database's owner and signed with the real key."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.ids import new_id
from gatepost_embedded.errors import EmbeddedError
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


TENANT = "ten_01JD0000000000000000000000"


def inserted(table: str, **values: Any) -> str:
    """The statement that puts a row there."""
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(quoted, values.values()))});"


class World:
    """The database as its owner sees it, and the gatekeeper's signature."""

    def __init__(self, postgres: Any, keys: Path, url: str) -> None:
        self.postgres, self.keys, self.url = postgres, keys, url
        self.grant_key: Ed25519PrivateKey = Keys(keys / "gatekeeper").grant_private

    def sql(self, text: str) -> list[list[str]]:
        answer = self._answer("SET session_replication_role = replica;\n" + text)
        return [line.split("|") for line in answer.splitlines()]

    def _answer(self, text: str, tries: int = 30) -> str:
        """On a busy machine a server may not take a connection in time; nothing was said to it then."""
        for left in range(tries - 1, -1, -1):
            try:
                return str(self.postgres.psql(text))
            except EmbeddedError as error:
                if not left or "connection to server" not in str(error):
                    raise
                time.sleep(1)
        raise AssertionError("not reached")

    def insert(self, table: str, **values: Any) -> None:
        self.sql(inserted(table, **values))

    def released(self, *recipients: str, **wishes: Any) -> str:
        """A mail that may leave, as the gatekeeper leaves it; its id."""
        return self.release_many(1, *recipients, **wishes)[0]

    def release_many(self, count: int, *recipients: str, **wishes: Any) -> list[str]:
        """Many of them in one go; their ids."""
        if not self.sql(f"SELECT 1 FROM tenant WHERE id = '{TENANT}';"):
            self.insert("tenant", id=TENANT, name="Acme", slug="default")
        made = [self._written(*(recipients or ("ada@there.test",)), **wishes) for _ in range(count)]
        self.sql("\n".join(statement for _, statements in made for statement in statements))
        return [message for message, _ in made]

    def _written(
        self, *recipients: str, grant: dict[str, Any] | None = None, key: Ed25519PrivateKey | None = None,
        mode: str = "autonomous", due_in_s: float = 0, thread: str | None = None, mailbox: dict[str, Any] | None = None,
        letter: dict[str, Any] | None = None, into: str | None = None, **changes: Any,
    ) -> tuple[str, list[str]]:  # fmt: skip
        """`grant`, `mailbox`, `letter` and `changes` alter the claim, the mailbox, the content and the message's row.

        `into` names a mailbox that exists already.
        """
        box, message, thread = into or new_id("mbx"), new_id("msg"), thread or new_id("thr")
        address = f"support{box[-8:].lower()}@here.test"
        place = {"tenant_id": TENANT, "mailbox_id": box}
        content = Content(
            **{
                "from_": address, "from_name": "Support", "to": recipients, "subject": "Hällo", "text": "Hi\n\nthere",
                "html": "<p>Hi</p>",
            } | (letter or {})
        )  # fmt: skip
        due = datetime.now(UTC) + timedelta(seconds=due_in_s)
        claim: dict[str, Any] = {
            "message_id": message, "mailbox_id": box, "revision": 1, "release": 1, "content_sha256": content.sha256,
            "recipients_sha256": recipients_digest(content.recipients), "policy": "0" * 64,
            "expires_at": datetime.now(UTC) + timedelta(days=5), **(grant or {}),
        }  # fmt: skip
        token = sign_grant(key or self.grant_key, Grant(**claim))
        row = {
            "id": message, **place, "thread_id": thread, "direction": "outbound", "state": "released", "last_row": "T08",
            "author": "prn_a", "author_kind": "drafter", "revision": 1, "content": content.sha256,
            "recipients": list(recipients), "release": 1, "grant_token": token,
        }  # fmt: skip
        return message, [
            *([] if into else [inserted("mailbox", id=box, tenant_id=TENANT, address=address, mode=mode, **(mailbox or {}))]),
            inserted("thread", id=thread, **place),
            inserted("message", **(row | changes)),
            inserted("audit_record", subject_id=message, seq=1, **place, row_id="T08", record="{}", leaf="planted"),
            inserted(
                "revision", **place, message_id=message, n=1, kind="draft", content_sha256=content.sha256,
                content=content.canonical_text(), markdown="Hi", subject="Hällo", recipients=list(recipients),
                author="prn_a", author_kind="drafter",
            ),
            *(
                inserted(
                    "delivery", id=f"{message}.1.{n}", **place, message_id=message, thread_id=thread, of_release=1, n=n,
                    recipient=recipient, domain=recipient.split("@")[1], last_row="T08", due_at=due.isoformat(),
                )
                for n, recipient in enumerate(recipients, 1)
            ),
        ]  # fmt: skip

    def state(self, message: str) -> str:
        return self.sql(f"SELECT state FROM message WHERE id = '{message}';")[0][0]

    def delivery(self, message: str, n: int = 1) -> dict[str, str]:
        names = ("state", "phase", "attempts", "stage", "code", "via", "reply")
        row = self.sql(f"SELECT {', '.join(names)} FROM delivery WHERE id = '{message}.1.{n}';")[0]
        return dict(zip(names, row, strict=True))
