"""Losing all of JetStream under load loses no mail: every accepted one ends at one outcome, and every webhook arrives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from support.installation import GATEPOST, Installation, eventually
from support.receiver import Receiver

pytestmark = pytest.mark.check  # starts processes of its own, again and again

MAILS = 60


def gatepost_command(installation: Installation, *words: str) -> Any:
    return subprocess.run(
        [str(GATEPOST), *words, "--data", str(installation.data)], capture_output=True, text=True, timeout=90
    )


@pytest.mark.timeout(240)
def test_the_loss_of_jetstream_loses_no_mail(tmp_path: Path) -> None:
    """Its folder is taken away and its process killed in the middle of a flow of mail."""
    gatepost, receiver = Installation(tmp_path / "data").start(), Receiver()
    sent: list[str] = []

    def flow() -> None:
        for n in range(MAILS):
            sent.append(gatepost.write(subject=f"Mail {n}", sender=f"c{n}@customer.example"))  # noqa: PERF401

    try:
        gatepost.call("POST", "/v1/webhooks", {"url": receiver.url, "events": ["email.received"]}, key="operator")
        writing = threading.Thread(target=flow)
        writing.start()
        eventually(lambda: len(sent) >= MAILS // 3, "a third of the mails")
        store, pid = Path(gatepost.info["data"]["nats"]) / "jetstream", gatepost.pids["nats"]
        assert store.is_dir(), sorted(p.name for p in store.parent.iterdir())
        store.rename(tmp_path / "gone")
        os.kill(pid, signal.SIGKILL)
        writing.join()
        eventually(lambda: gatepost.pids["nats"] != pid, "a new broker")
        done = eventually(lambda: _reconciled(gatepost), "the reconciliation", within_s=60)
        assert done["missing"] > 0
        eventually(lambda: len(_held(gatepost)) >= MAILS, "a held draft for each mail", within_s=120)
        eventually(lambda: len(_subjects(receiver)) == MAILS, "a webhook for each mail", within_s=60)
    finally:
        code = gatepost.stop()
        receiver.close()

    assert (MAILS, MAILS) == (len(sent), len(set(sent)))
    assert code == 0


def _reconciled(gatepost: Installation) -> Any:
    answer = gatepost_command(gatepost, "reconcile", "--json")
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def _subjects(receiver: Receiver) -> set[str]:
    return {event["subject"] for event in receiver.events(event="email.received")}


def _held(gatepost: Installation) -> list[str]:
    """The mails that a held draft answers; each once."""
    page = gatepost.call("GET", "/list_pending?limit=100", key="reviewer")["messages"]
    answered = [item["original"]["rfc_message_id"] for item in page]
    assert len(answered) == len(set(answered))
    return answered


def test_reconcile_finds_nothing_to_do_when_all_is_well(gatepost: Installation) -> None:
    """And says so without publishing anything."""
    gatepost.held_for(gatepost.write())
    answer = gatepost_command(gatepost, "reconcile", "--dry-run", "--json")

    assert answer.returncode == 0, answer.stderr
    assert 0 == json.loads(answer.stdout)["missing"]
    assert json.loads(answer.stdout)["told"] > 0
