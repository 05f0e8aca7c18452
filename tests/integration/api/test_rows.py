"""The rest of the doors against a running installation: contacts, account, figures, export, spam, forwarding, events."""

from __future__ import annotations

import itertools
import json
import threading
import time
import urllib.request
from typing import Any

import pytest

from support.installation import Refused, eventually

_numbers = itertools.count(1)


@pytest.fixture
def box(gatepost: Any) -> dict[str, Any]:
    return dict(gatepost.call("POST", "/v1/mailboxes", {"address": f"rows{next(_numbers)}@rows.test"}, key="operator"))


def refused(gatepost: Any, method: str, path: str, body: Any = None, *, key: str = "agent") -> tuple[int, str]:
    with pytest.raises(Refused) as refusal:
        gatepost.call(method, path, body, key=key)
    return refusal.value.status, refusal.value.body["code"]


def received(gatepost: Any, box: dict[str, Any], **mail: Any) -> dict[str, Any]:
    rfc = gatepost.write(to=box["address"], **mail)
    return eventually(lambda: gatepost.inbound(rfc, mailbox_id=box["id"]), "the mail in the inbox")


def test_a_contact_is_kept_found_changed_and_forgotten(gatepost: Any) -> None:
    address = f"Person{next(_numbers)}@Example.test"
    made = gatepost.call("POST", "/v1/contacts", {"email": address, "tags": ["vip"]})
    named = gatepost.call("POST", "/add_contact", {"email": address, "name": "Ada Byron"})
    found = gatepost.call("GET", "/v1/contacts?q=byron")["contacts"]

    assert made["name"] == address.lower().partition("@")[0]
    assert (named["id"], named["name"], named["tags"]) == (made["id"], "Ada Byron", ["vip"])
    assert isinstance(made["created_at"], int)
    assert made["id"] in {c["id"] for c in found}
    assert refused(gatepost, "DELETE", f"/v1/contacts/{made['id']}") == (403, "scope_missing")
    assert gatepost.call("DELETE", f"/v1/contacts/{made['id']}", key="operator")["deleted"] is True
    assert refused(gatepost, "DELETE", f"/v1/contacts/{made['id']}", key="operator") == (404, "not_found")


@pytest.mark.parametrize(
    "wrong", [{}, {"email": "x"}, {"email": "a@b.test", "tags": [1]}, {"email": "a@b.test", "tags": ["x" * 101]}]
)
def test_a_contact_without_sense_is_refused(gatepost: Any, wrong: dict[str, Any]) -> None:
    assert refused(gatepost, "POST", "/v1/contacts", wrong)[0] == 400


def test_only_an_operator_says_where_codes_go(gatepost: Any) -> None:
    before = gatepost.call("GET", "/v1/account")
    changed = gatepost.call("PATCH", "/v1/account", {"name": "Rows Ltd", "physical_address": None}, key="operator")
    back = gatepost.call("PATCH", "/v1/account", {"name": before["name"]}, key="operator")

    assert (changed["status"], changed["name"], changed["account"]["name"]) == ("updated", "Rows Ltd", "Rows Ltd")
    assert back["name"] == before["name"]
    assert refused(gatepost, "PATCH", "/v1/account", {"oversight_email": "me@evil.test"}) == (403, "scope_missing")
    assert refused(gatepost, "PATCH", "/v1/account", {"oversight_email": "nowhere"}, key="operator")[0] == 400


def test_a_mailbox_ends_and_comes_back_with_its_address(gatepost: Any, box: dict[str, Any]) -> None:
    assert refused(gatepost, "DELETE", f"/v1/mailboxes/{box['id']}") == (403, "scope_missing")
    assert gatepost.call("DELETE", f"/v1/mailboxes/{box['id']}", key="operator")["status"] == "deleted"
    assert refused(gatepost, "GET", f"/v1/mailboxes/{box['id']}") == (404, "not_found")
    assert refused(gatepost, "POST", "/v1/mailboxes", {"address": box["address"]}, key="operator") == (
        409,
        "address_taken",
    )
    assert gatepost.call("POST", f"/v1/mailboxes/{box['address']}/restore", {}, key="operator")["id"] == box["id"]
    assert gatepost.call("GET", f"/v1/mailboxes/{box['id']}")["address"] == box["address"]


