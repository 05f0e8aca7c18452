"""Commands are asked and answered, and only by those who may: NATS rights do not prove authorship."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import nats
import pytest

from gatepost_contracts.catalogue import CONSUMERS, EVENTS_BY_TYPE
from gatepost_contracts.commands import Cancel, CommandReply, DomainKey
from gatepost_contracts.ids import new_id
from gatepost_runtime.errors import Unavailable
from gatepost_runtime.rows import On, Wired
from support.runtime import TENANT, Broker, Running, drafted


def cancel() -> Cancel:
    return Cancel(
        command_id=new_id("cmd"), tenant_id=TENANT, key_id=new_id("key"), principal_id="prn_agent", door="rest",
        at=datetime.now(UTC), message_id=new_id("msg"),
    )  # fmt: skip


async def ignore(event: Any) -> None:
    """A handler that has nothing to do."""


def gatekeeper(answers: dict[Any, Any]) -> Wired:
    rows = []
    for durable, types in CONSUMERS["gatekeeper"].items():
        events = tuple(EVENTS_BY_TYPE[t] for t in types)
        rows.append(On(events, ignore, name=durable.removeprefix("gatekeeper_") if len(events) > 1 else None))
    return Wired(tuple(rows), commands=answers)


class Desk:
    def __init__(self) -> None:
        self.asked: list[Cancel] = []

    async def cancel(self, command: Cancel) -> CommandReply:
        self.asked.append(command)
        return CommandReply(ok=True, message_id=command.message_id, state="cancelled")


@pytest.fixture
async def desk(run: Any) -> Desk:
    desk = Desk()
    await run("gatekeeper", gatekeeper({Cancel: desk.cancel}))
    return desk


async def test_a_command_is_answered(run: Any, desk: Desk) -> None:
    """Request and reply between two services with their own users."""
    api: Running = await run("api", Wired())
    command = cancel()

    reply = await api.service.ask(command)

    assert (True, command.message_id, "cancelled") == (reply.ok, reply.message_id, reply.state)
    assert [command] == desk.asked


async def test_nobody_there_is_unavailable(run: Any) -> None:
    """No gatekeeper: the door answers 503, and knows that it does not know."""
    api: Running = await run("api", Wired())

    with pytest.raises(Unavailable):
        await api.service.ask(cancel())


async def test_a_handler_that_fails_answers_unavailable(run: Any) -> None:
    """The asker must not wait for the time-out, and must not be told what broke."""

    async def broken(command: Cancel) -> CommandReply:
        raise RuntimeError("secret detail")

    await run("gatekeeper", gatekeeper({Cancel: broken}))
    api: Running = await run("api", Wired())

    reply = await api.service.ask(cancel())

    assert (reply.ok, reply.code) == (False, "unavailable")
    assert "secret" not in reply.model_dump_json()


async def test_an_unknown_or_unreadable_command_is_refused(desk: Desk, declared: Broker) -> None:
    """A known subject with a strange body, and a strange subject."""
    client = await nats.connect(declared.url("api"), inbox_prefix="_INBOX_api")
    for subject, body in (("cmd.gatekeeper.cancel", b'{"command_id": 1}'), ("cmd.gatekeeper.launch", b"{}")):
        reply = CommandReply.model_validate_json((await client.request(subject, body, timeout=2)).data)
        assert (reply.ok, reply.code) == (False, "invalid_request")
    await client.close()

    assert desk.asked == []


async def test_bounced_messages_are_no_commands(desk: Desk, declared: Broker, operator: Any) -> None:
    """The three bounces of a service that may publish or fetch something, with a command as the reply subject."""
    command = cancel()
    await operator.jetstream().publish("email.received.mbx_x", command.model_dump_json().encode())
    intruder = await nats.connect(declared.url("drafter"), inbox_prefix="_INBOX_drafter", error_cb=_quiet)
    event = drafted()

    # the broker's own PubAck, sent where we say
    await intruder.publish(event.subject, event.encode(), reply="cmd.gatekeeper.cancel")
    # a stored message, whose body is a valid command, handed to the command's subject
    await intruder.publish(
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.drafter_email_received", b'{"batch":1}', reply="cmd.gatekeeper.cancel"
    )
    await intruder.flush()
    # a PubAck stored as an event
    await intruder.publish(event.subject, event.encode(), reply="email.released.mbx_1")
    await intruder.flush()
    await asyncio.sleep(0.5)
    await intruder.close()

    assert desk.asked == []


async def test_a_command_with_a_reply_to_a_stranger_is_not_done(desk: Desk, operator: Any) -> None:
    """Even one who may publish on cmd.*: without an asker's inbox there was no asker."""
    body = cancel().model_dump_json().encode()
    for reply in ("", "email.released.mbx_1", "_INBOX_drafter.abc", "_INBOX_apix.abc"):
        await operator.publish("cmd.gatekeeper.cancel", body, reply=reply)
    await operator.flush()
    await asyncio.sleep(0.3)

    assert desk.asked == []


async def test_the_sender_is_asked_for_a_domain_key(run: Any) -> None:
    """The one other command."""

    async def make(command: DomainKey) -> CommandReply:
        return CommandReply(ok=True, extra={"domain": command.domain})

    rows = tuple(On(EVENTS_BY_TYPE[types[0]], ignore) for types in CONSUMERS["sender"].values())
    await run("sender", Wired(rows, commands={DomainKey: make}))
    api: Running = await run("api", Wired())
    base = cancel().model_dump(exclude={"message_id"})

    reply = await api.service.ask(DomainKey(**base, domain="example.com"))

    assert reply.extra == {"domain": "example.com"}


async def test_two_replicas_share_the_commands(run: Any) -> None:
    """One answer each, whoever gives it."""
    desks = [Desk(), Desk()]
    for desk in desks:
        await run("gatekeeper", gatekeeper({Cancel: desk.cancel}))
    api: Running = await run("api", Wired())

    await asyncio.gather(*(api.service.ask(cancel()) for _ in range(40)))

    assert sum(len(desk.asked) for desk in desks) == 40
    assert all(desk.asked for desk in desks)


async def _quiet(_: Exception) -> None:
    """A refusal is what we look for."""
