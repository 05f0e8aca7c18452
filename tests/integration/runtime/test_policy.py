"""What becomes of an event whose handler fails, against a real broker."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_runtime.errors import Hopeless, Transient
from gatepost_runtime.rows import On, Wired
from support.runtime import FakeStore, StoreDown, dead_letters, eventually, received, rejected


class Writer:
    """A drafter that does as it is told."""

    def __init__(self, failures: dict[str, list[BaseException | float]] | None = None) -> None:
        self.failures = failures or {}
        self.begun: list[tuple[str, float]] = []
        self.done: list[str] = []

    async def received(self, event: EmailReceived) -> None:
        self.begun.append((event.event_id, time.monotonic()))
        planned = self.failures.get(event.event_id, [])
        if planned:
            what = planned.pop(0)
            if isinstance(what, BaseException):
                raise what
            await asyncio.sleep(what)
        self.done.append(event.event_id)

    async def rejected(self, event: EmailRejected) -> None:
        self.done.append(event.event_id)


def wired(writer: Writer, **row: Any) -> Wired:
    return Wired((On(EmailReceived, Writer.received, **row), On(EmailRejected, Writer.rejected)), writer)


async def publish(operator: Any, *events: Any) -> None:
    for event in events:
        await operator.jetstream().publish(event.subject, event.encode(), headers={"Nats-Msg-Id": event.event_id})


async def pending(operator: Any) -> int:
    info = await operator.jetstream().consumer_info("EVENTS", "drafter_email_received")
    return int(info.num_ack_pending) + int(info.num_pending)


async def test_an_event_reaches_its_handler_and_is_acked(run: Any, operator: Any) -> None:
    """The plain case: handled once and gone from the durable."""
    writer, event = Writer(), received()
    await run("drafter", wired(writer))
    await publish(operator, event, other := rejected())

    await eventually(lambda: {event.event_id, other.event_id} == set(writer.done), "both events")

    await eventually(lambda: _is_zero(operator), "the acks")
    assert await dead_letters(operator) == []


async def _is_zero(operator: Any) -> bool:
    return await pending(operator) == 0


async def test_a_failure_is_tried_again_with_a_growing_delay(run: Any, operator: Any) -> None:
    """A plain nak would come back at once and spin."""
    event = received()
    writer = Writer({event.event_id: [RuntimeError("a"), Transient("b"), RuntimeError("c")]})
    await run("drafter", wired(writer), first_retry_s=0.2)
    await publish(operator, event)

    await eventually(lambda: writer.done, "success")

    moments = [at for _, at in writer.begun]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(gaps) == 3
    assert gaps[0] >= 0.15 and gaps[1] >= 0.3 and gaps[2] >= 0.6, gaps
    await eventually(lambda: _is_zero(operator), "the ack")


async def test_what_is_out_of_attempts_becomes_a_dead_letter(run: Any, operator: Any) -> None:
    """Nothing is lost and nothing spins for ever."""
    event = received()
    writer = Writer({event.event_id: [RuntimeError(f"no {n}") for n in range(9)]})
    await run("drafter", wired(writer, attempts=3))
    await publish(operator, event)

    letter = (await eventually(lambda: dead_letters(operator), "the dead letter"))[0]

    assert len(writer.begun) == 3
    assert f"dead.drafter.{event.subject}" == letter.subject
    assert event.encode() == letter.data
    assert tuple(letter.headers[h] for h in ("reason", "words", "attempts")) == ("RuntimeError", "no 2", "3")
    assert letter.headers["handler"] == "Writer.received"
    await eventually(lambda: _is_zero(operator), "the ack")


async def test_what_is_hopeless_is_dead_at_once(run: Any, operator: Any) -> None:
    """Eight attempts at the impossible help nobody."""
    event = received()
    writer = Writer({event.event_id: [Hopeless("no such mail"), RuntimeError("never reached")]})
    await run("drafter", wired(writer))
    await publish(operator, event)

    letter = (await eventually(lambda: dead_letters(operator), "the dead letter"))[0]

    assert len(writer.begun) == 1
    assert (letter.headers["reason"], letter.headers["words"]) == ("Hopeless", "no such mail")


async def test_what_cannot_be_read_is_dead_at_once_and_keeps_its_bytes(run: Any, operator: Any) -> None:
    """Not JSON, JSON of something else, and a stranger's shape."""
    writer = Writer()
    await run("drafter", wired(writer))
    bodies = [b"\xff\x00 not json", b'{"a": 1}', b"[]"]
    for body in bodies:
        await operator.jetstream().publish("email.received.mbx_x", body)

    async def all_dead() -> Any:
        found = await dead_letters(operator)
        return found if len(found) == 3 else None

    letters = await eventually(all_dead, "three dead letters")

    assert sorted(bodies) == sorted(letter.data for letter in letters)
    assert {"Unreadable"} == {letter.headers["reason"] for letter in letters}
    assert writer.begun == []


