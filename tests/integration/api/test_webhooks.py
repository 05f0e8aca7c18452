"""The webhook doors of a running installation: secrets that rotate, tests, the log, sending again, and hostile targets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from support.installation import Installation, Refused, eventually
from support.receiver import Receiver

HOSTILE = [
    "http://hooks.example.com/x",
    "ftp://hooks.example.com/x",
    "file:///etc/passwd",
    "gopher://hooks.example.com/x",
    "javascript:alert(1)",
    "https://10.0.0.1/x",
    "https://172.16.3.4/x",
    "https://192.168.1.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/x",
    "https://224.0.0.1/x",
    "https://255.255.255.255/x",
    "https://192.0.2.1/x",
    "https://198.18.0.1/x",
    "https://0.0.0.0/x",
    "https://[::]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://[::ffff:a9fe:a9fe]/x",
    "https://[::10.0.0.1]/x",
    "https://[64:ff9b::a00:1]/x",
    "https://[2002:a00:1::]/x",
    "https://[fe80::1%25eth0]/x",
    "https://[fc00::1]/x",
    "https://[fec0::1]/x",
    "https://[fd00:ec2::254]/x",
    "https://metadata.google.internal/x",
    "https://printer.local/x",
    "https://intranet/x",
    "https://user@hooks.example.com/x",
    "https://user:pass@hooks.example.com/x",
    "https://hooks.example.com:22/x",
    "https://hooks.example.com:4222/x",
    "https://hooks.example.com:5432/x",
    "https://hooks.example.com:99999/x",
    "https://hooks.example.com\\@127.0.0.1/x",
    "https://0xa.0.0.1/x",
    "https://167772161/x",
    "https://012.0.0.1/x",
    "https://",
]


class Sink(Receiver):
    """Somebody's receiver; `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 200
        super().__init__(lambda *_: self.status)

    def wait(self, count: int) -> tuple[dict[str, str], bytes]:
        return eventually(lambda: self.got[count - 1] if len(self.got) >= count else None, f"webhook {count}")


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def hook(gatepost: Installation, sink: Sink) -> Iterator[dict[str, Any]]:
    """A subscription to mails of one mailbox."""
    body = {"url": sink.url, "events": ["email.received"], "mailbox": gatepost.mailbox["id"]}
    made = gatepost.call("POST", "/v1/webhooks", body, key="operator")
    yield made
    gatepost.call("DELETE", f"/v1/webhooks/{made['id']}", key="operator")