def test_a_key_only_loses_scopes(gatepost: Any) -> None:
    made = gatepost.call("POST", "/v1/api-keys", {"name": "narrow", "scopes": ["read", "send"]}, key="operator")
    path = f"/v1/api-keys/{made['id']}"
    narrowed = gatepost.call("PATCH", path, {"name": "reader", "scopes": ["read"]}, key="operator")

    assert (narrowed["name"], narrowed["scopes"]) == ("reader", ["read"])
    assert refused(gatepost, "PATCH", path, {"scopes": ["read", "send"]}, key="operator") == (400, "scope_conflict")
    assert refused(gatepost, "PATCH", path, {"scopes": []}, key="operator")[0] == 400
    gatepost.call("DELETE", path, key="operator")
    assert refused(gatepost, "PATCH", path, {"name": "x"}, key="operator") == (404, "not_found")


def test_usage_and_figures_count_what_happened(gatepost: Any, box: dict[str, Any]) -> None:
    quiet = gatepost.call("GET", f"/v1/stats?mailbox={box['id']}", key="reviewer")
    received(gatepost, box)
    usage = gatepost.call("GET", "/v1/usage?breakdown=daily")

    assert (quiet["approval_rate"], quiet["edit_rate"], quiet["mean_decision_s"]) == (None, None, None)
    assert usage["emails_received"] >= 1
    assert isinstance(usage["from"], int)
    assert {"date", "event_type", "count"} == set(usage["data"][0])
    assert refused(gatepost, "GET", "/v1/usage?from=2000&to=1000")[0] == 400
    assert refused(gatepost, "GET", "/v1/usage?from=99999999999999999999")[0] == 400


def test_the_export_is_whole_and_once_an_hour(gatepost: Any, box: dict[str, Any]) -> None:
    mail = received(gatepost, box, text="Words that an export holds.")
    whole = gatepost.call("GET", "/v1/export", key="operator")

    assert mail["id"] in {m["id"] for m in whole["emails"]}
    assert box["id"] in {m["id"] for m in whole["mailboxes"]}
    assert not any("api_key" in key or "key_sha256" in key for key in whole["api_keys"])
    with pytest.raises(Refused) as refusal:
        gatepost.call("GET", "/v1/export", key="operator")
    assert (refusal.value.status, refusal.value.body["code"]) == (429, "rate_limited")
    assert 0 < int(refusal.value.body["retry_after"]) <= 3600


def test_a_report_moves_a_mail_to_the_bucket_and_back(gatepost: Any, box: dict[str, Any]) -> None:
    mail = received(gatepost, box)
    assert gatepost.call("POST", f"/v1/emails/{mail['id']}/report-spam", {})["status"] == "spam_quarantined"
    unread = gatepost.call("GET", f"/v1/mailboxes/{box['id']}/emails?status=unread")["emails"]
    bucket = gatepost.call("GET", "/v1/emails?limit=100")["emails"]

    assert mail["id"] not in {m["id"] for m in unread}
    assert mail["id"] in {m["id"] for m in bucket}
    assert gatepost.call("POST", f"/v1/emails/{mail['id']}/not-spam", {})["status"] == "unread"
    assert mail["id"] not in {m["id"] for m in gatepost.call("GET", "/v1/emails?limit=100")["emails"]}


def test_search_finds_words_phrases_and_our_own_drafts(gatepost: Any, box: dict[str, Any]) -> None:
    mail = received(gatepost, box, subject="Zebrafish delivery", text="The quick zebrafish swims to Vienna.")
    reply = gatepost.call("POST", "/reply_email", {"message_id": mail["id"], "body": "The marmoset answers."})
    path = f"/v1/mailboxes/{box['id']}/emails?q="

    assert [m["id"] for m in gatepost.call("GET", f"{path}zebrafish+vienna")["emails"]] == [mail["id"]]
    assert [m["id"] for m in gatepost.call("GET", f"{path}%22quick+zebrafish%22")["emails"]] == [mail["id"]]
    assert [m["id"] for m in gatepost.call("GET", f"{path}zebrafish+-vienna")["emails"]] == [reply["id"]]
    assert [m["id"] for m in gatepost.call("GET", f"{path}marmoset")["emails"]] == [reply["id"]]


