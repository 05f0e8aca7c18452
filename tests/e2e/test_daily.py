"""The commands an operator and an agent's developer use every day, against a running installation."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from support.installation import GATEPOST, eventually

pytestmark = pytest.mark.check  # each command is a process

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(gatepost: Any) -> Run:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEPOST_")} | {
        "GATEPOST_DATA": str(gatepost.data),
        "COLUMNS": "200",
    }

    def go(*args: str, stdin: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(GATEPOST), *args],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env=environment | more,
        )

    return go


def test_a_mail_is_sent_seen_and_decided(gatepost: Any, run: Run) -> None:
    box = gatepost.mailbox["address"]
    sent = run("send", "ada@daily.test", "--subject", "Daily", "--mailbox", box, "--json", stdin=f"Hello {time.time()}")
    message_id = json.loads(sent.stdout)["id"]
    eventually(lambda: message_id in run("pending", "--mailbox", box).stdout, "it in the queue")
    listed = run("inbox", "--mailbox", box, "--status", "pending", "--json")
    decided = run("decide", message_id, "approve")
    again = run("decide", message_id, "reject")

    assert message_id in {m["id"] for m in json.loads(listed.stdout)["messages"]}
    assert (decided.returncode, decided.stdout.split()[0]) == (0, message_id)
    assert again.returncode == 1
    assert "decided" in again.stderr
    assert "Traceback" not in again.stderr
    thread_id = json.loads(sent.stdout)["thread_id"]
    assert "Hello" in run("thread", "show", thread_id, "--history").stdout


def test_the_probe_goes_all_the_way_and_leaves_nothing(gatepost: Any, run: Run) -> None:
    done = run("probe", "--json")
    told = json.loads(done.stdout)

    assert (done.returncode, told["ok"]) == (0, True)
    assert [step["step"] for step in told["steps"]][-1] == "the answer is withdrawn"


def test_the_probe_says_where_it_stopped(run: Run) -> None:
    done = run("probe", "--smtp", "127.0.0.1:1")

    assert done.returncode == 1
    assert "NO  SMTP takes the mail" in done.stdout


def test_the_doctor_finds_nothing_here_and_a_key_that_others_read(gatepost: Any, run: Run) -> None:
    well = run("doctor", "--json")
    key = next((gatepost.data / "keys" / "sender").glob("*.key"))
    key.chmod(0o644)
    try:
        ill = run("doctor")
    finally:
        key.chmod(0o600)

    assert [f for f in json.loads(well.stdout) if f["ok"] is False] == []
    assert {"postgres fsync", "streams", "schema", "clock", "keys"} <= {f["name"] for f in json.loads(well.stdout)}
    assert ill.returncode == 1
    assert f"NO  keys: {key.name}" in ill.stdout
    assert "chmod 600" in ill.stdout


def test_listening_hands_events_on(gatepost: Any, run: Run) -> None:
    done: list[subprocess.CompletedProcess[str]] = []
    listening = threading.Thread(target=lambda: done.append(run("listen", "--types", "email.received", "--most", "1")))
    listening.start()
    while listening.is_alive():
        gatepost.write(subject="Listened to")
        listening.join(2)

    assert json.loads(done[0].stdout)["type"] == "email.received"


async def test_mcp_on_standard_input_decides_with_the_persons_key_alone(gatepost: Any) -> None:
    def server(**more: str) -> StdioServerParameters:
        return StdioServerParameters(command=str(GATEPOST), args=["mcp"], env={
            "PATH": os.environ["PATH"], "GATEPOST_URL": gatepost.http_url, "GATEPOST_API_KEY": gatepost.keys["agent"], **more})  # fmt: skip

    async with Client(stdio_client(server())) as author:
        alone = {tool.name for tool in (await author.list_tools()).tools}
        refused = await author.call_tool("decide_email", {"email_id": "msg_1", "action": "approve"})
    async with Client(stdio_client(server(GATEPOST_OVERSIGHT_KEY=gatepost.keys["reviewer"]))) as both:
        together = {tool.name for tool in (await both.list_tools()).tools}
        sent = await both.call_tool("send_email", {
            "to": ["x@daily.test"], "subject": "By stdio", "markdown": f"Hi {time.time()}", "mailbox_id": gatepost.mailbox["id"]})  # fmt: skip
        message_id = json.loads(sent.content[-1].text)["id"]
        eventually(
            lambda: gatepost.call("GET", f"/v1/emails/{message_id}")["status"] == "pending_send_approval", "held"
        )
        await both.call_tool("list_pending", {})
        decided = await both.call_tool("decide_email", {"email_id": message_id, "action": "reject", "final": True})

    assert "decide_email" not in alone
    assert refused.is_error
    assert together - alone >= {"decide_email"}
    assert not decided.is_error, decided.content
