"""From a released delivery to what left, over a real database and a real SMTP server."""

from __future__ import annotations

import asyncio
import email
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.commands import DomainKey
from gatepost_contracts.email import EmailReported
from gatepost_contracts.ids import new_id
from gatepost_mail import tokens
from gatepost_runtime.keys import Keys
from support.lone_sender import eventually, lone_sender
from support.released import World
from support.smtp_peer import CLOSE, SILENT, Peer

LONE = Path(__file__).parents[2] / "support" / "lone_sender.py"


def verifies(raw: bytes, records: dict[str, str]) -> list[bool]:
    """dkimpy's word on each signature."""
    look = lambda name, timeout=5: records.get(name.decode().rstrip("."), "").encode() or None  # noqa: E731
    count = raw.lower().split(b"\r\n\r\n")[0].count(b"dkim-signature:")
    results = []
    for n in range(count):
        try:
            results.append(dkim.DKIM(raw).verify(idx=n, dnsfunc=look))
        except dkim.DKIMException:
            results.append(False)
    return results


async def test_a_released_mail_leaves_signed(world: World, peer: Peer, tmp_path: Path) -> None:
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "delivered")

    raw = peer.mails[0].content
    records = json.loads((tmp_path / "dkim.json").read_text())
    head = raw.split(b"\r\n\r\n")[0].decode()
    assert verifies(raw, records) == [True, True]
    assert verifies(raw.replace(b"Hi", b"Ho"), records) == [False, False]
    assert "List-Unsubscribe: <https://gatepost.test/v1/unsubscribe/" in head
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
    assert "X-Gatepost-Identity: " in head
    assert f"<{message.lower()}." in head
    delivery = world.delivery(message)
    assert tuple(delivery.values())[:6] == ("delivered", "none", "1", "dot", "250", "relay")
    assert sender.types() == ["email.delivered"]
    assert world.sql(f"SELECT n, stage, outcome, unknown FROM attempt WHERE message_id = '{message}';") == [
        ["1", "dot", "delivered", "f"]
    ]


async def test_each_recipient_ends_on_its_own(world: World, peer: Peer) -> None:
    peer.says["RCPT"] = lambda line: "550 5.1.1 no such user\r\n" if "bob" in line else "250 ok\r\n"
    message = world.released("ada@there.test", "bob@there.test")

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")

    assert world.delivery(message, 1)["state"] == "delivered"
    assert world.delivery(message, 2)["state"] == "bounced"
    assert world.sql("SELECT address, reason FROM suppression;") == [["bob@there.test", "bounced"]]
    assert len(peer.mails) == 1


@pytest.mark.parametrize(
    "forgery",
    [
        {"key": Ed25519PrivateKey.generate()},
        {"grant": {"content_sha256": "0" * 64}},
        {"grant": {"recipients_sha256": "0" * 64}},
        {"grant": {"message_id": new_id("msg")}},
        {"grant": {"release": 2}},
        {"grant": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}},
        {"grant_token": None},
        {"content": "1" * 64},
    ],
    ids=["key", "content", "recipients", "message", "release", "expired", "none", "row"],
)
async def test_without_a_good_grant_nothing_leaves(world: World, peer: Peer, forgery: dict[str, Any]) -> None:
    forged, good = world.released(**forgery), world.released()

    async with lone_sender():
        await eventually(lambda: world.state(good) == "delivered")
        await asyncio.sleep(0.2)

    assert world.state(forged) == "released"
    assert world.delivery(forged)["attempts"] == "0"
    assert len(peer.mails) == 1


async def test_a_row_that_was_rewritten_after_the_release_does_not_leave(world: World, peer: Peer) -> None:
    forged, good = world.released(), world.released()
    world.sql(f"UPDATE revision SET content = replace(content, 'Hi', 'Pay me') WHERE message_id = '{forged}';")

    async with lone_sender():
        await eventually(lambda: world.state(good) == "delivered")
        await asyncio.sleep(0.2)

    assert len(peer.mails) == 1
    assert world.state(forged) == "released"


async def test_a_suppressed_recipient_is_not_attempted(world: World, peer: Peer) -> None:
    message, good = world.released("gone@there.test"), world.released()
    world.insert(
        "suppression",
        id=new_id("sup"),
        tenant_id="ten_01JD0000000000000000000000",
        address="gone@there.test",
        reason="manual",
    )

    async with lone_sender():
        await eventually(lambda: world.state(good) == "delivered")
        await asyncio.sleep(0.2)

    assert world.delivery(message)["attempts"] == "0"
    assert len(peer.mails) == 1


