"""The README's story with real processes: SMTP in, draft, gate, decision, signed SMTP out, webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from support.installation import Installation, Refused, eventually, header

KNOWN = "How long does delivery take? Where is my order?"
UNKNOWN = "What is the airspeed velocity of an unladen swallow?"


class Receiver:
    """A webhook endpoint that keeps what it was sent."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, kind: str, message_id: str | None = None) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, body in list(self.got)]
        return [b for b in bodies if b["type"] == kind and message_id in (None, b["message_id"])]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_mail_goes_all_the_way(gatepost: Installation, receiver: Receiver) -> None:
    """In over SMTP, drafted, held, approved, out signed and threaded, and the world is told."""
    hook = gatepost.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["*"]}, key="operator")
    asked = gatepost.write(text=KNOWN)
    held = gatepost.held_for(asked)
    assert gatepost.left_in_reply_to(asked) == []

    decided = gatepost.call(
        "POST",
        "/decide_email",
        {"message_id": held["message_id"], "decision": "approve", "revision": held["content_sha256"]},
        key="reviewer",
    )
    (left,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the answer at the catcher")

    assert decided["status"] in {"approved", "approved_and_sent"}
    assert [d["result"] for d in left["dkim"] if d["result"] == "pass"] != []
    assert header(left, "references").split()[-1] == asked
    assert header(left, "list-unsubscribe-post") == "List-Unsubscribe=One-Click"
    assert left["rcpt_to"] == ["ada@customer.example"]
    assert "working days" in left["text"]

    delivered = eventually(lambda: receiver.events("email.delivered", held["message_id"]), "the delivered webhook")
    assert delivered[0]["data"]["message_id"] == held["message_id"]
    for kind in ("email.received", "email.pending_approval"):
        assert eventually(lambda kind=kind: receiver.events(kind), f"the {kind} webhook")
    secret = hook["signing_secret"].encode()
    for headers, body in receiver.got:
        expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        assert headers["x-multimail-signature"] == expected


def test_an_edit_is_what_leaves(gatepost: Installation) -> None:
    """The reviewer's words leave, not the drafter's."""
    asked = gatepost.write(text=KNOWN)
    held = gatepost.held_for(asked)

    gatepost.call(
        "POST",
        "/decide_email",
        {"message_id": held["message_id"], "decision": "approve", "revised_body": "Two days, as a person says."},
        key="reviewer",
    )
    (left,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the edited answer")

    assert "Two days, as a person says." in left["text"]
    assert "Source" not in left["text"]


def test_a_rejected_draft_comes_back_revised_and_stays_held(gatepost: Installation) -> None:
    """A note sends it back to the author; the rewrite waits again and is the same mail."""
    asked = gatepost.write(text=KNOWN)
    held = gatepost.held_for(asked)

    gatepost.call(
        "POST",
        "/decide_email",
        {"message_id": held["message_id"], "decision": "reject", "rejection_note": "Mention the tracking number."},
        key="reviewer",
    )

    def revised() -> dict[str, Any] | None:
        again = gatepost.held_for(asked)
        return again if again["revision"] > held["revision"] else None

    again = eventually(revised, "the second revision")
    assert again["message_id"] == held["message_id"]
    assert gatepost.left_in_reply_to(asked) == []


def test_a_final_rejection_ends_it(gatepost: Installation) -> None:
    """Without a note nothing comes back and nothing leaves."""
    asked = gatepost.write(text=KNOWN)
    held = gatepost.held_for(asked)

    gatepost.call("POST", "/decide_email", {"message_id": held["message_id"], "decision": "reject"}, key="reviewer")

    shown = gatepost.call("GET", f"/read_email?message_id={held['message_id']}")
    assert (shown["status"], shown["revisable"]) == ("rejected", False)
    with pytest.raises(Refused) as refusal:
        gatepost.call(
            "POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key="reviewer"
        )
    assert refusal.value.status == 409
    assert gatepost.left_in_reply_to(asked) == []


def test_what_the_drafter_does_not_know_is_left_to_a_person(gatepost: Installation) -> None:
    """The mark keeps it held in every mode, and it cannot be approved as it stands."""
    asked = gatepost.write(to=gatepost.mailbox_in("autonomous")["address"], text=UNKNOWN)
    held = gatepost.held_for(asked)

    assert "[REVIEWER:" in held["draft_body"]
    with pytest.raises(Refused):
        gatepost.call(
            "POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key="reviewer"
        )


@pytest.mark.parametrize("mode", ["monitored", "autonomous"])
def test_a_looser_mode_lets_a_known_answer_go(gatepost: Installation, mode: str) -> None:
    """No person was asked, and the mail left signed."""
    asked = gatepost.write(to=gatepost.mailbox_in(mode)["address"], text=KNOWN, sender=f"Bob <bob@{mode}.example>")

    (left,) = eventually(lambda: gatepost.left_in_reply_to(asked), f"the answer in {mode} mode")

    assert [d["result"] for d in left["dkim"]].count("pass") >= 1


def test_gated_all_shows_agents_nothing_before_a_person_did(gatepost: Installation) -> None:
    """Inbound mail waits too; admitting it starts the draft, which waits again."""
    mailbox = gatepost.mailbox_in("gated_all")
    asked = gatepost.write(to=mailbox["address"], text=KNOWN)

    def waiting() -> dict[str, Any] | None:
        queue = gatepost.call("GET", f"/list_pending?mailbox_id={mailbox['id']}", key="reviewer")["messages"]
        return next((m for m in queue if m["rfc_message_id"] == asked and m["direction"] == "inbound"), None)

    inbound = eventually(waiting, "the inbound mail in the queue")
    assert inbound["status"] == "pending_inbound_approval"
    gatepost.call("POST", "/decide_email", {"message_id": inbound["message_id"], "decision": "approve"}, key="reviewer")
    held = gatepost.held_for(asked)
    gatepost.call("POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key="reviewer")

    assert eventually(lambda: gatepost.left_in_reply_to(asked), "the answer in gated_all mode")


def test_read_only_never_sends(gatepost: Installation) -> None:
    """The agent reads; a send is refused at the door."""
    mailbox = gatepost.mailbox_in("read_only")
    asked = gatepost.write(to=mailbox["address"], text=KNOWN)
    eventually(lambda: gatepost.inbound(asked, mailbox_id=mailbox["id"]), "the stored mail")

    with pytest.raises(Refused) as refusal:
        gatepost.call(
            "POST", "/send_email", {"from": mailbox["address"], "to": "x@customer.example", "subject": "s", "body": "b"}
        )

    assert (refusal.value.status, refusal.value.body["code"]) == (403, "read_only")
    assert gatepost.left_in_reply_to(asked) == []


def test_the_same_mail_twice_is_one(gatepost: Installation) -> None:
    """A peer that lost our 250 sends the same bytes again."""
    mail_id = "<same-twice@customer.example>"
    for _ in range(2):
        gatepost.write(text=KNOWN, message_id=mail_id)
    gatepost.held_for(mail_id)

    page = gatepost.call("GET", f"/check_inbox?mailbox_id={gatepost.mailbox['id']}&limit=100&direction=inbound")
    assert [m["rfc_message_id"] for m in page["messages"]].count(mail_id) == 1


def test_the_customers_next_mail_joins_the_thread(gatepost: Installation) -> None:
    """Their answer to our answer stands on the same thread."""
    asked = gatepost.write(text=KNOWN, sender="Eve <eve@customer.example>")
    held = gatepost.held_for(asked)
    gatepost.call("POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key="reviewer")
    (left,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the first answer")
    ours = header(left, "message-id")

    again = gatepost.write(text="How do I return an item?", sender="Eve <eve@customer.example>", in_reply_to=ours)
    joined = eventually(lambda: gatepost.inbound(again), "the second mail")
    forged = gatepost.write(text="Tell me all.", sender="Mallory <m@evil.example>", in_reply_to=ours)
    stranger = eventually(lambda: gatepost.inbound(forged), "the stranger's mail")

    assert joined["thread_id"] == held["thread_id"]
    assert stranger["thread_id"] != held["thread_id"]


def test_unsubscribe_by_one_click_and_never_again(gatepost: Installation) -> None:
    """Looking at the link does nothing; one POST suppresses; the next send is refused."""
    asked = gatepost.write(text=KNOWN, sender="Gone <gone@customer.example>")
    held = gatepost.held_for(asked)
    gatepost.call("POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key="reviewer")
    (left,) = eventually(lambda: gatepost.left_in_reply_to(asked), "the answer")
    url = next(
        u
        for u in header(left, "list-unsubscribe").replace("<", " ").replace(">", " ").replace(",", " ").split()
        if u.startswith("http")
    )
    assert url.startswith(gatepost.http_url)

    import urllib.request

    def suppressed() -> bool:
        page = gatepost.call("GET", "/v1/suppression", key="operator")
        return "gone@customer.example" in [s["address"] for s in page["suppressions"]]

    for _ in range(3):
        with urllib.request.urlopen(url, timeout=10) as page:
            assert page.status == 200
    assert not suppressed()
    with urllib.request.urlopen(urllib.request.Request(url, data=b"List-Unsubscribe=One-Click"), timeout=10) as page:
        assert page.status == 200
    eventually(suppressed, "the suppression")
    with pytest.raises(Refused) as refusal:
        gatepost.call(
            "POST",
            "/send_email",
            {"from": gatepost.mailbox["address"], "to": "gone@customer.example", "subject": "s", "body": "b"},
        )
    assert (refusal.value.status, refusal.value.body["code"]) == (400, "suppressed")


def test_an_agent_decides_nothing(gatepost: Installation) -> None:
    """Neither with its own key nor on its own draft."""
    asked = gatepost.write(text=KNOWN)
    held = gatepost.held_for(asked)

    for key in ("agent", "operator"):
        with pytest.raises(Refused) as refusal:
            gatepost.call("POST", "/decide_email", {"message_id": held["message_id"], "decision": "approve"}, key=key)
        assert refusal.value.status == 403
