"""An installation of its own for generated calls: they pause, rename and remove what they find."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.installation import Installation, eventually
from support.tenants import CANARY, make_tenant


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running installation without a rate limit."""
    made = Installation(tmp_path_factory.mktemp("played"), environment={"GATEPOST_API_RATE_PER_MINUTE": "0"}).start()
    yield made
    assert made.stop() == 0


@dataclass
class Tenant:
    """Another account in the same installation, and one of each of its things."""

    keys: dict[str, str]
    ids: dict[str, str]


@pytest.fixture(scope="session")
def other(played: Installation) -> Tenant:
    """The other account, with a word in everything that must not come out at ours."""
    keys = asyncio.run(make_tenant(played.info["database_url"]))
    call = played.call
    box = call("POST", "/v1/mailboxes", {"address": "secret@other.test", "display_name": CANARY}, key=keys["operator"])
    rfc = played.write(to="secret@other.test", subject=CANARY, text=CANARY)

    def stored() -> dict[str, Any] | None:
        page = call("GET", f"/check_inbox?mailbox_id={box['id']}", key=keys["agent"])["messages"]
        return next((m for m in page if m["rfc_message_id"] == rfc), None)

    mail = eventually(stored, "the other tenant's mail")
    draft = call("POST", "/reply_email", {"message_id": mail["id"], "body": CANARY}, key=keys["agent"])
    hook = call("POST", "/v1/webhooks", {"url": f"http://127.0.0.1:9/{CANARY}", "events": ["*"]}, key=keys["operator"])
    contact = call("POST", "/v1/contacts", {"email": "secret@person.test", "name": CANARY}, key=keys["agent"])
    key = call("POST", "/v1/api-keys", {"name": CANARY, "scopes": ["read"]}, key=keys["operator"])
    pause = call("POST", "/v1/pauses", {"scope": "mailbox", "target": box["id"], "reason": CANARY}, key=keys["agent"])
    call("POST", "/v1/suppression", {"address": f"{CANARY}@other.test"}, key=keys["agent"])
    call("POST", "/v1/feedback", {"text": CANARY}, key=keys["agent"])
    return Tenant(keys, {
        "mailbox": box["id"], "address": "secret@other.test", "message": mail["id"], "draft": draft["id"],
        "thread": mail["our_thread_id"], "webhook": hook["id"], "contact": contact["id"], "key": key["id"], "pause": pause["id"],
    })  # fmt: skip
