"""What happens when a handler fails, decided once.

Nothing is lost and nothing spins: a failure is tried again with a growing delay; what cannot succeed, or has failed too
often, or kills the process each time, becomes a dead letter with reason, handler and attempts. Only a stored dead letter
is acked. While the database is away no attempt is spent: the gate closes, nothing is fetched, what is in work is kept,
and it opens when the database answers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from faststream import BaseMiddleware
from faststream.exceptions import HandlerException, NackMessage
from nats.aio.msg import Msg
from pydantic import ValidationError

from gatepost_contracts.event import Event
from gatepost_runtime.errors import Hopeless, Transient
from gatepost_runtime.logging import get_logger
from gatepost_runtime.metrics import Metrics
from gatepost_runtime.rows import On
from gatepost_runtime.tracing import CARRIED, Flows

log = get_logger()
_REASON_LENGTH = 300
StoreDown = Callable[[BaseException], bool]
Bury = Callable[[str, bytes, dict[str, str]], Awaitable[Any]]
_decoded: ContextVar[Event] = ContextVar("decoded")


async def decoded(_: Any) -> Event:
    """FastStream's decoder: the event was decoded already, where the policy could see it fail."""
    return _decoded.get()


class Gate:
    """Closed while the database is away; then nobody fetches."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._probe: asyncio.Task[None] | None = None
        self.is_stopping = False

    @property
    def is_open(self) -> bool:
        """True when events may be fetched."""
        return self._open.is_set()

    async def wait(self) -> None:
        """Until it is open."""
        await self._open.wait()

    def close_until(self, answers: Callable[[], Awaitable[Any]]) -> None:
        """Close, and open again when `answers` returns."""
        if self._open.is_set():
            log.warning("the database is away; nothing is fetched until it answers")
            self._open.clear()
            self._probe = asyncio.create_task(self._watch(answers))

    def stop(self) -> None:
        """Stop looking, so that the process can end."""
        self.is_stopping = True
        if self._probe is not None:
            self._probe.cancel()
        self._open.set()

    async def _watch(self, answers: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await asyncio.wait_for(answers(), timeout=5)
            except Exception:
                await asyncio.sleep(1)
                continue
            log.info("the database answers again")
            self._open.set()
            return


class Heartbeat:
    """Tells the server that work goes on, a third of ack_wait apart; nothing is sent by handlers that are quick."""

    def __init__(self, raw: Msg, every_s: float) -> None:
        self._raw, self._every_s = raw, every_s
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(every_s, self._tick)
        self._sends: set[asyncio.Task[None]] = set()

    def _tick(self) -> None:
        task = self._loop.create_task(self._send())
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)
        self._timer = self._loop.call_later(self._every_s, self._tick)

    async def _send(self) -> None:
        try:
            await self._raw.in_progress()
        except Exception as reason:  # the connection is away: the event comes again, which every handler bears
            log.debug("a heartbeat could not be sent", reason=str(reason))

    def stop(self) -> None:
        """No further one."""
        self._timer.cancel()


class Rules:
    """The failure policy of one service."""

    def __init__(
        self,
        service: str,
        rows: dict[str, On],
        flows: Flows,
        metrics: Metrics,
        *,
        first_retry_s: float,
        max_retry_s: float,
        store_is_down: StoreDown = lambda _: False,
        store_answers: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        self.service, self.rows, self.flows, self.metrics = service, rows, flows, metrics
        self.first_retry_s, self.max_retry_s = first_retry_s, max_retry_s
        self.store_is_down, self.store_answers = store_is_down, store_answers
        self.gate = Gate()
        self.beat_s: dict[str, float] = {}  # by durable, from what the server has
        self.publish_dead: Bury = _no_broker

    def beat(self, row: On) -> float:
        """Seconds between two heartbeats of this row."""
        return self.beat_s.get(row.durable(self.service), row.ack_wait_s / 3)

    def delay_s(self, attempt: int) -> float:
        """Twice as long each time, with a fifth of chance in it so that failures do not come back in step."""
        delay = min(self.max_retry_s, self.first_retry_s * 2.0 ** min(attempt - 1, 30))
        return delay * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)

    async def run(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        """Handle one event; what is raised from here is a nak, what returns is acked."""
        raw: Msg = msg.raw_message
        meta = raw.metadata
        durable, attempt = meta.consumer, meta.num_delivered or 1
        row = self.rows[durable]
        if attempt > row.attempts:  # before the handler: it may be what kills us
            return await self._bury(raw, row, "Attempts", "it was begun too often and never finished")
        try:
            event: Event = row.decode(raw.subject, raw.data)
        except (ValidationError, KeyError, UnicodeDecodeError) as reason:
            return await self._bury(raw, row, "Unreadable", _unreadable(reason))
        _decoded.set(event)
        began = time.perf_counter()
        beat = Heartbeat(raw, self.beat(row))
        with (
            self.flows.follow(durable, raw.headers, event, event.event_id),
            self.metrics.running.labels(durable).track_inprogress(),
        ):
            try:
                result = await self._call(call_next, msg, durable)
            except HandlerException:
                raise
            except Hopeless as reason:
                return await self._bury(raw, row, "Hopeless", str(reason))
            except Exception as reason:
                return await self._failed(raw, row, attempt, reason)
            finally:
                beat.stop()
                self.metrics.seconds.labels(durable).observe(time.perf_counter() - began)
        self.metrics.events.labels(durable, "done").inc()
        return result

    async def _call(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any, durable: str) -> Any:
        """Call the handler; while the database is away keep the event, for an attempt costs nothing then."""
        while True:
            try:
                return await call_next(msg)
            except Exception as reason:
                if not self.store_is_down(reason) or self.store_answers is None:
                    raise
                self.metrics.events.labels(durable, "store_down").inc()
                if self.gate.is_stopping:
                    raise NackMessage from reason
                self.gate.close_until(self.store_answers)
                await asyncio.sleep(self.delay_s(1))
                await self.gate.wait()

    async def _failed(self, raw: Msg, row: On, attempt: int, reason: Exception) -> None:
        """Once more later, or never again."""
        durable = row.durable(self.service)
        if attempt >= row.attempts:
            return await self._bury(raw, row, type(reason).__name__, str(reason))
        own_delay = reason.retry_after_s if isinstance(reason, Transient) else None
        delay = self.delay_s(attempt) if own_delay is None else own_delay
        self.metrics.events.labels(durable, "retry").inc()
        is_expected = isinstance(reason, Transient)
        log.warning(
            "an event could not be handled and comes again", durable=durable, attempt=attempt, delay_s=round(delay, 1),
            reason=f"{type(reason).__name__}: {reason}"[:_REASON_LENGTH], exc_info=None if is_expected else reason,
        )  # fmt: skip
        raise NackMessage(delay=delay) from reason

    async def _bury(self, raw: Msg, row: On, reason: str, words: str) -> None:
        """Set it aside for a person, raw bytes and all; only when that is stored may the event be acked."""
        meta = raw.metadata
        durable, attempt = meta.consumer, meta.num_delivered or 1
        headers = {
            "Nats-Msg-Id": f"dead-{durable}-{meta.sequence.stream}",
            "reason": reason,
            "words": _header(words),
            "handler": getattr(row.handler, "__qualname__", str(row.handler)),
            "durable": durable,
            "attempts": str(attempt),
            "sequence": str(meta.sequence.stream),
            "subject": raw.subject,
            **{name: value for name in CARRIED if (value := (raw.headers or {}).get(name))},
        }
        try:
            await self.publish_dead(f"dead.{self.service}.{raw.subject}", raw.data, headers)
        except Exception as why:
            log.exception("a dead letter could not be stored; its event comes again", durable=durable)
            raise NackMessage(delay=self.delay_s(attempt)) from why
        self.metrics.dead.labels(durable, reason).inc()
        self.metrics.events.labels(durable, "dead").inc()
        log.error(
            "an event became a dead letter", durable=durable, reason=reason, words=_header(words), attempts=attempt,
            sequence=meta.sequence.stream, subject=raw.subject,
        )  # fmt: skip


async def _no_broker(*_: object) -> None:
    raise ConnectionError("there is no broker")


class Guarded(BaseMiddleware[Any, Any]):
    """Puts the rules around every handler of the broker."""

    def __init__(self, msg: Any, /, *, context: Any, rules: Rules) -> None:
        super().__init__(msg, context=context)
        self._rules = rules

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        """Called by FastStream with the rest of the chain."""
        return await self._rules.run(call_next, msg)


def _unreadable(reason: Exception) -> str:
    """What is wrong with a body, without the body."""
    if isinstance(reason, ValidationError):
        problems = reason.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, p['loc'])) or 'body'}: {p['msg']}" for p in problems[:5])
    return f"{type(reason).__name__}: {reason}"


def _header(words: str) -> str:
    """Words that may stand in a header: one short line of ASCII."""
    line = " ".join(words.encode("ascii", "replace").decode().split())
    return "".join(c for c in line if c.isprintable())[:_REASON_LENGTH] or "-"
