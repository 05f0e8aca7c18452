"""docs/howto/being-told.md, as it stands: the mail, the live stream, and a NATS user who sees one mailbox and no more."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import ConsumerConfig

from gatepost_contracts.ids import new_id
from gatepost_runtime import streams
from gatepost_runtime.settings import StreamSettings
from support.installation import Installation, eventually
from support.runtime import Broker

PAGE = Path(__file__).parents[2].joinpath("docs/howto/being-told.md").read_text("utf-8")
NOTICES, STREAM, READER = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
HERE = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def shell(script: str, folder: Path, **environment: str) -> None:
    made = subprocess.run(["bash", "-ec", script], cwd=folder, env=os.environ | {"PATH": HERE} | environment,
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert made.returncode == 0, made.stderr


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    with log.open("w") as out:
        process = subprocess.Popen(command, env=os.environ | {"PATH": HERE} | environment, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.kill()
            process.wait(10)


@pytest.mark.check
def test_the_oversight_address_hears_at_once(tmp_path: Path) -> None:
    """A real mail with a link that shows and decides nothing; its page names no mail's content."""
    gatepost = Installation(tmp_path / "data").start()
    try:
        shell(NOTICES, tmp_path, GATEPOST_DATA=str(gatepost.data))
        held = gatepost.held_for(gatepost.write(subject="CANARY"))
        mail = eventually(
            lambda: next((m for m in gatepost.left() if "boss@example.com" in json.dumps(m)), None), "the notice"
        )
        text = json.dumps(mail)
        (link,) = set(re.findall(rf"http://[^ \"\\<>]+/review\?message_id={held['message_id']}", text))
        for _ in range(3):
            with urllib.request.urlopen(link, timeout=10) as page:
                shown = page.read().decode()
        waits = gatepost.call("GET", "/list_pending", key="reviewer")["messages"]
    finally:
        gatepost.stop()

    assert "CANARY" not in text
    assert "CANARY" not in shown
    assert "<form" not in shown
    assert [held["message_id"]] == [one["message_id"] for one in waits]


def test_the_live_stream(gatepost: Installation, tmp_path: Path) -> None:
    """Each event with an id from which a reader goes on."""
    own = {
        "GATEPOST_URL": gatepost.http_url,
        "GATEPOST_API_KEY": gatepost.keys["agent"],
        "MAILBOX": gatepost.mailbox["id"],
    }
    log = tmp_path / "log"
    with running(["bash", "-c", STREAM], log, **own):
        eventually(lambda: ": gatepost" in log.read_text(), "the stream")
        gatepost.write(subject="For the stream")
        eventually(
            lambda: re.search(r"^id: \S+\nevent: email\.received\ndata: \{", log.read_text(), re.MULTILINE), "it"
        )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


def test_a_reader_sees_one_mailbox(broker: Broker, tmp_path: Path) -> None:
    """And its user can do nothing but read it."""
    mine, other = new_id("mbx"), new_id("mbx")
    boss = broker.url("operator")
    asyncio.run(streams.apply(boss, StreamSettings()))
    shell(READER, tmp_path, MAILBOX=mine, GATEPOST_NATS_URL=boss)
    user = (tmp_path / "shop_feed.user").read_text()
    conf = tmp_path / "nats.conf"
    conf.write_text(conf.read_text().replace("  ]\n}", f"{user}\n  ]\n}}"))
    broker.kill()
    broker.start()
    (broker.passwords["shop_feed"],) = re.findall(r'password: "([^"]+)"', user)
    program, log = tmp_path / "feed.py", tmp_path / "log"
    program.write_text(PROGRAM)
    with running([sys.executable, str(program)], log, NATS_URL=broker.url("shop_feed")):
        asyncio.run(_publish(boss, (f"email.received.{other}", f"email.held.{mine}", f"mailbox.paused.{mine}")))
        eventually(lambda: f"email.held.{mine} one" in log.read_text(), "the event")
        asyncio.run(_publish(boss, (f"email.received.{mine}",)))
        eventually(lambda: f"email.received.{mine}" in log.read_text(), "the next")

    assert 2 == len(log.read_text().splitlines())
    assert [] == asyncio.run(_got_away_with(broker.url("shop_feed"), mine))


async def _publish(url: str, subjects: tuple[str, ...]) -> None:
    client = await nats.connect(url, inbox_prefix="_INBOX_operator")
    for subject in subjects:
        await client.jetstream().publish(subject, b'{"event_id": "one"}')
    await client.close()


async def _got_away_with(url: str, mailbox: str) -> list[str]:
    """What this user could do that it should not be able to."""
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error).lower())

    client = await nats.connect(url, inbox_prefix="_INBOX_shop_feed", error_cb=note)
    js, done = client.jetstream(timeout=0.5), list[str]()
    own = ConsumerConfig(durable_name="own", filter_subject="email.*.*")
    tries: dict[str, Any] = {
        "publish": lambda: js.publish(f"email.released.{mailbox}", b"{}"),
        "command": lambda: client.request("cmd.gatekeeper.decide", b"{}", timeout=0.5),
        "consumer": lambda: js.add_consumer("EVENTS", own),
        "delete": lambda: js.delete_consumer("EVENTS", "shop_feed"),
        "purge": lambda: js.purge_stream("EVENTS"),
        "get": lambda: js.get_msg("EVENTS", 1),
        "another durable": lambda: js.consumer_info("EVENTS", "drafter_email_received"),
        "the stream": lambda: js.stream_info("EVENTS"),
    }
    for name, attempt in tries.items():
        try:
            await attempt()
        except (nats.errors.Error, TimeoutError):
            continue
        done.append(name)
    await client.subscribe("email.>")
    await client.flush()
    await asyncio.sleep(0.1)
    if not any('subscription to "email.>"' in words for words in refused):
        done.append("subscribe")
    await client.close()
    return done