def test_a_mail_is_sent_on_with_its_words(gatepost: Any, box: dict[str, Any]) -> None:
    mail = received(gatepost, box, subject="Original words", text="Please look at this.")
    sent = gatepost.call(
        "POST",
        f"/v1/mailboxes/{box['id']}/forward/{mail['id']}",
        {"to": "colleague@rows.test", "markdown": "See below."},
    )
    view = gatepost.call("GET", f"/v1/emails/{sent['id']}")

    assert (sent["status"], sent["forwarded_message_id"]) == ("pending_scan", mail["id"])
    assert view["subject"] == "Fwd: Original words"
    assert view["to"] == ["colleague@rows.test"]
    assert "See below." in view["body"]
    assert "> Please look at this." in view["body"]


def test_a_reply_to_all_goes_to_all_but_us(gatepost: Any, box: dict[str, Any]) -> None:
    import smtplib
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["From"], mail["To"], mail["Cc"] = "a@customer.test", f"{box['address']}, b@customer.test", "c@customer.test"
    mail["Subject"], mail["Message-ID"] = "All of us", f"<all{next(_numbers)}.{time.time()}@customer.test>"
    mail.set_content("Hello all")
    with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
        smtp.send_message(mail, to_addrs=[box["address"]])
    found = eventually(lambda: gatepost.inbound(mail["Message-ID"], mailbox_id=box["id"]), "the mail")
    sent = gatepost.call("POST", "/reply_email", {"message_id": found["id"], "body": "To all.", "reply_all": True})
    view = gatepost.call("GET", f"/v1/emails/{sent['id']}")

    assert view["to"] == ["a@customer.test"]
    assert sorted(view["cc"]) == ["b@customer.test", "c@customer.test"]


def test_what_was_not_approved_can_be_changed_and_no_more_after(gatepost: Any, box: dict[str, Any]) -> None:
    later = "2099-01-01T10:00:00Z"
    sent = gatepost.call(
        "POST",
        f"/v1/mailboxes/{box['id']}/send",
        {"to": "x@rows.test", "subject": "Later", "markdown": "First words.", "send_at": later},
    )
    path = f"/v1/mailboxes/{box['id']}/emails/{sent['id']}/schedule"
    eventually(lambda: gatepost.call("GET", f"/v1/emails/{sent['id']}")["status"] == "pending_send_approval", "held")
    moved = gatepost.call("PATCH", path, {"send_at": "2098-01-01T10:00:00Z"})
    gatepost.call("PATCH", path, {"markdown": "Other words."})
    again = eventually(
        lambda: (v := gatepost.call("GET", f"/v1/emails/{sent['id']}"))["revision"] == 2 and "Other" in v["body"] and v,
        "revision 2",
    )

    assert moved["send_at"] == "2098-01-01T10:00:00.000Z"
    assert again["status"] == "pending_send_approval"
    assert refused(gatepost, "PATCH", path, {"send_at": "2001-01-01T10:00:00Z"})[0] == 400
    gatepost.call("POST", "/cancel_message", {"message_id": sent["id"]})
    assert refused(gatepost, "PATCH", path, {"markdown": "Too late."}) == (409, "not_editable")


def test_who_waits_is_told_at_once(gatepost: Any, box: dict[str, Any]) -> None:
    replies: list[dict[str, Any]] = []
    waiting = threading.Thread(
        target=lambda: replies.append(
            gatepost.call("GET", f"/v1/emails/wait?mailbox={box['id']}&timeout_seconds=12&subject_contains=awaited")
        )
    )
    waiting.start()
    time.sleep(0.5)
    gatepost.write(to=box["address"], subject="Another")
    gatepost.write(to=box["address"], subject="The awaited one")
    waiting.join(20)

    assert replies[0]["found"] is True
    assert replies[0]["email"]["subject"] == "The awaited one"
    assert gatepost.call("GET", f"/v1/emails/wait?mailbox={box['id']}&timeout_seconds=1")["found"] is False


