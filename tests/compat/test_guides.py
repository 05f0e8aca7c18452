"""The two published integration guides, as programs of our own that make exactly their calls.

Only base URL and key differ, and each call is made with the key that may.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from email.message import EmailMessage
from smtplib import SMTP
from typing import Any

import httpx2
import pytest

from support.installation import eventually, header

CUSTOMER = "casey@customer.example"
Clients = Callable[[str], Any]
Box = dict[str, Any]


def write(gatepost: Any, box: Box, text: str = "Where is my order?", **more: Any) -> str:
    return str(gatepost.write(to=box["address"], sender=f"Casey <{more.pop('sender', CUSTOMER)}>", text=text, **more))


def arrived(client: Clients, box: Box, rfc_message_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        page = client("agent").check_inbox(box["id"])["messages"]
        return next((m for m in page if m["rfc_message_id"] == rfc_message_id), None)

    return eventually(look, "the inbound mail")


def pending(client: Clients, box: Box, message_id: str, within_s: float = 10) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        page = client("reviewer").list_pending(mailbox_id=box["address"])["messages"]
        return next((m for m in page if m["message_id"] == message_id), None)

    return eventually(look, "the held draft", within_s)


def left_to(gatepost: Any, rfc_message_id: str) -> list[dict[str, Any]]:
    return [m for m in gatepost.left() if header(m, "message-id") == rfc_message_id]


# -- the auto-reply guide ------------------------------------------------------------------------------------------


def test_the_flask_handler_verifies_bare_hex_and_reads_its_fields(
    gatepost: Any, client: Clients, box: Box, receiver: Any
) -> None:
    """X-MultiMail-Signature is bare hex over the raw body under the literal secret."""
    secret = "a-secret-of-our-own"
    client("operator").create_webhook(receiver.url, ["email.received"], mailbox=box["address"], secret=secret)

    sent = write(gatepost, box, subject="Order 17")

    (event,) = eventually(lambda: receiver.events(type="email.received"), "the webhook")
    headers, body = receiver.got[0]
    assert hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() == headers["x-multimail-signature"]
    assert {"message_id", "thread_id", "sender", "subject", "body_text"} <= event.keys()
    assert event["sender"] == CUSTOMER
    assert event["subject"] == "Order 17"
    assert event["body_text"].strip() == "Where is my order?"
    assert event["message_id"] == arrived(client, box, sent)["message_id"]
    assert client("agent").verify_webhook(body, headers, secret)["id"] == event["id"]


def test_a_thread_reads_as_a_conversation(gatepost: Any, client: Clients, box: Box) -> None:
    """`messages` with direction and body_text, oldest first, found without naming a mailbox."""
    first = arrived(client, box, write(gatepost, box, text="First question"))
    reply = client("agent").reply_email(first["message_id"], "First answer", oversight_mode="gated_send")
    held = pending(client, box, reply["message_id"])
    before = client("agent").get_thread(first["thread_id"])["messages"]
    client("reviewer").decide_email(held["message_id"], "approve")
    left = eventually(lambda: left_to(gatepost, held["rfc_message_id"]), "the answer")
    write(gatepost, box, text="Second question", in_reply_to=header(left[0], "message-id"))

    def three() -> list[dict[str, Any]] | None:
        messages = client("agent").get_thread(first["thread_id"])["messages"]
        return messages if len(messages) == 3 else None

    messages = eventually(three, "three mails on the thread")
    assert [m["direction"] for m in before] == ["inbound"]
    assert [m["direction"] for m in messages] == ["inbound", "outbound", "inbound"]
    assert "First question" in messages[0]["body_text"]
    assert "First answer" in messages[1]["body_text"]
    assert "Second question" in messages[2]["body_text"]


def test_a_reply_is_in_the_queue_within_a_second(gatepost: Any, client: Clients, box: Box) -> None:
    mail = arrived(client, box, write(gatepost, box))

    reply = client("agent").reply_email(mail["message_id"], "We look into it.", oversight_mode="gated_send")
    began = time.monotonic()
    pending(client, box, reply["message_id"])

    assert time.monotonic() - began < 3
    assert reply["status"] == "pending_scan"
    assert reply["original_message_id"] == mail["message_id"]
    assert reply["thread_id"] == mail["thread_id"]


def test_the_review_loop_knows_three_decisions(gatepost: Any, client: Clients, box: Box) -> None:
    """Approve, approve with another body (which is what leaves), reject with a note."""
    replies = []
    for word in ("one", "two", "three"):
        mail = arrived(client, box, write(gatepost, box, text=f"Question {word}", sender=f"{word}@customer.example"))
        replies.append(client("agent").reply_email(mail["message_id"], f"Draft {word}", oversight_mode="gated_send"))
    for reply in replies:
        pending(client, box, reply["message_id"])

    reviewer = client("reviewer")
    queue = {m["draft_body"]: m for m in reviewer.list_pending(mailbox_id=box["address"])["messages"]}
    for item in queue.values():
        assert item["from"] == box["address"]
        assert item["subject"]
    approved = reviewer.decide_email(queue["Draft one"]["message_id"], "approve")
    edited = reviewer.decide_email(queue["Draft two"]["message_id"], "approve", revised_body="Better two")
    rejected = reviewer.decide_email(queue["Draft three"]["message_id"], "reject", rejection_note="Say when.")

    assert approved["status"] in {"approved", "approved_and_sent"}
    assert edited["status"] in {"approved", "approved_and_sent"}
    assert rejected["status"] == "rejected"
    one = eventually(lambda: left_to(gatepost, queue["Draft one"]["rfc_message_id"]), "the approved one")
    two = eventually(lambda: left_to(gatepost, queue["Draft two"]["rfc_message_id"]), "the edited one")
    assert "Draft one" in one[0]["text"]
    assert "Better two" in two[0]["text"]
    assert "Draft two" not in two[0]["text"]
    assert left_to(gatepost, queue["Draft three"]["rfc_message_id"]) == []

    again = client("agent").reply_email(replies[2]["message_id"], "Draft three, with a date")
    assert again["message_id"] == replies[2]["message_id"]
    assert again["revision"] == 2
    assert pending(client, box, again["message_id"])["draft_body"] == "Draft three, with a date"


def test_the_delivery_handler_tags_the_original(gatepost: Any, client: Clients, box: Box, receiver: Any) -> None:
    """`event` is message.delivered; original_message_id names the inbound mail; tags may be a list."""
    client("operator").create_webhook(receiver.url, ["message.delivered"], mailbox=box["address"])
    mail = arrived(client, box, write(gatepost, box))
    reply = client("agent").reply_email(mail["message_id"], "Done.")
    pending(client, box, reply["message_id"])
    client("reviewer").decide_email(reply["message_id"], "approve")

    (event,) = eventually(lambda: receiver.events(event="message.delivered"), "the delivery webhook")
    tagged = client("agent").tag_email(event["original_message_id"], ["auto-replied", "status=done"])

    assert event["original_message_id"] == mail["message_id"]
    assert tagged["tags"] == {"auto-replied": "true", "status": "done"}


def test_the_tool_calls_in_their_order(gatepost: Any, client: Clients, box: Box) -> None:
    """The guide decides on the inbound id; the one draft that answers it is meant."""
    sent = write(gatepost, box)
    arrived(client, box, sent)
    agent, reviewer = client("agent"), client("reviewer")

    unread = agent.check_inbox(box["id"], filter="unread")["messages"]
    mail = next(m for m in unread if m["rfc_message_id"] == sent)
    agent.get_thread(mail["thread_id"])
    read = agent.read_email(mail["message_id"])
    reply = agent.reply_email(mail["message_id"], "Here is your answer.", oversight_mode="gated_send")
    pending(client, box, reply["message_id"])
    reviewer.list_pending(box["id"])
    decided = reviewer.decide_email(mail["message_id"], "approve")
    tagged = agent.tag_email(mail["message_id"], ["handled"])

    assert read["body_text"].strip() == "Where is my order?"
    assert decided["message_id"] == reply["message_id"]
    assert "handled" in tagged["tag_list"]
    assert mail["message_id"] not in [
        m["message_id"] for m in agent.check_inbox(box["id"], filter="unread")["messages"]
    ]


# -- the Zendesk guide ---------------------------------------------------------------------------------------------


def zendesk(gatepost: Any, box: Box, ticket: int, to: str = CUSTOMER) -> httpx2.Response:
    """The guide's one POST, by httpx."""
    return httpx2.post(
        f"{gatepost.http_url}/send_email",
        headers={"Authorization": f"Bearer {gatepost.keys['agent']}"},
        json={
            "from": box["address"], "to": to, "subject": f"Re: ticket {ticket}", "body": "We have news for you.",
            "thread_id": f"zd-{ticket}", "oversight_mode": "gated_send", "metadata": {"zendesk_ticket_id": ticket},
        },
        timeout=15, trust_env=False,
    )  # fmt: skip


