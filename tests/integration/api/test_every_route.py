"""Every route of the access table with every role, and with another account's ids, against the doors that run.

The proofs enumerate the table; this asks the router that was built of it, so that a check which a command forgot shows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gatepost_api.access import Route, routes
from support.installation import Installation, eventually
from support.tenants import CANARY, make_tenant

ROLES = {
    "read": ("agent", ["read"]), "send": ("agent", ["send"]), "oversight_read": ("service", ["oversight_read"]),
    "oversight": ("person", ["oversight"]), "admin": ("service", ["admin"]), "operator": ("person", ["read", "admin"]),
}  # fmt: skip
# role -> the words of the scope column that it satisfies, written down a second time and not asked of the code
SATISFIES = {
    "read": {"read"}, "send": {"send"}, "oversight_read": {"oversight_read"},
    "oversight": {"oversight", "oversight_read", "person"}, "admin": {"admin", "read"},
    "operator": {"admin", "read", "person", "operator"},
}  # fmt: skip
ROUTES = list(routes())
REFUSED = {"scope_missing", "operator_redeems"}
BY_OPERATOR = {"update_api_key", "rotate_webhook_secret"}  # of what `admin` may call, an operator's alone
# What a program's admin key does after a code alone, whatever thing it names.
AFTER_A_CODE = {
    "create_api_key", "revoke_api_key", "create_webhook", "delete_webhook", "create_mailbox", "delete_mailbox", "update_account",
}  # fmt: skip
NOBODY_S = {  # a body that names nothing there is, so that no role changes anything
    "mailbox": "mbx_" + "0" * 26, "message_id": "msg_" + "0" * 26, "thread_id": "thr_none", "scope": "?", "timeout_seconds": 1,
    "action": "?", "text": "", "name": "", "url": "?", "email": "?", "address": "nobody@x.test", "pattern": "?", "target_mode": "?",
}  # fmt: skip


class Doors:
    """Calls routes as somebody."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=60, trust_env=False)

    def call(self, route: Route, key: str | None, path: str, body: dict[str, Any]) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        named = set(re.findall(r"{(\w+)}", route.path))
        fields = {name: value for name, value in body.items() if name not in named}
        if route.method in {"GET", "DELETE"}:
            return self.http.request(route.method, path, headers=headers, params={"timeout_seconds": 1})
        return self.http.request(route.method, path, headers=headers, json=fields)


@pytest.fixture(scope="module")
def doors(gatepost: Installation) -> Iterator[Doors]:
    made = Doors(gatepost.http_url)
    yield made
    made.http.close()


@pytest.fixture(scope="module")
def keys(gatepost: Installation) -> dict[str, str]:
    """An account of its own without anything, with one key for each scope alone and an operator's."""
    return asyncio.run(make_tenant(gatepost.info["database_url"], "roles", ROLES, "Roles Ltd"))


def _nothing(route: Route) -> str:
    """The path with names of nothing."""
    return re.sub(r"{(\w+)}", lambda found: str(NOBODY_S.get(found[1]) or "0"), route.path)


def _told(route: Route, reply: httpx2.Response) -> str:
    return f"{route.method} {route.path}: {reply.status_code} {reply.text[:200]}"


