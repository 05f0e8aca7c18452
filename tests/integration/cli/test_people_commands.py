"""A person's data and legal holds on the command line, against a running installation."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.test_autonomy_commands import Shell

from support.installation import GATEPOST, eventually

pytestmark = pytest.mark.check  # starts processes of its own, again and again


def test_a_person_is_held_then_erased_with_a_certificate(gatepost: Any, tmp_path: Path) -> None:
    """The hold wins; once lifted the same command erases, and the certificate proves it without a server."""
    shell, who = Shell(gatepost), "eva.cli@customer.example"
    rfc = gatepost.write(sender=f"Eva <{who}>", subject="My number is 4711")
    draft = gatepost.held_for(rfc)
    gatepost.call(
        "POST", "/decide_email", {"message_id": draft["id"], "action": "reject", "final": True}, key="reviewer"
    )
    placed = re.match(r"hld_\w+", shell("hold", "place", "person", who.upper(), "--reason", "case 12"))
    assert placed
    assert [(who, "case 12")] == [(h["target"], h["reason"]) for h in json.loads(shell("hold", "list", "--json"))]
    kept = tmp_path / "kept.json"
    assert "0 mails erased; 2 kept by a hold" in shell("person", "erase", who, "--certificate", str(kept), "--yes")
    assert "lifted" in shell("hold", "lift", placed[0])
    assert "Nothing is under a hold" in shell("hold", "list")
    assert 2 == json.loads(shell("person", "show", who, "--json"))["count"]

    def exported(name: str, *scope: str) -> list[Path]:
        shell("audit", "export", str(tmp_path / name), "--contents", *scope)
        return [path for path in (tmp_path / name / "contents").glob("*") if b"My number is 4711" in path.read_bytes()]

    eventually(lambda: exported("before", "--customer", who), "a checkpoint of their mails")
    given = tmp_path / "eva.json"
    assert "cannot be written" in shell("person", "erase", who, "--certificate", str(kept), "--yes", code=2)
    assert "2 mails erased" in shell("person", "erase", who, "--certificate", str(given), "--yes")
    proven = without_data("person", "verify", str(given))
    assert 0 == json.loads(shell("person", "show", who, "--json"))["count"]

    assert "proven: 2 mails of eva.cli@customer.example" in proven
    assert 0o600 == given.stat().st_mode & 0o777
    forged = json.loads(given.read_text()) | {"address": "other@customer.example"}
    given.write_text(json.dumps(forged))
    assert "another person" in without_data("person", "verify", str(given), code=1)
    assert not exported("after")


def without_data(*words: str, code: int = 0) -> str:
    """A certificate is checked anywhere: there is no installation to name."""
    done = subprocess.run(
        [str(GATEPOST), *words], capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"}
    )
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr
