"""`gatepost new-consumer`: what it makes passes its own tests at once; and the walk-through of the docs, executed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gatepost_cli.app import app
from support.installation import GATEPOST, Installation, eventually

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=110, env=os.environ | environment, check=False
    )


@pytest.mark.check
@pytest.mark.parametrize("event", ["email.received", "mailbox.paused"])
def test_what_is_made_passes_its_tests_at_once(tmp_path: Path, event: str) -> None:
    """With a real broker, a user who may read its durables alone, and nothing of ours but contracts and runtime."""
    made = run(str(GATEPOST), "new-consumer", "crm_sync", "--event", event, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    tested = run(sys.executable, "-m", "pytest", "-q", cwd=tmp_path / "crm_sync")

    assert tested.returncode == 0, tested.stdout[-3000:]
    assert "3 passed" in tested.stdout
    pieces = [
        piece
        for file in (tmp_path / "crm_sync").rglob("*")
        if file.is_file() and file.suffix != ".pyc"
        for piece in re.findall(r"__[A-Z_]+__", file.read_text())
    ]
    assert pieces == []
    kinds = [part["kind"] for part in yaml.safe_load_all((tmp_path / "crm_sync/k8s.yaml").read_text())]
    assert kinds == ["Deployment", "NetworkPolicy", "ScaledObject"]
    imports = set(
        re.findall(
            r"^from gatepost_(\w+)",
            "\n".join(f.read_text() for f in (tmp_path / "crm_sync/src").rglob("*.py")),
            re.MULTILINE,
        )
    )
    assert imports == {"contracts", "runtime"}


@pytest.mark.parametrize("words", [["Crm"], ["1crm"], ["notifier"], ["crm", "--event", "email.nonsense"], ["../x"]])
def test_what_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["new-consumer", *words])

    assert answer.exit_code == 2
    assert "Invalid value for" in answer.output
    assert not list(tmp_path.iterdir())


@pytest.mark.check
@pytest.mark.timeout(420)
def test_the_walk_through_works(gatepost: Installation, tmp_path: Path) -> None:
    """Every command of docs/howto/add-a-consumer.md, in order, in a shell; the last one runs until it is ended."""
    page = (ROOT / "docs/howto/add-a-consumer.md").read_text("utf-8")
    blocks = [block.strip() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
    assert len(blocks) >= 4
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {
        "PATH": path, "GATEPOST_DATA": str(gatepost.data), "GATEPOST_HEALTH_PORT": "0",
        "NATS_URL": gatepost.info["nats_url"],
    }  # fmt: skip
    script = "set -e\n" + "\n".join(blocks)
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            eventually(
                lambda: "connected to the broker" in log.read_text() or process.poll() is not None, "the consumer", 300
            )
            assert process.poll() is None, log.read_text()[-3000:]
            gatepost.write(subject="For the consumer")
            eventually(lambda: "handled" in log.read_text(), "the event in its log")
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)
