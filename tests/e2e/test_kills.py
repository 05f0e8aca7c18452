"""Processes die at any moment; nothing that was accepted is lost, and nothing leaves twice that can be known."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.installation import Installation, eventually

TARGETS = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api", "nats", "postgres")


@pytest.mark.check
def test_each_process_killed_in_turn_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The short form of `make kills`: a mail before each SIGKILL, the kill, a mail after it."""
    gatepost = Installation(tmp_path / "data", "--mode", "autonomous").start()
    try:
        asked = []
        for target in TARGETS:
            asked.append(gatepost.write(subject=f"before {target}", sender=f"B <b-{target}@customer.example>"))
            pid = gatepost.pids[target]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda t=target, p=pid: gatepost.pids.get(t, p) != p, f"a new {target}")
            asked.append(eventually(lambda t=target: _write(gatepost, t), "a mail that is accepted again"))
        # an answer left once, or its fate is unknowable and waits for a person
        for rfc_id in asked:
            eventually(
                lambda r=rfc_id: gatepost.left_in_reply_to(r) or _is_uncertain(gatepost, r),
                f"the answer to {rfc_id}",
                60,
            )
        eventually(lambda: gatepost.call("GET", "/v1/status", key="operator")["quiet"], "quiet")
        copies = {rfc_id: len(gatepost.left_in_reply_to(rfc_id)) for rfc_id in asked}
    finally:
        assert gatepost.stop() == 0

    assert {rfc_id: n for rfc_id, n in copies.items() if n > 1} == {}


def _write(gatepost: Installation, target: str) -> str | None:
    """As a real server: no answer or a 4yz, so the same mail again later."""
    import smtplib

    try:
        return gatepost.write(subject=f"after {target}", sender=f"A <a-{target}@customer.example>",
                              message_id=f"<after-{target}@customer.example>")  # fmt: skip
    except smtplib.SMTPException:
        return None


def _is_uncertain(gatepost: Installation, rfc_id: str) -> bool:
    page = gatepost.call("GET", f"/v1/mailboxes/{gatepost.mailbox['id']}/emails?direction=outbound&limit=100")
    return any(m["in_reply_to"] == rfc_id and m["status"] == "uncertain" for m in page["emails"])


@pytest.mark.check
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_start_takes_the_data_over(tmp_path: Path, how: signal.Signals) -> None:
    """Whether the supervisor was stopped or killed: nothing is left running, and what was stored is there."""
    first = Installation(tmp_path / "data").start()
    asked = first.write()
    first.held_for(asked)
    pids = first.pids
    first.process.send_signal(how)
    first.process.wait(60)
    eventually(lambda: not any(_lives(pid) for pid in pids.values()), "the end of every child", 20)

    second = Installation(tmp_path / "data").start()
    try:
        assert second.mailbox == first.mailbox
        assert second.keys == first.keys
        assert second.held_for(asked)["original"]["rfc_message_id"] == asked
    finally:
        assert second.stop() == 0


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
