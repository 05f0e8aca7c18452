"""What nobody works on any more: leases kept alive, claims of dead senders taken over, lost intents made uncertain.

A claim is soon taken over and carried on. One that is old, because everything was down, goes back to the queue
instead: the world may have changed since, and only a claim looks at it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from gatepost_runtime import get_logger
from gatepost_sender.counts import Counts
from gatepost_sender.driver import Stage
from gatepost_sender.due import ENDING, Due
from gatepost_sender.outcome import Outcome, Verdict
from gatepost_sender.queue import Queue
from gatepost_sender.settings import SenderSettings
from gatepost_sender.steps import Clock, Steps
from gatepost_sender.turns import Turns
from gatepost_store import Moved, Store

log = get_logger()
_OLD_CLAIM = timedelta(seconds=60)


class Watch:
    """The sender's slower loops."""

    def __init__(
        self, store: Store, steps: Steps, queue: Queue, turns: Turns, settings: SenderSettings, counts: Counts,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._store, self._steps, self._queue, self._turns = store, steps, queue, turns
        self._settings, self._counts, self._clock = settings, counts, clock
        self._life = timedelta(seconds=settings.queue_life_s)
        self._sure_since: datetime | None = clock()

    async def keep_leases(self) -> None:
        """Say again and again that this process lives."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            try:
                await self._queue.renew()
            except Exception as error:
                self._sure_since = None
                log.warning("leases could not be renewed", error=type(error).__name__)
            else:
                self._sure_since = self._sure_since or self._clock()

    async def find_lost(self) -> None:
        """Look for deliveries without a sender, and for those whose life is over."""
        while True:
            await asyncio.sleep(min(self._settings.lease_s / 3, 5))
            try:
                await self.look()
            except Exception as error:
                log.warning("lost deliveries could not be looked for", error=type(error).__name__)

    async def look(self) -> None:
        """Once. After an outage everybody first gets the time to renew what is theirs."""
        now = self._clock()
        if self._sure_since is None or now - self._sure_since < timedelta(seconds=self._settings.lease_s / 2):
            return
        for row in await self._store.fetch("loose", self._queue.running):
            if row["phase"] == "announced":
                await self._lose(row)
            elif self._queue.has_room:  # the others wait for the next look: not all of a dead sender's work at once
                await self._take_over(row, now)
        for row in await self._store.fetch("lapsed", self._life):
            await self._give_up(row)
        self._counts.queue_age.set(await self._store.fetchval("queue_age"))
        for reason, number in self._turns.reasons().items():
            self._counts.waiting.labels(reason).set(number)
        if (unsure := await self._store.fetchrow("uncertain_now")) is not None:
            self._counts.uncertain.set(unsure["deliveries"])
            self._counts.uncertain_age.set(unsure["oldest_s"])

    async def _lose(self, row: Any) -> None:
        step = await self._steps.lose(row["message_id"], row["id"], row["of_release"])
        if isinstance(step, Moved):
            self._counts.takeovers.labels("announced").inc()
            self._counts.outcomes.labels(Verdict.UNCERTAIN, Stage.DOT).inc()
            log.warning("a sender died after the intent: a person must say whether it left", delivery_id=row["id"])

    async def _take_over(self, row: Any, now: datetime) -> None:
        step = await self._steps.take_over(row["message_id"], row["id"], now)
        if not isinstance(step, Moved):
            return
        self._counts.takeovers.labels("claimed").inc()
        log.info("a delivery was taken over from a sender that died", delivery_id=row["id"])
        found = await self._store.fetchrow("one", row["id"], self._life, ENDING)
        if found is None:
            return
        due = Due.of(found)
        is_old = now - row["lease_until"] > _OLD_CLAIM
        if is_old or not self._queue.resume(due):
            outcome = Outcome(Verdict.DEFERRED, Stage.QUEUE, words="the sender died before the final dot")
            await self._steps.end(due.message_id, due.id, due.of_release, outcome, due_at=now)

    async def _give_up(self, row: Any) -> None:
        outcome = Outcome(Verdict.BOUNCED, Stage.QUEUE, row["code"], row["enhanced"])
        await self._steps.end(
            row["message_id"], row["id"], row["of_release"], outcome, proven_by="queue_life", is_attempt=False
        )
