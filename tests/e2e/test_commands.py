"""What a new user types, typed: the README's commands, its agent, and the daily ones of the CLI."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatepost_cli.app import app
from support.door_pages import commands
from support.installation import GATEPOST, Installation, eventually

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
RUN_BY = {
    "make up": "test_make_up_and_make_demo_tell_the_readmes_story",
    "make demo": "test_make_up_and_make_demo_tell_the_readmes_story",
    ".venv/bin/gatepost --help": "test_the_help_of_the_readme",
    "make test": "this very run",
}


def run(*words: str, code: int = 0, **variables: str) -> str:
    """Run a program to its end; what it printed, both streams."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GATEPOST_", "MULTIMAIL_"))}
    done = subprocess.run(
        words, cwd=ROOT, env=kept | variables, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def in_installation(gatepost: Installation, *words: str, code: int = 0) -> str:
    return run(str(GATEPOST), *words, "--data", str(gatepost.data), code=code)


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    """A command that nobody runs is a command that stops working."""
    shown = {
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
    }
    shown |= {code for code in re.findall(r"`([^`\n]+)`", README) if code.startswith(".venv/bin/")}
    here = Path(__file__).read_text()

    assert shown - {""} == set(RUN_BY)
    assert [test for test in RUN_BY.values() if test.startswith("test_") and f"def {test}" not in here] == []


@pytest.mark.check
def test_make_up_and_make_demo_tell_the_readmes_story(tmp_path: Path) -> None:
    """`make up`, then `make demo` in a second terminal, then Ctrl-C; the transcript in the README is what demo prints."""
    ready = tmp_path / "ready.json"
    log = (tmp_path / "up.out").open("wb")
    up = subprocess.Popen(
        ["make", "up", f"ARGS=--data {tmp_path / 'data'} --http-port 0 --smtp-port 0 --ready-file {ready}"],
        cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        eventually(ready.exists, "the ready file", 180)
        pids = json.loads(ready.read_text())["pids"]
        story = run("make", "demo", f"ARGS=--data {tmp_path / 'data'}")
    finally:
        os.killpg(up.pid, signal.SIGINT)
        code = up.wait(60)
        log.close()
    said = (tmp_path / "up.out").read_text()

    assert code in {0, -signal.SIGINT}  # make passes on the signal that it was given
    assert "Gatepost is up." in said
    assert [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()] == []
    assert [line for line in _transcript() if line not in _without_ids(story)] == []


def _transcript() -> list[str]:
    """The lines of the README's transcript that say something, without what differs from run to run."""
    (block,) = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
    lines = [line.strip("│╭╮╰╯─ ") for line in _without_ids(block).splitlines()]
    return [line for line in lines if line and line != "[...]"]


def _without_ids(text: str) -> str:
    return re.sub(r"<[\d.]+@customer.example>", "<id>", text)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_a_taken_port_is_named(tmp_path: Path, taken: int) -> None:
    said = run(
        str(GATEPOST), "up", "--data", str(tmp_path / "data"), "--smtp-port", "0", "--http-port", str(taken), code=1
    )

    assert f"{taken}" in said
    assert "Traceback" not in said


def test_a_second_start_on_the_same_folder_says_that_it_runs(gatepost: Installation) -> None:
    """Also with the ports that the first one holds: the folder is the news, not the port."""
    ports = ("--http-port", gatepost.http_url.rsplit(":", 1)[1], "--smtp-port", str(gatepost.smtp[1]))
    secrets = (gatepost.data / "secrets.json").stat().st_mtime_ns

    said = in_installation(gatepost, "up", *ports, code=1)

    assert "already runs" in said
    assert str(gatepost.pids["supervisor"]) in said
    assert secrets == (gatepost.data / "secrets.json").stat().st_mtime_ns


def test_the_agent_of_the_readme_answers(gatepost: Installation) -> None:
    """Twenty lines of one's own: the webhook comes, the thread is read, the reply waits at the gate."""
    address = f"own-agent-{os.getpid()}@demo.test"
    in_installation(gatepost, "mailbox", "create", address, "--no-drafting")
    agent = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/agent.py"), gatepost.keys["agent"], gatepost.keys["operator"]],
        env={**os.environ, "GATEPOST_URL": gatepost.http_url}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        eventually(lambda: gatepost.call("GET", "/webhooks", key="operator")["webhooks"], "the agent's subscription")
        asked = gatepost.write(to=address)
        held = gatepost.held_for(asked)
    finally:
        agent.terminate()
        agent.wait(20)

    assert "I have read all 1 mails" in json.dumps(held)


def test_the_help_of_the_readme() -> None:
    assert "review" in run(str(GATEPOST), "--help")


def test_why_tells_how_a_mail_came_and_where_it_stands(gatepost: Installation) -> None:
    asked = gatepost.write(subject="Why?")
    held = gatepost.held_for(asked)
    inbound = gatepost.inbound(asked)
    assert inbound is not None
    came, waits = in_installation(gatepost, "why", inbound["id"]), in_installation(gatepost, "why", held["id"])

    assert "(T01): new -> received, by system ingest" in came
    assert "opened a thread: it names no mail that is known here" in came
    assert "drafted -> held" in waits
    assert in_installation(gatepost, "why", "msg_" + "0" * 26, code=1)


GROUPS = dict.fromkeys(words.split()[0] for words in commands() if " " in words)


@pytest.mark.parametrize("command", ["", *GROUPS, *commands()])
def test_every_command_explains_itself(command: str) -> None:
    said = CliRunner().invoke(app, [*command.split(), "--help"])

    assert said.exit_code == 0
    assert "Usage:" in said.output
    assert len(said.output.splitlines()) > 5


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("status",), "uncertain"),
        (("status", "--json"), '"quiet"'),
        (("keys", "list"), "reviewer"),
        (("mailbox", "list"), "support@demo.test"),
        (("streams", "apply"), "EVENTS"),
        (("migrate",), ""),
        (("review", "--list"), ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_the_daily_commands_answer(gatepost: Installation, words: tuple[str, ...], expected: str) -> None:
    assert expected in in_installation(gatepost, *words)


def test_mail_of_the_past_is_brought_in(gatepost: Installation, tmp_path: Path) -> None:
    """With what `gatepost up` wrote down; again is harmless; the API shows it and nobody answers it."""
    address = gatepost.mailbox["address"]
    mail = f"From: Ada <ada@past.example>\nTo: {address}\nSubject: Old\nMessage-ID: <old@past.example>\n\nHow long does delivery take?\n"
    box = tmp_path / "old.mbox"
    box.write_text(f"From ada Mon Nov 3 10:00:00 2025\n{mail}\n")
    for _ in range(2):
        said = in_installation(gatepost, "import", "mbox", str(box), "--mailbox", address)
        assert "1 of 1 mails are stored." in said
    refused = in_installation(gatepost, "import", "mbox", str(box), "--mailbox", "nobody@demo.test", code=1)
    found = eventually(lambda: gatepost.inbound("<old@past.example>"), "the old mail")

    assert "No recipient of this mail has a mailbox here." in refused
    assert found["subject"] == "Old"
    assert gatepost.call("GET", f"/v1/emails/{found['id']}")["automatic"] == ["imported"]


def test_without_an_installation_a_command_says_how_to_get_one(tmp_path: Path) -> None:
    said = run(str(GATEPOST), "status", "--data", str(tmp_path), code=2)

    assert "make up" in said
