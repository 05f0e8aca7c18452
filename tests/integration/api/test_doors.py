"""The doors against real servers: refusals, repeats, races, pages, and what they must never do."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from gatepost_api.access import PUBLIC, routes
from gatepost_api.aliases import EMAIL
from support.doors import Doors
from support.doors import numbers as _numbers
from support.installation import eventually


def code(reply: httpx2.Response) -> tuple[int, str]:
    body = reply.json()
    assert isinstance(body["error"], str)
    assert body["hint"] is not None
    assert body["request_id"] == reply.headers["x-request-id"]
    return reply.status_code, body["code"]


# -- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"to": "a@b.test"'])
def test_a_body_that_is_no_object_is_refused(doors: Doors, content: bytes) -> None:
    assert code(doors["agent"].post("/send_email", content=content)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "nobody"}, {"to": []}, {"to": 5}, {"subject": "a\r\nBcc: x@y.z"}, {"subject": "x" * 999}, {"body": ""},
        {"body": "a\x00b"}, {"metadata": [1]}, {"metadata": {"x": "y" * 40_000}}, {"oversight_mode": "free"}, {"send_at": "soon"},
        {"send_at": "2020-01-01T00:00:00Z"}, {"attachments": [{"name": "x"}]}, {"attachments": [{"name": "x", "content": "!!"}]},
        {"cc": ["a@b.test"] * 3 + [f"a{n}@b.test" for n in range(60)]}, {"thread_id": "with space"}, {"gate_timing": "never"},
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_stored(doors: Doors, box: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert code(doors.send(box, **wrong)) == (400, "invalid_request")


def test_two_names_for_different_mailboxes_are_refused(doors: Doors, box: dict[str, Any], gatepost: Any) -> None:
    assert code(doors.send(box, mailbox_id=gatepost.mailbox["id"])) == (400, "conflicting_fields")
    assert doors.send(box, mailbox_id=box["id"]).status_code == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/emails/msg_00000000000000000000000000"), ("GET", "/v1/threads/thr_1"), ("GET", "/get_thread?thread_id=nope"),
        ("GET", "/v1/mailboxes/nobody%40guide.test"), ("GET", "/v1/mailboxes/mbx_system"), ("GET", "/nowhere"), ("GET", "/v1/emails/%FF"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_404(doors: Doors, method: str, path: str) -> None:
    assert code(doors["agent"].request(method, path)) == (404, "not_found")


def test_too_large_is_413(doors: Doors) -> None:
    assert code(doors["agent"].post("/send_email", content=b"{" + b" " * 40_000_000)) == (413, "too_large")


def test_no_key_wrong_key_and_a_key_in_the_url_are_401(doors: Doors, gatepost: Any) -> None:
    for reply in (
        doors["nobody"].get("/v1/mailboxes"),
        doors["nobody"].get("/v1/mailboxes", headers={"Authorization": "Bearer gp_live_wrong"}),
        doors["nobody"].get("/v1/mailboxes", params={"api_key": gatepost.keys["operator"]}),
    ):
        assert code(reply) == (401, "unauthenticated")
        assert reply.headers["www-authenticate"].startswith("Bearer")
    assert doors["nobody"].get("/v1/mailboxes", headers={"X-API-Key": gatepost.keys["agent"]}).status_code == 200


@pytest.mark.parametrize("route", [r for r in routes() if PUBLIC not in r.scope], ids=lambda r: f"{r.method} {r.path}")
def test_every_route_is_guarded(doors: Doors, gatepost: Any, route: Any) -> None:
    """Without a key: 401. With a key whose scopes do not allow it: 403. Before anything else is looked at."""
    path = route.path.replace("{", "").replace("}", "")
    scopes = {
        "agent": {"read", "send", "oversight_read"},
        "reviewer": {"read", "oversight", "oversight_read", "person"},
        "operator": {"read", "admin", "operator", "person"},
    }

    assert doors["nobody"].request(route.method, path).status_code == 401
    for name, held in scopes.items():
        if not held & set(route.scope) and "any" not in route.scope:
            form = {"key": gatepost.keys[name]} if route.door == "token" else None  # a page carries its key in the form
            assert doors[name].request(route.method, path, data=form).status_code == 403, name


def test_no_agent_raises_autonomy(doors: Doors, box: dict[str, Any]) -> None:
    raised = doors["agent"].patch(f"/v1/mailboxes/{box['id']}", json={"oversight_mode": "autonomous"})
    settings = doors["agent"].patch(f"/v1/mailboxes/{box['id']}", json={"display_name": "Mine"})
    key = doors["operator"].post("/v1/api-keys", json={"name": "x", "scopes": ["send", "oversight"]})
    person = doors["operator"].post("/v1/api-keys", json={"name": "x", "scopes": ["oversight"], "kind": "agent"})

    assert code(raised) == (403, "operator_redeems")
    assert code(settings) == (403, "scope_missing")
    assert code(key) == (400, "scope_conflict")
    assert code(person) == (400, "scope_conflict")


def test_a_key_bound_to_a_mailbox_sees_no_other(doors: Doors, box: dict[str, Any], gatepost: Any) -> None:
    made = doors["operator"].post(
        "/v1/api-keys", json={"name": "bound", "scopes": ["read", "send"], "mailbox_ids": [gatepost.mailbox["id"]]}
    )
    sent = doors.send(box).json()
    bound = {"Authorization": f"Bearer {made.json()['api_key']}"}

    assert code(doors["nobody"].get(f"/v1/emails/{sent['id']}", headers=bound)) == (404, "not_found")
    assert code(doors["nobody"].get(f"/v1/mailboxes/{box['id']}/emails", headers=bound)) == (404, "not_found")
    assert [m["id"] for m in doors["nobody"].get("/v1/mailboxes", headers=bound).json()["mailboxes"]] == [
        gatepost.mailbox["id"]
    ]
    doors["operator"].delete(f"/v1/api-keys/{made.json()['id']}")
    assert code(doors["nobody"].get("/v1/mailboxes", headers=bound)) == (401, "unauthenticated")


# -- repeats and races ---------------------------------------------------------------------------------------------


def test_twenty_equal_sends_at_once_make_one_mail(doors: Doors, box: dict[str, Any]) -> None:
    body = f"Only once {next(_numbers)}"
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda _: doors.send(box, body=body), range(20)))

    assert {r.status_code for r in replies} <= {200, 202}
    assert len({r.json()["id"] for r in replies}) == 1
    assert sum(not r.json()["idempotent"] for r in replies) == 1


def test_an_idempotency_key_is_kept_and_is_for_one_request(doors: Doors, box: dict[str, Any]) -> None:
    key, body = f"k{next(_numbers)}", f"Keyed {next(_numbers)}"
    first = doors.send(box, body=body, idempotency_key=key)
    again = doors.send(box, body=body, idempotency_key=key)
    other = doors.send(box, body="Another", idempotency_key=key)

    assert first.status_code == 202
    assert (again.status_code, again.json()["status"], again.json()["idempotent"]) == (200, "already_sent", True)
    assert again.json()["id"] == first.json()["id"]
    assert {"thread_id", "current_status"} <= again.json().keys()
    assert code(other) == (422, "idempotency_key_reused")


def test_equal_content_on_the_rest_door_is_409_and_names_the_first(doors: Doors, box: dict[str, Any]) -> None:
    mail = {"to": "c@customer.example", "subject": "Hi", "markdown": f"Twice {next(_numbers)}"}
    first = doors["agent"].post(f"/v1/mailboxes/{box['id']}/send", json=mail)
    second = doors["agent"].post(f"/v1/mailboxes/{box['address']}/send", json=mail)

    assert first.status_code == 202
    assert code(second) == (409, "duplicate_content")
    assert second.json()["id"] == first.json()["id"]


def test_the_idempotency_header_makes_one_webhook_and_shows_its_secret_once(doors: Doors) -> None:
    headers = {"Idempotency-Key": f"h{next(_numbers)}"}
    hook = {"url": "http://127.0.0.1:9/x", "events": ["email.received"]}
    first = doors["operator"].post("/v1/webhooks", json=hook, headers=headers)
    again = doors["operator"].post("/v1/webhooks", json=hook, headers=headers)
    other = doors["operator"].post("/v1/webhooks", json=hook | {"events": ["*"]}, headers=headers)

    assert first.status_code == again.status_code == 201
    assert first.json()["id"] == again.json()["id"]
    assert "signing_secret" in first.json()
    assert "signing_secret" not in again.json()
    assert code(other) == (422, "idempotency_key_reused")
    doors["operator"].delete(f"/v1/webhooks/{first.json()['id']}")


def test_fifty_decisions_at_once_are_one(doors: Doors, box: dict[str, Any]) -> None:
    held = doors.held(box)
    decision = {"message_id": held["id"], "decision": "approve", "revision": held["content_sha256"]}
    with ThreadPoolExecutor(25) as pool:
        replies = list(pool.map(lambda _: doors["reviewer"].post("/decide_email", json=decision), range(50)))

    assert {r.status_code for r in replies} == {200}
    assert sum(not r.json()["idempotent"] for r in replies) == 1


def test_a_decision_on_what_was_not_seen_is_stale(doors: Doors, box: dict[str, Any]) -> None:
    held = doors.held(box)
    wrong = doors["reviewer"].post(
        "/decide_email", json={"message_id": held["id"], "decision": "approve", "revision": "0" * 64}
    )
    sent = doors.send(box).json()
    eventually(
        lambda: doors["agent"].get(f"/v1/emails/{sent['id']}").json()["status"] == "pending_send_approval", "held"
    )
    unseen = doors["reviewer"].post("/decide_email", json={"message_id": sent["id"], "decision": "approve"})

    assert code(wrong) == (409, "stale_revision")
    assert code(unseen) == (409, "stale_revision")


def test_a_second_different_decision_is_told_who_was_first(doors: Doors, box: dict[str, Any]) -> None:
    held = doors.held(box)
    doors["reviewer"].post("/decide_email", json={"message_id": held["id"], "decision": "reject"})
    second = doors["reviewer"].post("/decide_email", json={"message_id": held["id"], "decision": "approve"})

    assert code(second) == (409, "already_decided")
    assert second.json()["decided_by"] == "prn_reviewer"


def test_cancelling_is_repeatable_and_for_the_author(doors: Doors, box: dict[str, Any]) -> None:
    held = doors.held(box)
    replies = [doors["agent"].post("/cancel_message", json={"message_id": held["id"]}) for _ in range(2)]
    decided = doors["reviewer"].post("/decide_email", json={"message_id": held["id"], "decision": "approve"})

    assert [(r.status_code, r.json()["status"]) for r in replies] == [(200, "cancelled")] * 2
    assert decided.status_code == 409


# -- looking -------------------------------------------------------------------------------------------------------


def test_pages_by_cursor_and_offset_are_whole(doors: Doors) -> None:
    box = doors["operator"].post("/v1/mailboxes", json={"address": f"pages{next(_numbers)}@guide.test"}).json()
    made = [doors.send(box).json()["id"] for _ in range(5)]
    path = f"/v1/mailboxes/{box['id']}/emails"
    by_cursor, cursor = [], None
    while True:
        page = doors["agent"].get(path, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        by_cursor += [m["id"] for m in page["emails"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    by_offset = [
        m["id"] for n in (0, 2, 4) for m in doors["agent"].get(path, params={"limit": 2, "offset": n}).json()["emails"]
    ]

    assert by_cursor == by_offset == made[::-1]
    assert code(doors["agent"].get(path, params={"cursor": "é"})) == (400, "invalid_request")


@pytest.mark.parametrize(
    "path", ["/check_inbox", "/list_pending", "/v1/emails?status=pending", "/v1/oversight/pending"]
)
def test_aliases_are_equal_in_every_reply(doors: Doors, box: dict[str, Any], path: str) -> None:
    doors.held(box)
    mails = doors["reviewer"].get(path).json()["emails"]

    assert mails
    for mail, (canonical, aliases) in itertools.product(mails, EMAIL.items()):
        for alias in aliases:
            assert mail.get(alias) == mail.get(canonical)


def test_head_and_slashes_and_empty_json_bodies(doors: Doors, box: dict[str, Any]) -> None:
    head = doors["agent"].head(f"/v1/mailboxes/{box['id']}")
    slash = doors["agent"].get(f"/v1/mailboxes/{box['address'].upper()}/")
    typed = doors["agent"].get("/v1/mailboxes", headers={"Content-Type": "application/json"})
    empty = doors["operator"].patch(f"/v1/mailboxes/{box['id']}", json={})

    assert (head.status_code, head.content) == (200, b"")
    assert slash.json()["id"] == box["id"]
    assert (typed.status_code, empty.status_code) == (200, 200)


def test_status_says_what_is_left(doors: Doors, box: dict[str, Any]) -> None:
    doors.held(box)
    left = doors["operator"].get("/v1/status").json()

    assert left["held"] >= 1
    assert isinstance(left["quiet"], bool)


def test_the_chain_of_verdicts(doors: Doors, box: dict[str, Any]) -> None:
    held = doors.held(box)
    chain = doors["agent"].get(f"/v1/emails/{held['id']}/why").json()["chain"]

    assert [link["row"] for link in chain][:3] == ["T05", "T06", "T09"]
    assert [link["seq"] for link in chain] == list(range(1, len(chain) + 1))


def test_pages_of_tokens_load_nothing(doors: Doors) -> None:
    reply = doors["nobody"].get("/v1/unsubscribe/nothing.like.it")

    assert code(reply) == (404, "not_found")


def test_a_pause_stops_and_only_an_operator_resumes(doors: Doors) -> None:
    box = doors["operator"].post("/v1/mailboxes", json={"address": f"paused{next(_numbers)}@guide.test"}).json()
    doors["operator"].patch(f"/v1/mailboxes/{box['id']}", json={"oversight_mode": "autonomous"})
    pause = doors["agent"].post("/v1/pauses", json={"scope": "mailbox", "target": box["address"], "reason": "stop"})
    held = doors.held(box)

    assert pause.status_code == 201
    assert "paused" in [r["rule"] for r in held["reasons"]]
    assert code(doors["agent"].delete(f"/v1/pauses/{pause.json()['id']}")) == (403, "operator_redeems")
    assert doors["operator"].delete(f"/v1/pauses/{pause.json()['id']}").json()["deleted"] is True


def test_webhook_targets_are_checked(doors: Doors) -> None:
    for url in (
        "ftp://x.test/",
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "https://u:p@x.test/",
        "https://0x0a.1/",
        "nonsense",
    ):
        reply = doors["operator"].post("/v1/webhooks", json={"url": url, "events": ["*"]})
        assert code(reply) == (400, "url_refused"), url
    unknown = doors["operator"].post("/v1/webhooks", json={"url": "http://127.0.0.1:9/", "events": ["email.opened"]})
    assert code(unknown) == (400, "event_unsupported")
    assert "email.received" in unknown.json()["known"]


def test_the_document_is_served(doors: Doors) -> None:
    made = doors["nobody"].get("/v1/openapi.json").json()

    assert {(m.upper(), p) for p, item in made["paths"].items() for m in item} == {(r.method, r.path) for r in routes()}
    assert json.dumps(made)
    assert doors["nobody"].get("/health").json() == {"status": "ok"}


def test_a_new_mail_of_the_customer_makes_a_draft_stale_until_it_was_shown(
    doors: Doors, box: dict[str, Any], gatepost: Any
) -> None:
    """Naming the hash is not enough: the thread has changed since."""
    asked = gatepost.write(to=box["address"], text="First")
    mail = eventually(lambda: gatepost.inbound(asked, mailbox_id=box["id"]), "the first mail")
    reply = doors["agent"].post("/reply_email", json={"message_id": mail["id"], "body": "Answer"}).json()

    def held() -> dict[str, Any] | None:
        page = doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"]
        return next((m for m in page if m["id"] == reply["id"]), None)

    shown = eventually(held, "the held answer")
    again = gatepost.write(to=box["address"], text="Second", in_reply_to=asked)
    eventually(lambda: gatepost.inbound(again, mailbox_id=box["id"]), "the second mail")
    decision = {"message_id": reply["id"], "decision": "approve", "revision": shown["content_sha256"]}

    early = doors["reviewer"].post("/decide_email", json=decision)
    stale = held()
    late = doors["reviewer"].post("/decide_email", json=decision)

    assert code(early) == (409, "stale_revision")
    assert stale is not None
    assert stale["stale"] is True
    assert late.status_code == 200


def test_an_attachment_goes_in_and_comes_out(doors: Doors, box: dict[str, Any]) -> None:
    files = [{"name": "a b.txt", "content_base64": "aGVsbG8=", "content_type": "text/plain"}]
    sent = doors.send(box, attachments=files).json()
    shown = doors["agent"].get(f"/v1/emails/{sent['id']}").json()
    path = f"/v1/mailboxes/{box['id']}/emails/{sent['id']}/attachments/"

    assert [(a["name"], a["content_type"]) for a in shown["attachments"]] == [("a b.txt", "text/plain")]
    for name in ("a%20b.txt", shown["attachments"][0]["id"]):
        reply = doors["agent"].get(path + name)
        assert reply.content == b"hello"
        assert reply.headers["x-content-type-options"] == "nosniff"
    assert code(doors["agent"].get(path + "other")) == (404, "not_found")