@pytest.mark.parametrize(
    "change", ["UPDATE mailbox SET mode = 'gated_send';", "UPDATE mailbox SET policy_block = true;"]
)
async def test_what_was_tightened_after_the_release_does_not_leave(world: World, peer: Peer, change: str) -> None:
    message = world.released()
    world.sql(change)

    async with lone_sender():
        await asyncio.sleep(0.5)

    assert world.state(message) == "released"
    assert peer.mails == []


async def test_not_before_it_is_due(world: World, peer: Peer) -> None:
    message = world.released(due_in_s=1.5)

    async with lone_sender():
        await asyncio.sleep(0.3)
        early = len(peer.mails)
        await eventually(lambda: world.state(message) == "delivered")

    assert early == 0


async def test_later_three_times_then_taken(world: World, peer: Peer) -> None:
    peer.says["RCPT"] = ["451 4.3.0 later\r\n"] * 3
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "delivered")

    assert sender.types() == ["email.deferred"] * 3 + ["email.delivered"]
    assert world.delivery(message)["attempts"] == "4"
    assert len(peer.mails) == 1


async def test_a_refusal_is_not_tried_again(world: World, peer: Peer) -> None:
    peer.says["dot"] = "554 5.7.1 spam\r\n"
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "bounced")
        await asyncio.sleep(0.4)

    assert sender.types() == ["email.bounced"]
    assert len(peer.contents) == 1
    assert world.sql("SELECT 1 FROM suppression;") == []


async def test_silence_after_the_dot_is_uncertain_and_never_tried_again(world: World, peer: Peer) -> None:
    peer.says["dot"] = CLOSE
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "uncertain")
        await asyncio.sleep(0.5)

    assert sender.types() == ["email.uncertain"]
    assert peer.connections == 1
    assert world.sql(f"SELECT unknown FROM attempt WHERE message_id = '{message}';") == [["t"]]


async def test_when_its_life_is_over_it_bounces(world: World, peer: Peer) -> None:
    peer.says["MAIL"] = "451 4.3.0 later\r\n"
    message = world.released()
    world.sql(f"UPDATE delivery SET queued_at = now() - interval '6 days' WHERE message_id = '{message}';")

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "bounced")

    assert sender.events[-1].proven_by == "queue_life"  # type: ignore[attr-defined]
    assert world.sql("SELECT 1 FROM suppression;") == []


async def test_one_threads_mails_to_one_recipient_leave_in_order(world: World, peer: Peer) -> None:
    peer.says["RCPT"] = ["451 4.3.0 later\r\n"]
    thread = new_id("thr")
    first = world.released(thread=thread)
    mailbox = world.sql(f"SELECT mailbox_id FROM message WHERE id = '{first}';")[0][0]
    second = world.released()
    world.sql(f"UPDATE delivery SET thread_id = '{thread}' WHERE message_id = '{second}';")

    async with lone_sender():
        await eventually(lambda: world.state(second) == "delivered")

    assert mailbox
    assert [
        first.lower() in peer.mails[0].content.decode().lower(),
        second.lower() in peer.mails[1].content.decode().lower(),
    ] == [True, True]


def run_lone() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(LONE)], stdout=subprocess.DEVNULL, env=dict(os.environ))


async def test_killed_between_intent_and_outcome_it_is_uncertain(world: World, peer: Peer) -> None:
    """Nobody can know; the next sender must not send it again."""
    peer.says["dot"] = [SILENT]
    message = world.released()
    process = await asyncio.to_thread(run_lone)
    try:
        await eventually(lambda: world.delivery(message)["phase"] == "announced" and peer.contents, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "uncertain", 15)
        await asyncio.sleep(0.3)

    assert sender.types() == ["email.uncertain"]
    assert len(peer.contents) == 1


@pytest.mark.parametrize("stage", ["MAIL", "DATA"])
async def test_killed_before_the_intent_it_is_taken_over_and_sent_once(world: World, peer: Peer, stage: str) -> None:
    peer.says[stage] = [SILENT]
    message = world.released()
    process = await asyncio.to_thread(run_lone)
    try:
        await eventually(
            lambda: world.delivery(message)["phase"] == "claimed" and any(stage in x for x in peer.lines), 60
        )
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered", 15)

    assert len(peer.mails) == 1


async def test_a_stop_gives_back_what_has_not_reached_the_dot(world: World, peer: Peer) -> None:
    peer.says["RCPT"] = [SILENT]
    message = world.released()

    async with lone_sender():
        await eventually(lambda: any("RCPT" in line for line in peer.lines))

    assert world.state(message) == "deferred"
    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")
    assert len(peer.mails) == 1


