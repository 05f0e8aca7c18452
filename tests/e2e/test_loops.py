"""Machines that answer machines: what one autonomous Gatepost sends, another never answers, and neither goes on."""

from __future__ import annotations

import smtplib
import time
import urllib.request
from typing import Any

import pytest

from support.installation import Installation, eventually, header

pytestmark = pytest.mark.check  # starts processes of its own, again and again


def raw_of(gatepost: Installation, mail: dict[str, Any]) -> bytes:
    with urllib.request.urlopen(f"{gatepost.catcher_url}/api/messages/{mail['id']}/raw", timeout=15) as reply:
        return bytes(reply.read())


def bring(gatepost: Installation, raw: bytes, sender: str, to: str) -> None:
    with smtplib.SMTP(*gatepost.smtp, timeout=15) as smtp:
        smtp.sendmail(sender, [to], raw)


def quiet(gatepost: Installation) -> bool:
    return bool(gatepost.call("GET", "/v1/status", key="operator")["quiet"])


def test_two_autonomous_systems_stop_after_one_reply_each(gatepost: Installation) -> None:
    """Each reply is carried to the other mailbox as the other system would get it, byte for byte, until both rest."""
    here, there = gatepost.mailbox_in("autonomous")["address"], f"loop-{time.time_ns()}@demo.test"
    gatepost.call(
        "POST", "/v1/mailboxes", {"address": there, "oversight_mode": "gated_send", "drafting": True}, key="operator"
    )
    question = gatepost.write(to=here, sender=f"Other System <{there}>", text="How long does delivery take?")
    carried: set[str] = set()

    def shuttle() -> bool:
        moved = [m for m in gatepost.left() if {here, there} & set(m["rcpt_to"]) and m["id"] not in carried]
        for mail in moved:
            if header(mail, "from").find(here) < 0 and header(mail, "from").find(there) < 0:
                continue
            carried.add(mail["id"])
            bring(gatepost, raw_of(gatepost, mail), mail["envelope_from"], mail["rcpt_to"][0])
        return not moved and quiet(gatepost)

    eventually(lambda: gatepost.left_in_reply_to(question), "the one reply")
    eventually(shuttle, "rest", within_s=120)
    replies = [m for m in gatepost.left() if {here, there} & set(m["rcpt_to"])]

    assert len(carried) == 1
    assert [m["rcpt_to"] for m in replies] == [[there]]
    (arrived,) = [m for m in gatepost.call("GET", "/v1/emails?direction=inbound&limit=100", key="reviewer")["messages"]
                  if m["mailbox"] == there]  # fmt: skip
    assert arrived["automatic"] != []
