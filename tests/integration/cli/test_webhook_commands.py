"""`gatepost webhooks` beside a running installation."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.installation import GATEPOST, Installation, eventually
from support.receiver import Receiver


def command(gatepost: Installation, *words: str) -> str:
    answer = subprocess.run(
        [str(GATEPOST), "webhooks", *words, "--data", str(gatepost.data)], capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def hooks(gatepost: Installation) -> Iterator[list[tuple[Receiver, dict[str, Any]]]]:
    """Two webhooks of one mailbox."""
    made = []
    for _ in range(2):
        receiver = Receiver()
        body = {"url": receiver.url, "events": ["email.received"], "mailbox": gatepost.mailbox["id"]}
        made.append((receiver, gatepost.call("POST", "/v1/webhooks", body, key="operator")))
    yield made
    for receiver, hook in made:
        gatepost.call("DELETE", f"/v1/webhooks/{hook['id']}", key="operator")
        receiver.close()


def test_try_look_and_send_again(gatepost: Installation, hooks: list[tuple[Receiver, dict[str, Any]]]) -> None:
    """A sample, the log, a dry run over all webhooks, and then all of it again."""
    (one, hook), (other, _) = hooks
    assert hook["id"] in command(gatepost, "ls", "--json")
    command(gatepost, "test", hook["id"], "--event", "email.received")
    eventually(lambda: one.events(test=True), "the sample")
    rfc = gatepost.write(subject="Again, please")
    mail = eventually(lambda: gatepost.inbound(rfc), "the mail")
    eventually(lambda: one.events(message_id=mail["id"]) and other.events(message_id=mail["id"]), "both webhooks")

    def delivered() -> Any:
        log = json.loads(command(gatepost, "log", "--id", mail["id"], "--json"))["deliveries"]
        return len([one for one in log if one["status"] == "delivered"]) == 2

    eventually(delivered, "the log")
    wanted = ("redeliver", "--id", mail["id"], "--status", "delivered")
    assert "2 would go again" in command(gatepost, *wanted, "--dry-run")
    assert 1 == len(one.events(message_id=mail["id"]))
    assert "2 go again" in command(gatepost, *wanted)
    eventually(lambda: len(one.events(message_id=mail["id"])) == len(other.events(message_id=mail["id"])) == 2, "both")

    assert 1 == len({body for _, body in one.got if b"Again, please" in body})