async def test_a_stop_after_the_dot_says_uncertain(world: World, peer: Peer) -> None:
    peer.says["dot"] = [SILENT]
    message = world.released()

    async with lone_sender():
        await eventually(lambda: peer.contents and world.delivery(message)["phase"] == "announced")
        await asyncio.sleep(0.1)

    assert world.state(message) == "uncertain"


async def test_two_senders_send_each_mail_once(world: World, peer: Peer) -> None:
    messages = [world.released() for _ in range(25)]

    async with lone_sender(), lone_sender():
        await eventually(lambda: all(world.state(m) == "delivered" for m in messages), 30)

    assert len(peer.mails) == 25


def report(message: str, **changes: Any) -> EmailReported:
    fields = {
        "event_id": f"{message}.1.email.reported", "occurred_at": datetime.now(UTC), "tenant_id": "ten_01JD0000000000000000000000",
        "mailbox_id": new_id("mbx"), "subject_id": message, "seq": 1, "message_id": new_id("msg"), "thread_id": new_id("thr"),
        "kind": "dsn", "about_message_id": message, "about_delivery_id": f"{message}.1.1", "action": "failed",
        "status_code": "5.1.1", "proven": True,
    }  # fmt: skip
    return EmailReported(**(fields | changes))  # type: ignore[arg-type]


async def test_a_late_report_turns_delivered_into_bounced_and_suppresses(world: World, peer: Peer) -> None:
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "delivered")
        desk: Any = sender.wired.actor  # type: ignore[attr-defined]
        await desk.reported(report(message, proven=False))
        unproven = world.state(message)
        await desk.reported(report(message))
        await desk.reported(report(message))

    assert unproven == "delivered"
    assert world.state(message) == "bounced"
    assert world.sql("SELECT address, reason FROM suppression;") == [["ada@there.test", "bounced"]]
    assert sender.types() == ["email.delivered", "email.bounced"]


async def test_a_positive_report_settles_what_was_uncertain(world: World, peer: Peer) -> None:
    peer.says["dot"] = CLOSE
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: world.state(message) == "uncertain")
        desk: Any = sender.wired.actor  # type: ignore[attr-defined]
        await desk.reported(report(message, action="delivered", status_code="2.0.0"))

    assert world.state(message) == "delivered"


async def test_a_domains_keys_are_made_once(world: World, peer: Peer) -> None:
    command = DomainKey(
        command_id=new_id("cmd"), tenant_id="ten_01JD0000000000000000000000", principal_id="prn_a", door="rest",
        at=datetime.now(UTC), domain="Example.org.",
    )  # fmt: skip
    async with lone_sender() as one, lone_sender() as two:
        asked = (s.wired.commands[DomainKey](command) for s in (one, two, one))  # type: ignore[attr-defined]
        replies = await asyncio.gather(*asked)

    assert replies[0] == replies[1] == replies[2]
    assert [r["name"] for r in replies[0].extra["records"]] == [
        "gp1._domainkey.example.org",
        "gp2._domainkey.example.org",
    ]


async def test_the_return_path_names_the_recipients_row_and_reports_are_asked_for(world: World, peer: Peer) -> None:
    """Where DSN is offered: success and failure, with an envelope id; a report comes back to exactly this delivery."""
    peer.offers = ("SIZE 1000000", "DSN")
    message = world.released("ada+news@there.test")

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")

    key = Keys(world.keys / "sender").token
    assert (message, f"{message}.1.1") == tokens.read_return_path(key, peer.mails[0].sender)
    mail, rcpt = (next(line for line in peer.lines if line.startswith(verb)) for verb in ("MAIL", "RCPT"))
    assert mail.endswith(f" RET=HDRS ENVID={message}.1.1")
    assert rcpt == "RCPT TO:<ada+news@there.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;ada+2Bnews@there.test"


@pytest.mark.parametrize(
    ("row", "mark"),
    [
        ({"author_kind": "agent"}, "auto-generated"),
        ({"author_kind": "agent", "letter": {"in_reply_to": "<q@there.test>"}}, "auto-replied"),
        ({"author_kind": "person"}, None),
        ({"author_kind": "agent", "ok1": "prn_b", "ok1_hash": "its content"}, None),
    ],
    ids=["new", "reply", "person", "approved"],
)
async def test_what_no_person_saw_says_so(world: World, peer: Peer, row: dict[str, Any], mark: str | None) -> None:
    """RFC 3834 5: machines must be able to tell, so that they do not answer each other."""
    message = world.released(**row)
    if "ok1_hash" in row:
        world.sql(f"UPDATE message SET ok1_hash = content WHERE id = '{message}';")

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")

    assert mark == email.message_from_bytes(peer.mails[0].content)["Auto-Submitted"]