async def test_an_event_that_kills_its_process_is_buried_unbegun(run: Any, operator: Any) -> None:
    """Its deliveries count though no handler ever came to an end."""
    event = received()
    writer = Writer()
    await publish(operator, event)
    raw = await operator.jetstream().pull_subscribe_bind(durable="drafter_email_received", stream="EVENTS")
    for _ in range(3):
        message = (await raw.fetch(1, timeout=2))[0]
        await message.nak()
    await run("drafter", wired(writer, attempts=3))

    letter = (await eventually(lambda: dead_letters(operator), "the dead letter"))[0]

    assert letter.headers["reason"] == "Attempts"
    assert writer.begun == []


async def test_a_long_handler_keeps_its_event(run: Any, operator: Any) -> None:
    """The heartbeat: ack_wait is 2 s here, the handler takes 3."""
    event = received()
    writer = Writer({event.event_id: [3.0]})
    await run("drafter", wired(writer))
    await publish(operator, event)

    await eventually(lambda: writer.done, "the end")

    await eventually(lambda: _is_zero(operator), "the ack")
    assert len(writer.begun) == 1


async def test_a_slow_event_does_not_hold_up_quick_ones(run: Any, operator: Any) -> None:
    """One model call of a minute must not stop the mail of everybody else."""
    slow, quick = received(), [received() for _ in range(20)]
    writer = Writer({slow.event_id: [2.0]})
    await run("drafter", wired(writer, workers=2))
    await publish(operator, slow, *quick)

    await eventually(lambda: len(writer.done) == 20, "the quick ones", 1.8)

    assert slow.event_id not in writer.done


async def test_no_attempt_is_spent_while_the_database_is_away(run: Any, operator: Any, monkeypatch: Any) -> None:
    """An outage of an hour must not turn everything in flight into dead letters."""
    monkeypatch.setattr("gatepost_runtime.main._is_store_down", lambda e: isinstance(e, StoreDown))
    store, event = FakeStore(), received()
    writer = Writer({event.event_id: [StoreDown("away")] * 2})
    running = await run("drafter", wired(writer, attempts=3), store=store)
    store.away = "the server is closed"
    await publish(operator, event)
    await eventually(lambda: not running.process._rules.gate.is_open, "the gate")
    begun = len(writer.begun)
    await asyncio.sleep(1.5)

    assert begun == len(writer.begun)
    assert "the server is closed" in await running.why_not()

    store.away = None
    await eventually(lambda: writer.done, "success")
    assert await dead_letters(operator) == []


async def test_a_dead_letter_that_cannot_be_stored_is_not_acked(run: Any, operator: Any) -> None:
    """Only a stored dead letter takes the event away."""
    event = received()
    writer = Writer({event.event_id: [Hopeless("x")] * 9})
    running = await run("drafter", wired(writer))
    stored = running.process._rules.publish_dead
    failures = 0

    async def fail(*_: Any) -> None:
        nonlocal failures
        failures += 1
        raise TimeoutError

    running.process._rules.publish_dead = fail
    await publish(operator, event)
    await eventually(lambda: failures >= 2, "two failures")
    assert await pending(operator) == 1
    running.process._rules.publish_dead = stored

    assert await eventually(lambda: dead_letters(operator), "the dead letter")


async def test_a_reply_to_header_makes_nobody_publish(run: Any, operator: Any) -> None:
    """FastStream would publish the handler's result to that subject with our rights."""
    writer, event = Writer(), received()
    seen: list[Any] = []

    async def note(message: Any) -> None:
        seen.append(message)

    await operator.subscribe("email.held.>", cb=note)
    await run("drafter", wired(writer))
    await operator.jetstream().publish(event.subject, event.encode(), headers={"reply_to": "email.held.mbx_1"})
    await eventually(lambda: writer.done, "the handler")
    await asyncio.sleep(0.2)

    assert seen == []