def test_a_ticket_becomes_a_held_mail_with_its_metadata(
    gatepost: Any, client: Clients, box: Box, receiver: Any
) -> None:
    """One POST; the approval webhook names the pending mail; the number stays a number; POST /decide_email lets it go."""
    client("operator").create_webhook(receiver.url, ["email.pending_approval"], mailbox=box["address"])
    ticket = int(time.time() * 1000)

    reply = zendesk(gatepost, box, ticket)

    assert reply.status_code == 202
    sent = reply.json()
    assert sent["thread_id"] == f"zd-{ticket}"
    (event,) = eventually(lambda: receiver.events(type="email.pending_approval"), "the approval webhook")
    assert event["message_id"] == sent["message_id"]
    assert event["metadata"] == {"zendesk_ticket_id": ticket}
    listed = client("reviewer").list_pending()["messages"]
    item = next(m for m in listed if m["message_id"] == sent["message_id"])
    assert item["to"] == [CUSTOMER]
    assert item["metadata"]["zendesk_ticket_id"] == ticket
    assert {"subject", "created_at"} <= item.keys()
    decided = httpx2.post(
        f"{gatepost.http_url}/decide_email",
        headers={"X-API-Key": gatepost.keys["reviewer"]},
        json={"message_id": event["message_id"], "decision": "approve"}, timeout=15, trust_env=False,
    )  # fmt: skip
    assert decided.status_code == 200
    assert eventually(lambda: left_to(gatepost, item["rfc_message_id"]), "the ticket's mail")


