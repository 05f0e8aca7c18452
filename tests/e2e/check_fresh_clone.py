"""A stranger's first minutes: clone, `make up`, `make demo`, with what runs installed and nothing else. Part of `make check`.

Only here the run lock is alone: a library that merely the tests need is missing, and what leans on it shows.
"""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import eventually

ROOT = Path(__file__).resolve().parents[2]
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(params=["as we are", "as a plain user"])
def somebody(request: pytest.FixtureRequest) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder of theirs, and how to run as them."""
    with tempfile.TemporaryDirectory(prefix="gatepost-clone-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GATEPOST_", "MULTIMAIL_", "UV_", "XDG_"))}
        who: dict[str, Any] = {"env": kept | {"HOME": name}}
        if request.param == "as a plain user":
            if os.geteuid() != 0:
                pytest.skip("only root can become somebody else")
            os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
            who |= {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
        yield folder, who


@pytest.mark.timeout(900)
def test_a_fresh_clone_runs_and_tells_the_story(somebody: tuple[Path, dict[str, Any]]) -> None:
    folder, who = somebody
    clone, ready = folder / "gatepost", folder / "ready.json"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    if "user" in who:
        subprocess.run(["chown", "-R", f"{who['user']}:{who['group']}", str(clone)], check=True)
    with (folder / "up.out").open("wb") as log:
        up = subprocess.Popen(
            ["make", "up", f"ARGS=--http-port 0 --smtp-port 0 --ready-file {ready}"],
            cwd=clone, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, **who,
        )  # fmt: skip
    try:
        eventually(lambda: ready.exists() or up.poll() is not None, "the ready file", 600)
        assert up.poll() is None, (folder / "up.out").read_text()
        demo = subprocess.run(
            ["make", "demo"], cwd=clone, capture_output=True, text=True, timeout=240, check=False, **who
        )
        pids = json.loads(ready.read_text())["pids"]
    finally:
        os.killpg(up.pid, signal.SIGINT)
        up.wait(60)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "DKIM: demo.test gp1 pass" in demo.stdout
    assert "DKIM: demo.test gp2 pass" in demo.stdout
    assert [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()] == []
    assert not (clone / ".venv/bin/pytest").exists()
