"""Administrative acts by any key but the operator's first: a code is mailed to a person, and the second call carries it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from support.doors import Doors, numbers
from support.installation import eventually


def client(gatepost: Any, key: str) -> httpx2.Client:
    return httpx2.Client(
        base_url=gatepost.http_url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
    )


@pytest.fixture(scope="module")
def service(doors: Doors, gatepost: Any) -> Iterator[httpx2.Client]:
    """A program with the scope admin."""
    made = doors["operator"].post(
        "/v1/api-keys", json={"name": f"admin {next(numbers)}", "scopes": ["admin"], "kind": "service"}
    )
    with client(gatepost, made.json()["api_key"]) as found:
        yield found


def code_for(gatepost: Any, mark: str) -> str:
    """The code of the mail that speaks of this."""

    def look() -> str | None:
        for mail in reversed(gatepost.left()):
            text = mail.get("text") or str(mail)
            if mark in text and (found := re.search(r"\b([0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4})\b", text)):
                return found.group(1)
        return None

    return eventually(look, "the mailed code")


def test_a_mailbox_is_made_by_the_second_call(service: httpx2.Client, gatepost: Any) -> None:
    """The code is good for these very parameters, in any case and without dashes, once; nothing is there before it."""
    address = f"coded{next(numbers)}@guide.test"
    asked = service.post("/v1/mailboxes", json={"address": address, "display_name": "C"})
    before = service.get(f"/v1/mailboxes/{address}")
    code = code_for(gatepost, address)
    other = service.post("/v1/mailboxes", json={"address": f"x{address}", "display_name": "C", "approval_code": code})
    done = service.post(
        "/v1/mailboxes", json={"address": address, "display_name": "C", "approval_code": code.lower().replace("-", "")}
    )
    again = service.post("/v1/mailboxes", json={"address": address, "display_name": "C", "approval_code": code})

    assert (asked.status_code, asked.json()["status"], asked.json()["action"]) == (
        202,
        "pending_approval",
        "create_mailbox",
    )
    assert "***@" in asked.json()["sent_to"]
    assert {"message", "expires_at", "hint"} <= asked.json().keys()
    assert before.status_code == 404
    assert (other.status_code, other.json()["code"]) == (403, "approval_code_invalid")
    assert done.status_code == 201, done.text
    assert (again.status_code, again.json()["code"]) == (403, "approval_code_invalid")


def test_five_wrong_tries_end_a_code(service: httpx2.Client, gatepost: Any) -> None:
    address = f"tried{next(numbers)}@guide.test"
    assert service.post("/v1/mailboxes", json={"address": address}).status_code == 202
    code = code_for(gatepost, address)
    for _ in range(5):
        wrong = service.post("/v1/mailboxes", json={"address": address, "approval_code": "AAAA-AAAA-AAAA"})
        assert wrong.json()["code"] == "approval_code_invalid"

    assert service.post("/v1/mailboxes", json={"address": address, "approval_code": code}).status_code == 403


def test_a_code_is_of_the_key_that_asked(doors: Doors, service: httpx2.Client, gatepost: Any) -> None:
    """Another key of the account cannot use what was mailed for the first."""
    made = doors["operator"].post(
        "/v1/api-keys", json={"name": f"admin {next(numbers)}", "scopes": ["admin"], "kind": "service"}
    )
    address = f"lent{next(numbers)}@guide.test"
    assert service.post("/v1/mailboxes", json={"address": address}).status_code == 202
    code = code_for(gatepost, address)
    with client(gatepost, made.json()["api_key"]) as other:
        assert other.post("/v1/mailboxes", json={"address": address, "approval_code": code}).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/api-keys", {"name": "coded"}),
        ("POST", "/v1/webhooks", {"url": "https://example.com/h", "events": ["email.received"]}),
        ("PATCH", "/v1/account", {"oversight_email": "new@example.com"}),
    ],
)
def test_each_such_act_waits_for_its_code(service: httpx2.Client, method: str, path: str, body: dict[str, Any]) -> None:
    reply = service.request(method, path, json=body)

    assert (reply.status_code, reply.json()["status"]) == (202, "pending_approval")


def test_what_needs_no_code_asks_for_none(doors: Doors, service: httpx2.Client) -> None:
    """The operator's first key, other fields of the same acts, and keys that may not at all."""
    name = service.patch("/v1/account", json={"physical_address": None})
    first = doors["operator"].post("/v1/mailboxes", json={"address": f"first{next(numbers)}@guide.test"})
    agent = doors["agent"].post("/v1/mailboxes", json={"address": f"agent{next(numbers)}@guide.test"})

    assert (name.status_code, first.status_code, agent.status_code) == (200, 201, 403)
    assert agent.json()["code"] == "scope_missing"


def test_no_program_makes_a_persons_key(service: httpx2.Client, gatepost: Any) -> None:
    """With a code or without: who may decide or administer as a person is for an operator to say."""
    name = f"promoted {next(numbers)}"
    body = {"name": name, "scopes": ["oversight"], "kind": "person"}
    service.post("/v1/api-keys", json=body)
    reply = service.post("/v1/api-keys", json={**body, "approval_code": code_for(gatepost, name)})

    assert (reply.status_code, reply.json()["code"]) == (403, "operator_redeems")