def test_events_are_listed_resumed_and_followed(gatepost: Any, box: dict[str, Any]) -> None:
    path = f"/v1/events?mailbox={box['id']}&types=email.received"
    start = gatepost.call("GET", path)["cursor"]
    mail = received(gatepost, box)

    def told() -> Any:
        return gatepost.call("GET", f"{path}&cursor={start}")["events"]

    event = eventually(told, "the event in the list")[0]
    again = gatepost.call("GET", f"/v1/events/{event['id']}")

    assert (event["type"], event["message_id"]) == ("email.received", mail["id"])
    assert again == event
    assert refused(gatepost, "GET", f"/v1/events?cursor={start}") == (400, "invalid_request")
    assert refused(gatepost, "GET", "/v1/events/msg_00000000000000000000000000.1.email.held") == (404, "not_found")
    assert refused(gatepost, "GET", "/v1/events?types=email.opened") == (400, "event_unsupported")


def test_the_stream_tells_as_it_happens(gatepost: Any, box: dict[str, Any]) -> None:
    request = urllib.request.Request(f"{gatepost.http_url}/v1/events?mailbox={box['id']}")
    request.add_header("Authorization", f"Bearer {gatepost.keys['agent']}")
    request.add_header("Accept", "text/event-stream")
    with urllib.request.urlopen(request, timeout=20) as stream:
        gatepost.write(to=box["address"], subject="Followed")
        lines: list[str] = []
        while not any(line.startswith("event: email.received") for line in lines):
            lines.append(stream.readline().decode().strip())
        data = json.loads(stream.readline().decode().removeprefix("data: "))

    assert data["mailbox_id"] == box["id"]
    assert any(line.startswith("id: ") for line in lines)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/billing/checkout"), ("GET", "/v1/billing/session-key"), ("DELETE", "/v1/account"), ("POST", "/v1/account"),
     ("POST", "/v1/account/challenge"), ("GET", "/v1/confirm/abc")],
)  # fmt: skip
def test_what_is_not_offered_says_so_for_good(gatepost: Any, method: str, path: str) -> None:
    assert refused(gatepost, method, path, None if method == "GET" else {}, key="operator") == (501, "not_offered")


def test_the_operator_reads_what_was_reported(gatepost: Any) -> None:
    made = gatepost.call("POST", "/v1/feedback", {"text": "The button is blue."})
    assert made["status"] == "received"
    assert made["id"] in {i["id"] for i in gatepost.call("GET", "/v1/feedback", key="operator")["issues"]}
    assert refused(gatepost, "GET", "/v1/feedback") == (403, "scope_missing")


def test_the_public_pages_hold_keys_and_scopes(gatepost: Any) -> None:
    keys = gatepost.call("GET", "/.well-known/gatepost-signing-key")
    resource = gatepost.call("GET", "/.well-known/oauth-protected-resource")

    assert keys["keys"][0]["alg"] == "ES256"
    assert keys["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert resource["resource"].endswith("/mcp")


def test_a_program_is_not_told_why_a_person_must_look(gatepost: Any, box: dict[str, Any]) -> None:
    sent = gatepost.call(
        "POST",
        f"/v1/mailboxes/{box['id']}/send",
        {"to": "x@rows.test", "subject": "Gated", "markdown": f"Text {time.time()}."},
    )
    eventually(lambda: gatepost.call("GET", f"/v1/emails/{sent['id']}")["status"] == "pending_send_approval", "held")
    for_agent = gatepost.call("GET", f"/v1/emails/{sent['id']}")
    for_person = gatepost.call("GET", f"/v1/emails/{sent['id']}", key="reviewer")

    assert {r["why"] for r in for_agent["reasons"]} == {"a person must look at this"}
    assert for_agent["spam_score"] is None
    assert {r["why"] for r in for_person["reasons"]} != {"a person must look at this"}


def test_every_reply_tells_the_limit(gatepost: Any) -> None:
    request = urllib.request.Request(f"{gatepost.http_url}/v1/mailboxes")
    request.add_header("Authorization", f"Bearer {gatepost.keys['agent']}")
    with urllib.request.urlopen(request, timeout=15) as reply:
        held = {name.lower(): value for name, value in reply.headers.items()}

    assert int(held["ratelimit-limit"]) > 0
    assert 0 <= int(held["ratelimit-remaining"]) < int(held["ratelimit-limit"])
    assert 0 < int(held["ratelimit-reset"]) <= 60
    assert held["x-request-id"].startswith("req_")
