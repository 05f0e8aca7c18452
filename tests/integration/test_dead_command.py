"""`gatepost dead` on a running installation: list, show, redrive, mend, drop."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import nats
import pytest

from support.installation import GATEPOST, Installation, eventually

pytestmark = pytest.mark.check  # starts processes of its own, again and again


def dead(installation: Installation, *words: str) -> Any:
    return subprocess.run(
        [str(GATEPOST), "dead", *words, "--data", str(installation.data)], capture_output=True, text=True, timeout=60
    )


def bury(installation: Installation, body: bytes, subject: str) -> str:
    async def work() -> str:
        client = await nats.connect(installation.info["nats_url"])
        headers = {
            "reason": "Unreadable",
            "words": "planted",
            "handler": "Desk.received",
            "attempts": "1",
            "subject": subject,
        }
        ack = await client.jetstream().publish(f"dead.drafter.{subject}", body, headers=headers)
        await client.close()
        return str(ack.seq)

    return asyncio.run(work())


@pytest.fixture
def mail(gatepost: Installation) -> dict[str, Any]:
    rfc_message_id = gatepost.write(subject="For the dead")
    return eventually(lambda: gatepost.inbound(rfc_message_id), "the mail")


def test_list_show_redrive(gatepost: Installation, mail: dict[str, Any]) -> None:
    """The exit code of `ls` says whether there are any; what was redriven waits in the outbox."""
    assert 0 == dead(gatepost, "ls").returncode
    seq = bury(gatepost, json.dumps({"event_id": f"{mail['id']}.1.email.received"}).encode(), "email.received.mbx_1")
    listed = dead(gatepost, "ls", "--json")

    assert 1 == listed.returncode
    assert "Unreadable" == json.loads(listed.stdout)["reason"]
    assert "planted" in dead(gatepost, "ls").stdout
    assert "Desk.received" == json.loads(dead(gatepost, "show", seq).stdout)["handler"]
    first, second = dead(gatepost, "redrive", seq), dead(gatepost, "redrive", seq)
    assert (0, 2) == (first.returncode, second.returncode)
    assert "goes out again" in first.stdout
    assert 0 == dead(gatepost, "ls").returncode


def test_mend_what_cannot_be_read(gatepost: Installation, mail: dict[str, Any], tmp_path: Path) -> None:
    """A body that is no event is refused with the reasons; a mended one is published and the letter is gone."""
    box = gatepost.mailbox["id"]
    seq = bury(gatepost, b"not json", f"email.received.{box}")
    no_record = dead(gatepost, "redrive", seq)
    assert 1 == no_record.returncode
    assert "dead edit" in no_record.stderr
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_text("{}")
    golden = Path(__file__).parents[1] / "golden" / "v1" / "email.received.json"
    right.write_text(json.dumps(json.loads(golden.read_text()) | {"mailbox_id": box}))

    refused = dead(gatepost, "edit", seq, "--body", str(wrong))
    assert 1 == refused.returncode
    assert "message_id" in refused.stderr
    assert 0 == dead(gatepost, "edit", seq, "--body", str(right)).returncode
    assert 2 == dead(gatepost, "show", seq).returncode


def test_drop(gatepost: Installation) -> None:
    seq = bury(gatepost, b"{}", "email.received.mbx_1")

    assert 0 == dead(gatepost, "drop", seq).returncode
    assert 0 == dead(gatepost, "ls").returncode
