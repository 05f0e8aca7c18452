"""The pull loop: takes only what it can begin at once, so that nothing waits unseen behind ack_wait.

FastStream's own loop would create a missing durable, spin when one is deleted, and drop at a stop what it had fetched.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.subscriber.usecases.stream_pull_subscriber import ConcurrentPullStreamSubscriber

from gatepost_runtime.logging import get_logger
from gatepost_runtime.policy import Gate, Heartbeat, Rules, decoded
from gatepost_runtime.rows import On
from gatepost_runtime.streams import EVENTS, filters_of
from gatepost_runtime.users import inbox

if TYPE_CHECKING:
    from nats.aio.msg import Msg

log = get_logger()
FETCH_S = 1
LARGEST_FETCH = 128
STALE_S = 30


class Pulled(ConcurrentPullStreamSubscriber):
    """One durable of one service. Made by `subscribe`, never by its constructor.

    At most one request for events is open. It asks for as many as there are free workers, and each event begins when it
    arrives; the client's own `fetch` would wait for a whole batch, and leave requests behind that catch events at a stop.
    """

    durable: str
    gate: Gate
    beat_s: Callable[[], float]
    busy: set[asyncio.Task[None]]
    loop_task: asyncio.Task[None] | None
    fetched_at: float | None
    is_missing: bool
    request: str  # the reply subject of the open request
    wanted: int  # what it may still bring
    ended: asyncio.Event
    pause_s: float

    async def _create_subscription(self) -> None:
        if self.subscription is not None:
            return
        self.ended = asyncio.Event()
        self.request, self.wanted, self.pause_s = "", 0, 0.0
        inbox_prefix = f"{self.extra_options['inbox_prefix'].decode()}{secrets.token_hex(8)}"
        self.subscription = await self.connection.subscribe(  # type: ignore[assignment]
            f"{inbox_prefix}.*", cb=self._arrived
        )
        self.loop_task = asyncio.create_task(self._pull(inbox_prefix), name=f"pull {self.durable}")

    async def _pull(self, inbox_prefix: str) -> None:
        turn = 0
        while self.running:
            if not self.gate.is_open:
                await self.gate.wait()
                continue
            free = self.max_workers - len(self.busy)
            if free <= 0:
                await asyncio.wait(self.busy, return_when=asyncio.FIRST_COMPLETED)
                continue
            turn += 1
            self.request, self.wanted = f"{inbox_prefix}.{turn}", min(free, LARGEST_FETCH)
            self.ended.clear()
            await self._ask(is_first=self.fetched_at is None)
            if self.pause_s:
                await asyncio.sleep(self.pause_s)
                self.pause_s = 0.0

    async def _ask(self, *, is_first: bool) -> None:
        """One request, until it has brought what it may, the server ends it, or nobody answers."""
        ask = {"batch": self.wanted} | ({"no_wait": True} if is_first else {"expires": FETCH_S * 1_000_000_000})
        try:
            await self.connection.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{self.durable}", json.dumps(ask).encode(), reply=self.request
            )
            await asyncio.wait_for(self.ended.wait(), timeout=FETCH_S + 1)
        except TimeoutError:
            pass  # the broker is away; readiness tells after a while
        except Exception as reason:
            log.debug("events could not be asked for", durable=self.durable, reason=repr(reason))
            self.pause_s = 1.0

    async def _arrived(self, message: Msg) -> None:
        """An event, or the server's word that the request is over."""
        status = message.headers.get("Status") if message.headers and not message.data else None
        if status is None:
            self.wanted -= 1
            task = asyncio.create_task(self._begin(message))
            self.busy.add(task)
            task.add_done_callback(self.busy.discard)
        elif message.subject != self.request or status == "100":
            return  # about an older request, or a heartbeat
        elif status in {"404", "408"}:  # nothing there, or its time is over
            self.wanted = 0
        else:  # 503: no such durable; 409: deleted under way, or the server leaves
            self.wanted, self.pause_s = 0, 1.0
            self.is_missing = status == "503" or "deleted" in str(message.headers).lower()
            self.ended.set()
            return
        self.fetched_at, self.is_missing = time.monotonic(), False
        if self.wanted <= 0:
            self.ended.set()

    async def _begin(self, message: Msg) -> None:
        if self.running and not self.gate.is_open:  # it came while the gate closed; keep it
            beat = Heartbeat(message, self.beat_s())
            try:
                await self.gate.wait()
            finally:
                beat.stop()
        if self.running:
            await self.consume(message)
            return
        try:
            await message.nak()  # stopping: another replica takes it now
        except Exception as reason:
            log.debug("an event could not be given back", reason=str(reason))

    def problem(self) -> str | None:
        """Why this durable is not being read, if it is not. One whose workers are all busy is healthy."""
        if self.is_missing:
            return f"the durable {self.durable} is missing; run `gatepost streams apply`"
        if len(self.busy) >= self.max_workers or not self.gate.is_open:
            return None
        if self.fetched_at is None:
            return f"{self.durable} was not read yet"
        if time.monotonic() - self.fetched_at > STALE_S:
            return f"{self.durable} had no answer for {STALE_S} s"
        return None

    @property
    def is_dead(self) -> bool:
        """The loop has ended though nobody stopped it."""
        return self.running and self.loop_task is not None and self.loop_task.done()

    async def stop(self) -> None:
        """End the loop, give back what it still brings, and wait for what runs."""
        self.running = False
        if self.loop_task is not None:
            await asyncio.wait({self.loop_task}, timeout=FETCH_S + 2)  # the open request ends within FETCH_S
        waiting = [task for task in self.busy if not task.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._outer_config.graceful_timeout)
        await super().stop()


def subscribe(broker: NatsBroker, service: str, row: On, actor: object | None, rules: Rules) -> Pulled:
    """Make the row a subscriber of the broker."""
    durable = row.durable(service)
    filters = filters_of(row.types)
    made: Any = broker.subscriber(
        filters[0] if len(filters) == 1 else "",
        stream=JStream(EVENTS, declare=False),
        durable=durable,
        pull_sub=PullSub(batch_size=min(row.workers, LARGEST_FETCH), timeout=FETCH_S),
        max_workers=row.workers,
        decoder=decoded,
        no_reply=True,  # a header `reply_to` would publish our result with our rights
        title=durable,
        inbox_prefix=f"{inbox(service)}.".encode(),
        **({} if len(filters) == 1 else {"config": _many(filters)}),
    )
    made(row.bound(actor))
    made.__class__ = Pulled  # the factory offers no other way in; a test pins that it fits
    sub = cast("Pulled", made)
    sub.durable, sub.gate = durable, rules.gate
    sub.beat_s = partial(rules.beat, row)
    sub.busy, sub.loop_task, sub.fetched_at, sub.is_missing = set(), None, None, False
    return sub


def _many(filters: list[str]) -> Any:
    from nats.js.api import ConsumerConfig

    return ConsumerConfig(filter_subjects=filters)
