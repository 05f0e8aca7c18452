"""The pull loop: fetches only what it can begin at once, so that nothing waits unseen behind ack_wait.

FastStream's own loop would create a missing durable, spin when one is deleted, and drop at a stop what it had fetched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.subscriber.usecases.stream_pull_subscriber import ConcurrentPullStreamSubscriber
from nats.errors import ConnectionClosedError
from nats.js.errors import APIError, ServiceUnavailableError

from gatepost_runtime.logging import get_logger
from gatepost_runtime.policy import Gate, Heartbeat, Rules, decoded
from gatepost_runtime.rows import On
from gatepost_runtime.streams import EVENTS, filters_of
from gatepost_runtime.users import inbox

if TYPE_CHECKING:
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

log = get_logger()
FETCH_S = 1
LARGEST_FETCH = 128
STALE_S = 30


class Pulled(ConcurrentPullStreamSubscriber):
    """One durable of one service. Made by `subscribe`, never by its constructor."""

    durable: str
    gate: Gate
    beat_s: Callable[[], float]
    busy: set[asyncio.Task[None]]
    loop_task: asyncio.Task[None] | None
    fetched_at: float | None
    is_missing: bool

    async def _create_subscription(self) -> None:
        if self.subscription is not None:
            return
        bind = {key: self.extra_options[key] for key in ("durable", "stream", "inbox_prefix")}
        self.subscription = await self.jetstream.pull_subscribe_bind(**bind)  # pull_subscribe would create it
        self.loop_task = asyncio.create_task(self._pull(), name=f"pull {self.durable}")

    async def _pull(self) -> None:
        while self.running:
            if not self.gate.is_open:
                await self.gate.wait()
                continue
            free = self.max_workers - len(self.busy)
            if free <= 0:
                await asyncio.wait(self.busy, return_when=asyncio.FIRST_COMPLETED)
                continue
            for message in await self._fetch(min(free, LARGEST_FETCH)):
                task = asyncio.create_task(self._begin(message))
                self.busy.add(task)
                task.add_done_callback(self.busy.discard)

    async def _fetch(self, batch: int) -> list[Msg]:
        subscription = cast("JetStreamContext.PullSubscription", self.subscription)
        answers = subscription.delivered
        messages: list[Msg] = []
        try:
            messages = await subscription.fetch(batch, timeout=FETCH_S)
        except TimeoutError:
            pass
        except (ServiceUnavailableError, ConnectionClosedError, APIError) as reason:  # the durable or the broker is gone
            self.is_missing = isinstance(reason, ServiceUnavailableError)
            await asyncio.sleep(1)
            return []
        except Exception as reason:
            log.warning("a fetch failed and is tried again", durable=self.durable, reason=repr(reason))
            await asyncio.sleep(1)
            return []
        if subscription.delivered > answers:        # the server said something, be it "nothing there"
            self.fetched_at, self.is_missing = time.monotonic(), False
        return messages

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
            await message.nak()                     # stopping: another replica takes it now
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
            if not self.gate.is_open:
                self.loop_task.cancel()
            await asyncio.wait({self.loop_task}, timeout=FETCH_S + 2)
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
        no_reply=True,                              # a header `reply_to` would publish our result with our rights
        title=durable,
        inbox_prefix=f"{inbox(service)}.".encode(),
        **({} if len(filters) == 1 else {"config": _many(filters)}),
    )
    made(row.bound(actor))
    made.__class__ = Pulled                         # the factory offers no other way in; a test pins that it fits
    sub = cast("Pulled", made)
    sub.durable, sub.gate = durable, rules.gate
    sub.beat_s = partial(rules.beat, row)
    sub.busy, sub.loop_task, sub.fetched_at, sub.is_missing = set(), None, None, False
    return sub


def _many(filters: list[str]) -> Any:
    from nats.js.api import ConsumerConfig

    return ConsumerConfig(filter_subjects=filters)
