"""A delivery report comes back over SMTP to the return path it was sent with, and ends in the recipient's row."""

from __future__ import annotations

import asyncio
import re
import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import Installation, Refused, eventually
from support.smtp_peer import CLOSE, Peer

REPORT = """From: MAILER-DAEMON@mx.customer.example\r
To: <{path}>\r
Subject: Delivery report\r
Message-ID: <report-{number}@mx.customer.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r
\r
--x\r
Content-Type: text/plain\r
\r
This is what became of your mail.\r
--x\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.customer.example\r
\r
Final-Recipient: rfc822; {whom}\r
Action: {action}\r
Status: {status}\r
--x--\r
"""


class Relay:
    """The next hop, in a thread of its own."""

    def __init__(self) -> None:
        self.peer = Peer({"dot": [CLOSE]}, offers=("SIZE 1000000", "PIPELINING", "DSN"))
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def open_it() -> None:
            await self.peer.__aenter__()
            ready.set()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.create_task(open_it())
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.peer.__aexit__(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay()
    yield made
    made.close()


@pytest.mark.check
@pytest.mark.timeout(180)
def test_a_report_settles_the_row_of_its_recipient(relay: Relay, tmp_path: Path) -> None:
    """What was uncertain is delivered by a good report; what was delivered bounces by a bad one, and is not written to again."""
    gatepost = Installation(
        tmp_path / "data", "--mode", "autonomous", "--relay", f"127.0.0.1:{relay.peer.port}"
    ).start()
    try:
        unsure, whom = sent(gatepost, "unsure"), "unsure@customer.example"
        eventually(lambda: status(gatepost, unsure) == "uncertain", "the uncertain mail")
        report(gatepost, relay, whom, "delivered", "2.0.0", 1)
        eventually(lambda: status(gatepost, unsure) == "delivered", "its delivery, by the report")

        gone, whom = sent(gatepost, "gone"), "gone@customer.example"
        eventually(lambda: status(gatepost, gone) == "delivered", "the second mail")
        forged = next(mail for mail in relay.peer.mails if whom in mail.recipients).sender.replace("+b.", "+b.0")
        report(gatepost, relay, whom, "failed", "5.1.1", 2, path=forged)
        report(gatepost, relay, "unsure@customer.example", "delayed", "4.4.1", 3)
        report(gatepost, relay, whom, "failed", "5.1.1", 4)
        eventually(lambda: status(gatepost, gone) == "bounced", "its bounce, by the report")
        listed = gatepost.call("GET", "/v1/suppression", key="operator")["suppressions"]
        again, copies = resent(gatepost, relay)
        rows = gatepost.call("GET", f"/v1/emails/{gone}")["deliveries"]
    finally:
        assert gatepost.stop() == 0

    assert [(whom, "bounced")] == [(row["address"], row["reason"]) for row in listed]
    assert ["bounced"] == [row["state"] for row in rows]
    assert again == "delivered"
    assert 2 == len(copies)
    assert 1 == len({re.search(rb"(?mi)^message-id: (\S+)", mail.content)[1] for mail in copies})  # type: ignore[index]


def resent(gatepost: Installation, relay: Relay) -> tuple[str, list[Any]]:
    """A person says that an uncertain mail did not arrive, and another approval sends it again."""
    relay.peer.says["dot"] = [CLOSE]
    mail, whom = sent(gatepost, "twice"), "twice@customer.example"
    eventually(lambda: status(gatepost, mail) == "uncertain", "the other uncertain mail")
    kept = len([m for m in relay.peer.mails if whom in m.recipients])
    with pytest.raises(Refused):  # an agent decides nothing
        gatepost.call("POST", f"/v1/emails/{mail}/resolve", {"outcome": "not_delivered", "note": "retry"})
    word = {"outcome": "not_delivered", "note": "they say that nothing came"}
    gatepost.call("POST", f"/v1/emails/{mail}/resolve", word, key="reviewer")
    eventually(lambda: status(gatepost, mail) == "pending_send_approval", "it held again")
    assert kept == len([m for m in relay.peer.mails if whom in m.recipients])
    seen = gatepost.call("GET", f"/v1/emails/{mail}", key="reviewer")["content_sha256"]
    decision = {"email_id": mail, "action": "approve", "revision": seen}
    gatepost.call("POST", "/v1/oversight/decide", decision, key="reviewer")
    eventually(lambda: status(gatepost, mail) == "delivered", "its second way out")
    return status(gatepost, mail), [m for m in relay.peer.mails if whom in m.recipients]


def sent(gatepost: Installation, name: str) -> str:
    mail = {
        "from": gatepost.mailbox["address"],
        "to": f"{name}@customer.example",
        "subject": name,
        "body": f"Hello {name}",
    }
    return str(gatepost.call("POST", "/send_email", mail)["id"])


def status(gatepost: Installation, message_id: str) -> str:
    return str(gatepost.call("GET", f"/v1/emails/{message_id}")["status"])


def report(
    gatepost: Installation, relay: Relay, whom: str, action: str, code: str, number: int, path: str | None = None
) -> None:
    """As a mail server sends it: with no sender of its own, to the envelope sender that the mail had."""
    their = next(mail for mail in relay.peer.mails if whom in mail.recipients)
    raw = REPORT.format(path=path or their.sender, whom=whom, action=action, status=code, number=number)
    with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
        answer: Any = smtp.sendmail("", [path or their.sender], raw.encode())
    assert answer == {}
