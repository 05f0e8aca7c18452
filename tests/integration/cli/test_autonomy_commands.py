"""The commands of oversight against a running installation: what an operator types, and what they are told."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from support.command import gatepost_command
from support.doors import numbers
from support.installation import eventually


class Shell:
    """Runs `gatepost` beside a running installation, in this process."""

    def __init__(self, gatepost: Any) -> None:
        self.gatepost = gatepost

    def __call__(self, *words: str, code: int = 0) -> str:
        done = gatepost_command(*words, "--data", str(self.gatepost.data))
        assert code == done.exit_code, done.output
        return done.output


@pytest.fixture
def shell(gatepost: Any) -> Shell:
    return Shell(gatepost)


@pytest.fixture
def box(gatepost: Any) -> str:
    address = f"cli{next(numbers)}@guide.test"
    gatepost.call("POST", "/v1/mailboxes", {"address": address}, key="operator")
    return address


def test_a_stop_is_pulled_listed_and_lifted(shell: Shell, box: str) -> None:
    pulled = re.match(r"pse_\w+", shell("pause", "--mailbox", box, "--reason", "odd answers"))
    assert pulled
    rows = json.loads(shell("pauses", "--json"))
    assert ("mailbox", "odd answers") == next((r["scope"], r["reason"]) for r in rows if r["id"] == pulled[0])
    assert "resumed" in shell("resume", pulled[0])
    assert "no such pause" in shell("resume", "pse_" + "0" * 26, code=1)
    assert "name one of" in shell("pause", code=2)


def test_categories_are_tried_set_listed_and_ended(shell: Shell, box: str) -> None:
    tried = shell("dry-run", box, "--category", "parcels", "--word", "parcel", "--category-mode", "monitored")
    assert "Of 0 drafts in 30 days" in tried
    assert "parcels: monitored" in shell("category", "set", box, "parcels", "--word", "parcel", "--mode", "monitored")
    (item,) = json.loads(shell("category", "list", box, "--json"))
    assert ("parcels", {"words": ["parcel"]}, 1) == (item["name"], item["conditions"], item["revision"])
    assert "parcels" in shell("category", "list", box)
    assert "ended" in shell("category", "end", box, "parcels")
    assert "no such category" in shell("category", "end", box, "parcels", code=1)
    assert "unknown" not in shell("category", "set", box, "x", "--mode", "free", code=1)


def test_recipients_are_listed_and_taken_off(shell: Shell, box: str) -> None:
    assert "*@partner.example: monitored" in shell("allow", "add", box, "*@partner.example")
    assert ["*@partner.example"] == [item["pattern"] for item in json.loads(shell("allow", "list", box, "--json"))]
    assert "removed" in shell("allow", "remove", box, "*@partner.example")


def test_a_mode_is_shown_and_set(shell: Shell, box: str) -> None:
    assert f"{box}: gated_send (ceiling autonomous)" in shell("mode", box)
    assert "monitored (ceiling monitored, covers asks, two people approve)" in shell(
        "mode", box, "monitored", "--ceiling", "monitored", "--covers-ask", "--two-person"
    )
    assert "gated_send" in shell("mode", box, "gated_send")
    assert "ceiling" in shell("mode", box, "autonomous", code=1)


def test_a_code_is_asked_for_mailed_and_redeemed(shell: Shell, gatepost: Any, box: str) -> None:
    assert "a code went to" in shell("upgrade", "request", box, "monitored")

    def code() -> str | None:
        mails = [str(mail) for mail in gatepost.left() if box in str(mail)]
        found = [re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", mail) for mail in mails]
        return next((match[0] for match in found if match), None)

    found = eventually(code, "the code")
    assert "not valid" in shell("upgrade", "redeem", box, "AAAA-AAAA-AAAA", code=1)
    assert "is monitored now" in shell("upgrade", "redeem", box, found.lower())
    assert f"{box}: monitored" in shell("mode", box)


def test_the_evidence_of_nothing_says_how_much_is_needed(shell: Shell, box: str) -> None:
    assert "reviewed" in shell("evidence", box)
    assert [] == json.loads(shell("evidence", box, "--json"))["categories"]


def test_where_notices_come_from_and_go_to_is_shown_and_checked(shell: Shell, box: str) -> None:
    shown = shell("mailbox", "notices")
    assert re.search(r"from \S+@\S+, to operator@demo.test", shown)
    assert "is a mailbox already" in shell("mailbox", "notices", "--from", box, code=2)
    assert "full address" in shell("mailbox", "notices", "--to", "boss", code=2)
    assert shown == shell("mailbox", "notices", "--to", "Operator@demo.test")