def test_the_customers_answer_carries_the_tickets_id(gatepost: Any, client: Clients, box: Box, receiver: Any) -> None:
    """`type` is email.received, and thread_id is zd-… as it was sent."""
    ticket = int(time.time() * 1000)
    sent = zendesk(gatepost, box, ticket).json()
    item = pending(client, box, sent["message_id"])
    client("reviewer").decide_email(sent["message_id"], "approve")
    left = eventually(lambda: left_to(gatepost, item["rfc_message_id"]), "the ticket's mail")
    client("operator").create_webhook(receiver.url, ["email.received"], mailbox=box["address"])

    write(gatepost, box, text="Thank you, solved.", in_reply_to=header(left[0], "message-id"))

    (event,) = eventually(lambda: receiver.events(type="email.received"), "the inbound webhook")
    tagged = client("agent").tag_email(event["message_id"], [f"zendesk:{ticket}"])
    assert event["thread_id"] == f"zd-{ticket}"
    assert event["from"] == CUSTOMER
    assert event["body_text"].strip() == "Thank you, solved."
    assert event["thread_metadata"] == {"zendesk_ticket_id": ticket}
    assert tagged["tags"] == {f"zendesk:{ticket}": "true"}


def test_the_first_key_makes_mailboxes_and_webhooks_at_once(gatepost: Any, client: Clients, receiver: Any) -> None:
    """201 without a code; `mailbox` may be an address."""
    headers = {"Authorization": f"Bearer {gatepost.keys['operator']}"}
    address = f"desk-{int(time.time() * 1000)}@guide.test"

    with httpx2.Client(base_url=gatepost.http_url, headers=headers, trust_env=False) as http:
        made = http.post("/create_mailbox", json={"address": address, "display_name": "Desk"})
        events = ["email.received", "email.pending_approval", "email.delivered"]
        hook = http.post("/webhooks", json={"url": receiver.url, "events": events, "mailbox": address})

    assert (made.status_code, hook.status_code) == (201, 201)
    assert made.json()["address"] == address
    assert hook.json()["mailbox"] == address
    assert hook.json()["events"] == events
    assert hook.json()["signing_secret"].startswith("whsec_")
    assert hook.json()["signature_format"] == "hex"


