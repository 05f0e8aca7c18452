"""What each NATS user may do, tried against a real server with the generated lists."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js.api import ConsumerConfig

from gatepost_contracts.catalogue import CATALOGUE, CONSUMERS, EVENTS_BY_TYPE, SERVICES
from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_runtime import streams
from gatepost_runtime.rows import On, Wired
from gatepost_runtime.settings import StreamSettings
from support.runtime import Broker, Running, drafted, eventually, received


class User:
    """One user's connection and what the server refused to it."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    async def open(self, broker: Broker, name: str) -> User:
        self.client = await nats.connect(broker.url(name), inbox_prefix=f"_INBOX_{name}", error_cb=self._note)
        self.js = self.client.jetstream(timeout=1)
        return self

    async def _note(self, error: Exception) -> None:
        self.refused.append(str(error).lower())

    async def may_publish(self, subject: str) -> bool:
        before = len(self.refused)
        await self.client.publish(subject, b"{}")
        await self.client.flush()
        await asyncio.sleep(0.01)
        return len(self.refused) == before

    async def may_subscribe(self, subject: str, queue: str = "") -> bool:
        before = len(self.refused)
        await self.client.subscribe(subject, queue=queue)
        await self.client.flush()
        await asyncio.sleep(0.01)
        return len(self.refused) == before


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_publishes_its_own_types_only(declared: Broker, service: str) -> None:
    """It sweeps its own outbox rows and nobody else's."""
    user = await User().open(declared, service)
    own = {entry.model.type for entry in CATALOGUE if service in entry.owners}
    may = {t for t in EVENTS_BY_TYPE if await user.may_publish(f"{t}.mbx_1")}
    await user.client.close()

    assert own == may


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_cannot_make_or_change_or_read_past_its_durables(declared: Broker, service: str) -> None:
    """A push consumer delivers to any subject it names, commands included; so nobody may make one."""
    user = await User().open(declared, service)
    foreign = next(d for s, rows in CONSUMERS.items() if s != service for d in rows)
    forbidden = [
        "$JS.API.CONSUMER.CREATE.EVENTS", f"$JS.API.CONSUMER.CREATE.EVENTS.{service}_x.email.received.mbx_1",
        f"$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.{service}_x", f"$JS.API.CONSUMER.DELETE.EVENTS.{foreign}",
        "$JS.API.STREAM.PURGE.EVENTS", "$JS.API.STREAM.DELETE.EVENTS", "$JS.API.STREAM.MSG.GET.EVENTS",
        "$JS.API.DIRECT.GET.EVENTS", "$JS.API.STREAM.UPDATE.EVENTS", f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{foreign}",
        f"$JS.ACK.EVENTS.{foreign}.1.1.1.1.1", "dead.elsewhere.x", "$JS.API.STREAM.NAMES", "_INBOX_api.x",
    ]  # fmt: skip
    if service == "api":
        forbidden.remove("_INBOX_api.x")
        forbidden.append("_INBOX_gatekeeper.x")
    allowed = [subject for subject in forbidden if await user.may_publish(subject)]
    read = [s for s in (">", "email.>", "cmd.>", "_INBOX_operator.>", "$JS.ACK.>") if await user.may_subscribe(s)]
    await user.client.close()

    assert allowed == []
    assert read == []


async def test_only_the_servers_of_commands_listen_on_them(declared: Broker) -> None:
    """And only in their queue group, so that a replica's answer stays one answer."""
    for service in SERVICES:
        user = await User().open(declared, service)
        assert (service == "gatekeeper") == await user.may_subscribe("cmd.gatekeeper.*", "gatekeeper")
        assert (service == "sender") == await user.may_subscribe("cmd.sender.domain_key", "sender")
        assert not await user.may_subscribe("cmd.gatekeeper.decide")
        assert (service in {"api", "gatekeeper"}) == await user.may_publish("cmd.gatekeeper.decide")
        assert (service == "api") == await user.may_publish("cmd.sender.domain_key")
        await user.client.close()


async def test_a_service_user_cannot_create_a_consumer(declared: Broker) -> None:
    """The call itself, as a service would make it by mistake."""
    user = await User().open(declared, "drafter")

    with pytest.raises((TimeoutError, nats.errors.TimeoutError)):
        await user.js.add_consumer("EVENTS", ConsumerConfig(durable_name="drafter_own", filter_subject="email.held.*"))

    assert any("permissions violation" in words for words in user.refused)
    await user.client.close()