@pytest.mark.parametrize("role", ROLES)
def test_a_route_answers_those_whom_its_row_names_and_nobody_else(
    doors: Doors, keys: dict[str, str], role: str
) -> None:
    """A scope more or less than the row says, on any path and method, shows here."""
    wrong = []
    for route in ROUTES:
        reply = doors.call(route, keys[role], _nothing(route), NOBODY_S)
        may = bool({*SATISFIES[role], "any", "public"} & set(route.scope))
        may = may and (role != "admin" or route.command not in BY_OPERATOR)
        is_page = "{token}" in route.path  # 401 is the token's, and a row of people's scopes guards what is behind it
        is_refused = (
            reply.status_code in {401, 403}
            and not (is_page and may)
            and reply.json()["code"] in {*REFUSED, "unauthenticated"}
        )
        is_trouble = reply.status_code >= 500 and reply.status_code not in {503, route.status}
        if may == is_refused or is_trouble:
            wrong.append(f"{'may' if may else 'may not'} {_told(route, reply)}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("key", [None, "gp_live_" + "x" * 43, "nonsense"])
def test_no_key_and_a_wrong_key_open_the_public_routes_alone(doors: Doors, key: str | None) -> None:
    """401 before anything else is looked at."""
    wrong = []
    for route in ROUTES:
        reply = doors.call(route, key, _nothing(route), NOBODY_S)
        if (reply.status_code == 401) == (route.scope == ("public",)):
            wrong.append(_told(route, reply))

    assert not wrong, "\n".join(wrong)


# -- another account's ids -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(gatepost: Installation) -> dict[str, str]:
    """One of each thing of another account, by the name that it has in a path."""
    owned = asyncio.run(make_tenant(gatepost.info["database_url"], "theirs"))

    def call(path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        return gatepost.call("POST", path, body, key=owned[key])

    box = call("/v1/mailboxes", {"address": "theirs@other.test", "display_name": CANARY}, "operator")
    rfc = gatepost.write(to="theirs@other.test", subject=CANARY, text=CANARY)

    def stored() -> dict[str, Any] | None:
        page = gatepost.call("GET", f"/check_inbox?mailbox_id={box['id']}", key=owned["agent"])["messages"]
        return next((mail for mail in page if mail["rfc_message_id"] == rfc), None)

    mail = eventually(stored, "the other account's mail")
    call("/reply_email", {"message_id": mail["id"], "body": CANARY}, "agent")
    hook = call("/v1/webhooks", {"url": f"http://127.0.0.1:9/{CANARY}", "events": ["*"]}, "operator")
    call("/v1/suppression", {"address": "suppressed@other.test"}, "agent")
    return {
        "mailbox": box["id"], "message_id": mail["id"], "thread_id": mail["our_thread_id"], "event_id": f"{mail['id']}.1.email.received",
        "webhook": hook["id"], "contact": call("/v1/contacts", {"email": "c@other.test", "name": CANARY}, "agent")["id"],
        "key": call("/v1/api-keys", {"name": CANARY, "scopes": ["read"]}, "operator")["id"],
        "pause": call("/v1/pauses", {"scope": "mailbox", "target": box["id"], "reason": CANARY}, "agent")["id"],
        "hold": call("/v1/legal-holds", {"scope": "tenant", "reason": CANARY}, "operator")["id"],
        "address": "suppressed@other.test", "own_key": owned["agent"], "operator": owned["operator"],
    }  # fmt: skip


KINDS = {"webhook": "webhook", "contact": "contact", "api_key": "key", "pause": "pause", "hold": "hold"}
# They have no thing of another account in their path: an address of mine that nobody wrote to is an empty list.
BY_ADDRESS = {"get_person", "erase_person"}


def _theirs(route: Route, theirs: dict[str, str]) -> str | None:
    """The path with the other account's ids; None where it names nothing of an account."""
    names = re.findall(r"{(\w+)}", route.path)
    if (
        not names
        or "token" in names
        or route.scope == ("public",)
        or route.command in BY_ADDRESS
        or route.status == 501
    ):
        return None
    kind = next((KINDS[word] for word in KINDS if word in route.command), None)
    known = {**theirs, "id": theirs[kind] if kind else "0"}
    return re.sub(r"{(\w+)}", lambda found: known.get(found[1], "0"), route.path)


def test_another_accounts_ids_are_not_there(doors: Doors, keys: dict[str, str], theirs: dict[str, str]) -> None:
    """404 for whoever may call the route, never 403: nothing tells that the thing exists."""
    body = {
        "mailbox": theirs["mailbox"], "message_id": theirs["message_id"], "thread_id": theirs["thread_id"], "into": theirs["thread_id"],
        "message_ids": [theirs["message_id"]], "to": "x@y.test", "subject": "s", "markdown": "m", "action": "reject", "tags": {"a": "b"},
        "key": "a", "outcome": "delivered", "note": "n", "scope": "mailbox", "target": theirs["mailbox"], "target_mode": "monitored",
        "pattern": "*@x.test", "code": "ABCD", "name": "faq", "oversight_mode": "gated_all", "send_at": "2099-01-01T00:00:00Z",
        "scopes": ["read"], "events": ["*"], "force": True, "display_name": "x", "markdown_body": "m",
    }  # fmt: skip
    wrong, asked = [], 0
    for route in ROUTES:
        path = _theirs(route, theirs)
        for role in ROLES if path is not None else ():
            if not {*SATISFIES[role], "any"} & set(route.scope) or (
                role == "admin" and route.command in BY_OPERATOR | AFTER_A_CODE
            ):
                continue
            reply, asked = doors.call(route, keys[role], str(path), body), asked + 1
            if reply.status_code != 404 or CANARY in reply.text:
                wrong.append(f"{role} {_told(route, reply)}")

    assert asked > 100
    assert not wrong, "\n".join(wrong)


def test_names_in_bodies_tell_nothing_either(doors: Doors, keys: dict[str, str], theirs: dict[str, str]) -> None:
    """The older names take ids in the body: neither a word of theirs nor a 403 comes back."""
    body = {
        **theirs,
        "mailbox_id": theirs["mailbox"],
        "id": theirs["webhook"],
        "action": "reject",
        "body": "b",
        "mode": "gated_all",
    }
    wrong = []
    for route in ROUTES:
        if "{" in route.path or route.scope == ("public",):
            continue
        for role in ROLES:
            if {*SATISFIES[role], "any"} & set(route.scope):
                reply = doors.call(route, keys[role], route.path, body)
                is_403 = reply.status_code == 403 and reply.json()["code"] not in REFUSED
                if (
                    is_403
                    or CANARY in reply.text
                    or (reply.status_code >= 500 and reply.status_code not in {503, route.status})
                ):
                    wrong.append(f"{role} {_told(route, reply)}")

    assert not wrong, "\n".join(wrong)


def test_the_other_account_still_has_all_of_it(gatepost: Installation, theirs: dict[str, str]) -> None:
    """Run after the attempts above: none of them changed anything."""
    agent, operator = theirs["own_key"], theirs["operator"]
    mail = gatepost.call("GET", f"/v1/emails/{theirs['message_id']}?mark_read=false", key=agent)

    assert ("unread", {}) == (mail["status"], mail["tags"])
    assert gatepost.call("GET", f"/v1/webhooks/{theirs['webhook']}", key=operator)["is_active"] is True
    assert [theirs["pause"]] == [p["id"] for p in gatepost.call("GET", "/v1/pauses", key=agent)["pauses"]]
    assert [theirs["hold"]] == [h["id"] for h in gatepost.call("GET", "/v1/legal-holds", key=operator)["holds"]]
    assert 1 == len(gatepost.call("GET", "/v1/suppression", key=operator)["suppressions"])
