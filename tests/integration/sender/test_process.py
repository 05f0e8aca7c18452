"""The sender as a process, with its own broker user and database role."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest

from gatepost_contracts.commands import DomainKey
from gatepost_contracts.email import EmailReleased
from gatepost_contracts.ids import new_id
from gatepost_runtime.settings import StreamSettings
from gatepost_runtime.streams import apply
from support.released import World
from support.runtime import Broker
from support.smtp_peer import Peer

SENDER = Path(sys.executable).with_name("gatepost-sender")


async def eventually(look: Callable[[], Any], within_s: float = 20) -> Any:
    until = time.monotonic() + within_s
    while not (found := await asyncio.to_thread(look)):
        assert time.monotonic() < until, "it never came"
        await asyncio.sleep(0.05)
    return found


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.URLError):
        return False


async def test_an_event_wakes_it_and_a_stop_is_clean(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nats").mkdir()
    broker = Broker(tmp_path / "nats")
    broker.start()
    await apply(broker.url("operator"), StreamSettings())
    async with Peer() as peer:
        from gatepost_embedded.ports import free_port

        health = free_port()
        given = {
            "GATEPOST_NATS_URL": broker.url("sender"), "GATEPOST_HEALTH_PORT": str(health),
            "GATEPOST_SENDER_RELAY_PORT": str(peer.port), "GATEPOST_SENDER_POLL_S": "60",
        }  # fmt: skip
        process = subprocess.Popen([str(SENDER)], env=dict(os.environ) | given, stdout=subprocess.DEVNULL)
        try:
            await eventually(lambda: is_ready(health))
            message = world.released()
            content = world.sql(f"SELECT content, mailbox_id, thread_id FROM message WHERE id = '{message}';")[0]
            event = EmailReleased(
                event_id=f"{message}.4.email.released", occurred_at=datetime.now(UTC), tenant_id="ten_01JD0000000000000000000000",
                mailbox_id=content[1], subject_id=message, seq=4, message_id=message, thread_id=content[2], revision=1,
                content_sha256=content[0], release=1, deliveries=(f"{message}.1.1",), due_at=datetime.now(UTC),
            )  # fmt: skip
            operator = await nats.connect(broker.url("operator"), inbox_prefix="_INBOX_operator")
            await operator.jetstream().publish(event.subject, event.encode(), headers={"Nats-Msg-Id": event.event_id})
            await eventually(lambda: world.state(message) == "delivered")

            told = await operator.jetstream().get_last_msg("EVENTS", f"email.delivered.{content[1]}")
            assert [f"{message}.1.1"] == json.loads(told.data or b"{}")["deliveries"]
            command = DomainKey(
                command_id=new_id("cmd"), tenant_id="ten_01JD0000000000000000000000", principal_id="prn_a", door="rest",
                at=datetime.now(UTC), domain="here.test",
            )  # fmt: skip
            api = await nats.connect(broker.url("api"), inbox_prefix="_INBOX_api")
            reply = json.loads((await api.request(command.subject, command.model_dump_json().encode(), timeout=5)).data)
            assert "gp1._domainkey.here.test" == reply["extra"]["records"][0]["name"]
            await api.close()
            await operator.close()

            process.send_signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(process.wait, 20)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            broker.process.terminate()
            broker.process.wait(10)