def ask(gatepost: Installation, hook: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
    return gatepost.call("POST", f"/v1/webhooks/{hook['id']}/{what}", body, key="operator")


def log(gatepost: Installation, hook: dict[str, Any], **filters: str) -> list[dict[str, Any]]:
    query = "&".join(f"{k}={v}" for k, v in filters.items())
    page = gatepost.call("GET", f"/v1/webhook-deliveries?webhook_id={hook['id']}&{query}", key="operator")
    return list(page["deliveries"])


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_is_refused(gatepost: Installation, url: str) -> None:
    """Also in the development profile, which opens loopback and nothing else."""
    with pytest.raises(Refused) as refused:
        gatepost.call("POST", "/v1/webhooks", {"url": url, "events": ["*"]}, key="operator")

    assert refused.value.body["code"] in {"url_refused", "invalid_request"}


def test_a_secret_rotates_with_a_grace(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """Both sign until somebody says that the new one is in place; the old header stays on the old one until then."""
    new = ask(gatepost, hook, "rotate-secret")
    ask(gatepost, hook, "test")
    headers, body = sink.wait(1)
    for secret in (hook["signing_secret"], new["signing_secret"]):
        assert Webhook(secret).verify(body, headers)

    def used() -> Any:
        rotation = gatepost.call("GET", f"/v1/webhooks/{hook['id']}", key="operator")["rotation"]
        return rotation and rotation["old_last_signed_at"]

    assert eventually(used, "the sign that the old secret was used")
    with pytest.raises(Refused) as twice:
        ask(gatepost, hook, "rotate-secret")
    assert twice.value.body["code"] == "rotation_under_way"
    assert ask(gatepost, hook, "rotate-secret", complete=True)["rotation"] is None
    ask(gatepost, hook, "test")
    headers, body = sink.wait(2)

    assert Webhook(new["signing_secret"]).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook["signing_secret"]).verify(body, headers)


def test_a_leaked_secret_ends_at_once(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """`grace_s: 0`, also in the middle of a rotation."""
    ask(gatepost, hook, "rotate-secret")
    new = ask(gatepost, hook, "rotate-secret", grace_s=0)
    ask(gatepost, hook, "test")
    headers, body = sink.wait(1)

    assert new["old_valid_until"] is None
    assert 2 == len(headers["webhook-signature"].split())  # v1 and v1a
    assert Webhook(new["signing_secret"]).verify(body, headers)


def test_a_test_event_looks_like_a_real_one(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """It says that it is a test, and whether the subscription would get the real one."""
    told = ask(gatepost, hook, "test", event="email.received")
    _, body = sink.wait(1)
    other = ask(gatepost, hook, "test", event="bounce")
    said = json.loads(body)

    assert (True, "email.received", told["id"]) == (said["test"], said["event"], said["id"])
    assert said["data"]["message_id"] == said["email_id"]
    assert (True, False) == (told["subscribed"], other["subscribed"])
    assert "No subscription" in other["note"]
    with pytest.raises(Refused) as unknown:
        ask(gatepost, hook, "test", event="email.opened")
    assert unknown.value.body["code"] == "event_unsupported"


def test_the_log_and_sending_one_again(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """Same id, same bytes, a count of how often; the payload can be read."""
    gatepost.write(subject="For the log")
    headers, body = sink.wait(1)
    (row,) = eventually(lambda: log(gatepost, hook, status="delivered"), "the log")
    again = gatepost.call("POST", f"/v1/webhook-deliveries/{row['id']}/redeliver", {}, key="operator")
    headers2, body2 = sink.wait(2)
    shown = gatepost.call("GET", f"/v1/webhook-deliveries/{row['id']}", key="operator")

    assert (row["id"], 200) == (headers["webhook-id"], row["response_status"])
    assert (headers["webhook-id"], body) == (headers2["webhook-id"], body2)
    assert again["redeliveries"] == 1
    assert json.loads(body) == shown["payload"]


def test_recover_sends_what_an_outage_left(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """A dry run counts; then each arrives once more, the failed and the waiting ones."""
    sink.status = 500
    gatepost.write(subject="During the outage")
    sink.wait(1)
    (row,) = eventually(lambda: [r for r in log(gatepost, hook) if r["tried"]], "a failed attempt in the log")
    dry = ask(gatepost, hook, "recover", dry_run=True)
    sink.status, before = 200, len(sink.got)
    done = ask(gatepost, hook, "recover")
    eventually(lambda: log(gatepost, hook, status="delivered"), "the delivery")

    assert (500, "answered 500") == (row["tried"][0]["status"], row["tried"][0]["error"])
    assert (True, 1) == (dry["dry_run"], dry["count"] + dry["hurried"])
    assert 1 == done["count"] + done["hurried"]
    assert len(sink.got) > before
    early = gatepost.call("GET", f"/v1/webhooks/{hook['id']}", key="operator")
    assert early["last_success_at"]


def test_an_endpoint_that_fails_from_the_start_warns(gatepost: Installation, sink: Sink) -> None:
    """Before the first day is over, not after the fifth."""
    sink.status = 404
    made = gatepost.call("POST", "/v1/webhooks", {"url": sink.url, "events": ["*"]}, key="operator")
    assert any("every event of every mailbox" in warning for warning in made["warnings"])
    ask(gatepost, made, "test")

    def warned() -> Any:
        found = gatepost.call("GET", f"/v1/webhooks/{made['id']}", key="operator")
        return found if any("No delivery has arrived" in w for w in found["warnings"]) else None

    assert eventually(warned, "the warning")["last_error"] == "answered 404"
    gatepost.call("PATCH", f"/v1/webhooks/{made['id']}", {"is_active": False}, key="operator")
    with pytest.raises(Refused) as off:
        ask(gatepost, made, "test")
    assert off.value.body["code"] == "webhook_off"
    eventually(lambda: log(gatepost, made, status="disabled"), "the state of what waited", within_s=40)
    gatepost.call("DELETE", f"/v1/webhooks/{made['id']}", key="operator")


def test_a_mail_that_no_subscription_matched_says_so(gatepost: Installation) -> None:
    """Not an empty list that could mean anything."""
    box = gatepost.mailbox_in("read_only")
    sent = gatepost.write(to=box["address"])
    mail = eventually(lambda: gatepost.inbound(sent, mailbox_id=box["id"]), "the mail")
    page = gatepost.call("GET", f"/v1/webhook-deliveries?message_id={mail['id']}", key="operator")

    assert (False, []) == (page["matched"], page["deliveries"])
    assert "No subscription matched" in page["note"]


def test_only_operators_touch_secrets(gatepost: Installation, hook: dict[str, Any]) -> None:
    """An agent's or a reviewer's key cannot point mail elsewhere or learn a secret."""
    for key in ("agent", "reviewer"):
        for what in ("rotate-secret", "test", "recover"):
            with pytest.raises(Refused) as refused:
                gatepost.call("POST", f"/v1/webhooks/{hook['id']}/{what}", {}, key=key)
            assert refused.value.status == 403


def test_why_tells_who_was_told(gatepost: Installation, sink: Sink, hook: dict[str, Any]) -> None:
    """The chain of a mail ends with its webhooks, and names the trace that holds it all."""
    rfc = gatepost.write(subject="Why")
    sink.wait(1)
    mail = eventually(lambda: gatepost.inbound(rfc), "the mail")
    why = gatepost.call("GET", f"/v1/emails/{mail['id']}/why", key="reviewer")

    assert [hook["id"]] == [told["webhook_id"] for told in why["webhooks"]]
    assert "url" not in why["webhooks"][0]
    assert 32 == len(why["trace_id"])