async def test_a_third_party_reads_its_one_durable(tmp_path: Any) -> None:
    """The mailbox that the operator chose, and nothing else."""
    broker = Broker(tmp_path)
    conf = (tmp_path / "nats.conf").read_text()
    (tmp_path / "nats.conf").write_text(
        conf.replace("  ]\n}", streams.third_party_user("crm", "pw", "crm_mbx_1") + "\n  ]\n}")
    )
    broker.passwords["crm"] = "pw"
    broker.start()
    try:
        await streams.apply(broker.url("operator"), StreamSettings())
        boss = await nats.connect(broker.url("operator"))
        await boss.jetstream().add_consumer(
            "EVENTS", ConsumerConfig(durable_name="crm_mbx_1", filter_subject="email.*.mbx_1", ack_policy="explicit")
        )
        await boss.jetstream().publish("email.received.mbx_2", b"other")
        await boss.jetstream().publish("email.received.mbx_1", b"own")
        await boss.close()
        crm = await User().open(broker, "crm")
        durable = await crm.js.pull_subscribe_bind(durable="crm_mbx_1", stream="EVENTS", inbox_prefix=b"_INBOX_crm.")
        message = (await durable.fetch(5, timeout=2))[0]

        assert message.data == b"own"
        assert not await crm.may_publish("email.received.mbx_1")
        await crm.client.close()
    finally:
        broker.kill()


async def test_applying_again_changes_nothing(declared: Broker) -> None:
    """Safe to run at every start, and it says what differs."""
    settings = StreamSettings(GATEPOST_ACK_WAIT_S=2)
    assert {"as declared"} == {
        line.rpartition(": ")[2] for line in await streams.apply(declared.url("operator"), settings)
    }
    assert await streams.check(declared.url("operator"), settings) == []

    other = StreamSettings(GATEPOST_ACK_WAIT_S=7, events_days=8)
    differs = await streams.check(declared.url("operator"), other)
    assert "stream EVENTS differs" in differs
    assert len(differs) == 1 + sum(len(rows) for rows in CONSUMERS.values())

    await streams.apply(declared.url("operator"), other)
    assert await streams.check(declared.url("operator"), other) == []


async def test_published_events_carry_their_id_and_story(run: Any, operator: Any) -> None:
    """A repeat inside the window is dropped by the server; headers tie an event to what caused it."""
    running: Running
    event, answer = received(), drafted()

    async def write(e: EmailReceived) -> None:
        assert await running.service.publisher.publish([answer]) == [True]

    async def ignore(e: Any) -> None:
        """Nothing."""

    running = await run("drafter", Wired((On(EmailReceived, write), On(EmailRejected, ignore))))
    js = operator.jetstream()
    await js.publish(event.subject, event.encode(), headers={"correlation_id": "story-1"})

    async def stored() -> Any:
        try:
            return await js.get_last_msg("EVENTS", answer.subject)
        except nats.js.errors.NotFoundError:
            return None

    message = await eventually(stored, "the answer")

    assert answer.encode() == message.data
    headers = message.headers
    assert (answer.event_id, "story-1", event.event_id) == tuple(
        headers[h] for h in ("Nats-Msg-Id", "correlation_id", "causation_id")
    )
    assert headers["traceparent"].startswith("00-")
    last = message.seq
    assert await running.service.publisher.publish([answer, answer]) == [True, True]
    assert last == (await js.stream_info("EVENTS")).state.last_seq


async def test_a_publish_that_nobody_acknowledges_has_a_deadline(run: Any, declared: Broker) -> None:
    """The future of a refused or lost publish never ends by itself."""

    async def ignore(e: Any) -> None:
        """Nothing."""

    running: Running = await run("drafter", Wired((On(EmailReceived, ignore), On(EmailRejected, ignore))))
    running.service.publisher._deadline_s = 0.5
    declared.process.send_signal(19)  # type: ignore[union-attr]  (SIGSTOP: connected, and silent)
    stat = Path(f"/proc/{declared.process.pid}/task")  # type: ignore[union-attr]
    await eventually(
        lambda: all(") T" in (t / "stat").read_text() for t in stat.iterdir()), "a server that stands still"
    )
    try:
        answers = await asyncio.wait_for(running.service.publisher.publish([drafted(), drafted()]), 3)
    finally:
        declared.process.send_signal(18)  # type: ignore[union-attr]

    assert answers == [False, False]
    assert len(running.service.publisher._js._publish_async_futures) == 0  # type: ignore[union-attr]
