"""Nothing of one account is seen, changed or confirmed to exist by another's keys: every route, every id."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gatepost_api.access import PUBLIC, routes
from support.tenants import CANARY

pytestmark = pytest.mark.check

ROUTES = [r for r in routes() if r.scope != (PUBLIC,) and r.command != "wait_for_email" and r.status != 501]
# a name in a path -> which of the other account's things stands there
IN_PATH = {
    "mailbox": "mailbox",
    "message_id": "message",
    "thread_id": "thread",
    "attachment": "message",
    "address": "address",
}
BY_COMMAND = {"webhook": "webhook", "delivery": "webhook", "api_key": "key", "contact": "contact", "pause": "pause"}


def path_of(route: Any, ids: dict[str, str], which: str) -> str:
    parts = []
    for part in route.path.split("/"):
        name = part.strip("{}")
        if not part.startswith("{"):
            parts.append(part)
        elif name == "message_id" and which == "draft":
            parts.append(ids["draft"])
        elif name in IN_PATH:
            parts.append(ids[IN_PATH[name]])
        else:
            kind = next((k for k in BY_COMMAND if k in route.command), None)
            parts.append(ids[BY_COMMAND[kind]] if kind else "x")
    return "/".join(parts)


@pytest.mark.parametrize("which", ["message", "draft"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_the_other_accounts_things_are_not_there(played: Any, other: Any, route: Any, which: str) -> None:
    path, ids = path_of(route, other.ids, which), other.ids
    body = {
        "message_id": ids[which], "mailbox": ids["mailbox"], "thread_id": ids["thread"], "to": "x@y.test", "subject": "s", "markdown": "m",
        "action": "approve", "tags": {"a": "b"}, "key": "a", "outcome": "delivered", "note": "n", "principal": ids["key"],
        "scope": "mailbox", "target": ids["mailbox"], "target_mode": "monitored", "pattern": "*@x.test", "webhook_id": ids["webhook"],
    }  # fmt: skip
    with httpx2.Client(base_url=played.http_url, timeout=30, trust_env=False) as client:
        for key in ("agent", "operator", "reviewer"):
            headers = {"Authorization": f"Bearer {played.keys[key]}"}
            sent = (
                {"json": {k: v for k, v in body.items() if f"{{{k}}}" not in route.path}}
                if route.method not in {"GET", "DELETE"}
                else {}
            )
            reply = client.request(route.method, path, headers=headers, **sent)
            assert CANARY not in reply.text, (key, reply.text[:300])
            if route.tenant == "message.tenant_id" and "{address}" in route.path and reply.status_code == 200:
                told = reply.json()  # by address, and of the caller's own account: as of an address that nobody knows
                assert (told.get("mails", []), told.get("count", 0), told.get("erased", 0)) == ([], 0, 0)
                continue
            if "{" in route.path and reply.status_code < 400:
                raise AssertionError((key, reply.status_code, reply.text[:300]))
            if "{" in route.path and route.method == "GET":
                assert reply.status_code in {403, 404}, (key, reply.text[:300])
                assert (reply.status_code == 403) == (reply.json()["code"] in {"scope_missing", "operator_redeems"})


def test_the_other_account_still_has_all_of_it(played: Any, other: Any) -> None:
    """Run after the attempts above: none of them changed anything."""
    ids, keys = other.ids, other.keys
    mail = played.call("GET", f"/v1/emails/{ids['message']}?mark_read=false", key=keys["agent"])
    draft = played.call("GET", f"/v1/emails/{ids['draft']}", key=keys["agent"])

    assert (mail["status"], mail["tags"]) == ("unread", {})
    assert draft["status"] == "pending_send_approval"
    assert draft["revision"] == 1
    assert played.call("GET", f"/v1/webhooks/{ids['webhook']}", key=keys["operator"])["is_active"] is True
    assert ids["contact"] in {c["id"] for c in played.call("GET", "/v1/contacts", key=keys["agent"])["contacts"]}
    assert ids["pause"] in {p["id"] for p in played.call("GET", "/v1/pauses", key=keys["agent"])["pauses"]}