def test_unsubscribe_by_reply_is_for_ever(gatepost: Any, client: Clients, box: Box, receiver: Any) -> None:
    """Both events fire, and the next send to that address is refused."""
    customer = f"gone-{int(time.time() * 1000)}@customer.example"
    mail = arrived(client, box, write(gatepost, box, sender=customer))
    reply = client("agent").reply_email(mail["message_id"], "Our answer.")
    held = pending(client, box, reply["message_id"])
    client("reviewer").decide_email(reply["message_id"], "approve")
    left = eventually(lambda: left_to(gatepost, held["rfc_message_id"]), "the answer")
    client("operator").create_webhook(receiver.url, ["email.received", "email.unsubscribed"], mailbox=box["address"])
    unsubscribe = EmailMessage()
    unsubscribe["From"], unsubscribe["To"], unsubscribe["Subject"] = customer, box["address"], "unsubscribe"
    unsubscribe["In-Reply-To"] = unsubscribe["References"] = header(left[0], "message-id")
    unsubscribe["Message-ID"] = f"<bye-{time.time_ns()}@customer.example>"
    unsubscribe.set_content("unsubscribe")

    with SMTP(*gatepost.smtp, timeout=15) as smtp:
        smtp.send_message(unsubscribe)

    assert eventually(lambda: receiver.events(type="email.received"), "email.received")
    assert eventually(lambda: receiver.events(type="email.unsubscribed"), "email.unsubscribed")
    refused = httpx2.post(
        f"{gatepost.http_url}/send_email", headers={"Authorization": f"Bearer {gatepost.keys['agent']}"},
        json={"from": box["address"], "to": customer, "subject": "Hello", "body": "Again"}, timeout=15, trust_env=False,
    )  # fmt: skip
    assert refused.status_code == 400
    assert refused.json()["code"] == "suppressed"
    assert refused.json()["recipients"] == [customer]


@pytest.mark.parametrize(
    "name", ["send_email", "reply_email", "decide_email", "tag_email", "cancel_message", "create_mailbox"]
)
def test_a_get_never_does_anything(gatepost: Any, name: str) -> None:
    reply = httpx2.get(
        f"{gatepost.http_url}/{name}", headers={"Authorization": f"Bearer {gatepost.keys['agent']}"}, trust_env=False
    )

    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST"
    assert json.loads(reply.text)["code"] == "method_not_allowed"


HANDLER = """
const { createServer } = require("node:http");
const { createHmac, timingSafeEqual } = require("node:crypto");
const [secret, base, key, ticket] = process.argv.slice(1);
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const raw = Buffer.concat(parts);
    const expected = Buffer.from(createHmac("sha256", secret).update(raw).digest("hex"));
    const given = Buffer.from(request.headers["x-multimail-signature"] ?? "");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) { response.writeHead(401).end(); return; }
    const event = JSON.parse(raw.toString());
    if (event.type !== "email.received") { response.writeHead(200).end(); return; }
    const tagged = await fetch(`${base}/tag_email`, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ message_id: event.message_id, tags: [`zendesk:${ticket}`] }),
    });
    const { from, subject, body_text, thread_id } = event;
    console.log(JSON.stringify({ status: tagged.status, from, subject, body_text, thread_id, tags: (await tagged.json()).tags }));
    response.writeHead(200).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_inbound_handler_in_javascript(gatepost: Any, client: Clients, box: Box) -> None:
    """The guide's handler under Node: the whole signature is compared, the mail is tagged with its ticket."""
    secret = "a-secret-of-our-own"
    with subprocess.Popen(
        ["node", "-e", HANDLER, "--", secret, gatepost.http_url, gatepost.keys["agent"], "123"],
        stdout=subprocess.PIPE,
        text=True,
    ) as handler:
        try:
            assert handler.stdout is not None
            port = int(handler.stdout.readline())
            client("operator").create_webhook(
                f"http://127.0.0.1:{port}/", ["email.received"], mailbox=box["address"], secret=secret
            )
            write(gatepost, box, text="For Node", subject="Ticket")
            told = json.loads(handler.stdout.readline())
        finally:
            handler.kill()

    assert told["status"] == 200
    assert (told["from"], told["subject"], told["body_text"].strip()) == (CUSTOMER, "Ticket", "For Node")
    assert told["tags"] == {"zendesk:123": "true"}
