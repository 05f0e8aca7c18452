"""Which deliveries to try now. The table is the queue; an event only says that it is worth a look.

The read takes no lock: a random handful of the oldest due ones, so that several senders seldom want the same. The
grant is verified before the claim, the claim step decides on live facts, and exactly one sender wins it. What did not
move is left alone for a while in memory; a grant that does not cover its mail is never sent and not asked about often.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gatepost_mail.content import Content
from gatepost_oversight.grant import GrantRefused
from gatepost_runtime import get_logger
from gatepost_sender.counts import Counts
from gatepost_sender.deliver import Courier
from gatepost_sender.due import ENDING, Due, granted
from gatepost_sender.lanes import Lanes
from gatepost_sender.route import Router, TestRouter
from gatepost_sender.settings import SenderSettings
from gatepost_sender.signing import Signer
from gatepost_sender.steps import Clock, Steps
from gatepost_sender.turns import Turns
from gatepost_store import Moved, Store

log = get_logger()
_READ = 50
_REFUSED_S = 60.0
_STAYED_S = (0.5, 1, 2, 4, 8, 15)
_ASIDE_MOST = 5_000
_FORGET_S = 60.0
_READ_HOLDS_S = 1.0
_LAST_WORDS_S = 4.0


class Queue:
    """Reads, verifies, claims, and has the courier carry."""

    def __init__(
        self,
        store: Store,
        steps: Steps,
        courier: Courier,
        signer: Signer,
        router: Router,
        lanes: Lanes,
        turns: Turns,
        grant_key: Ed25519PublicKey,
        settings: SenderSettings,
        counts: Counts,
        clock: Clock,
    ) -> None:
        self._store, self._steps, self._courier, self._signer = store, steps, courier, signer
        self._router, self._lanes, self._turns, self._grant_key = router, lanes, turns, grant_key
        self._settings, self._counts, self._clock = settings, counts, clock
        self._life = timedelta(seconds=settings.queue_life_s)
        self._aside: dict[str, tuple[float, int]] = {}  # delivery -> (until, how often)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._read: list[Due] = []
        self._read_at = 0.0
        self._wake = asyncio.Event()

    # -- what others tell it ---------------------------------------------------------------------------------

    def wake(self, deliveries: tuple[str, ...] = ()) -> None:
        """Something may be due; these are looked at again whatever was said about them before."""
        for delivery_id in deliveries:
            self._aside.pop(delivery_id, None)
        self._wake.set()

    # -- the loop --------------------------------------------------------------------------------------------

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; then what runs may end within its time."""
        watch = asyncio.create_task(stopping.wait())
        watch.add_done_callback(lambda _: self._wake.set())
        try:
            while not stopping.is_set():
                self._wake.clear()
                try:
                    started = await self._round()
                except Exception:
                    log.exception("the queue could not be read")
                    started = 0
                if not started and not stopping.is_set():
                    await self._rest()
        finally:
            watch.cancel()
            await self._drain()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._settings.poll_s)
        except TimeoutError:
            return

    async def _drain(self) -> None:
        """No new claims; what runs keeps its lease and ends, or is stopped and says so."""
        until = time.monotonic() + self._settings.stop_s
        while self._running and (left := until - time.monotonic()) > 0:
            await asyncio.wait(set(self._running.values()), timeout=min(left, self._settings.lease_s / 3))
            with contextlib.suppress(Exception):
                await self.renew()
        for delivery_id, task in self._running.items():
            if delivery_id not in self._courier.recording:
                task.cancel()
        if self._running:
            await asyncio.wait(set(self._running.values()), timeout=_LAST_WORDS_S)
        await self._lanes.close()

    async def renew(self) -> None:
        """Extend the leases of what runs: this process lives."""
        if self._running:
            end = self._steps.lease_end(self._clock())
            await self._store.execute("renew", list(self._running), self._steps.owner, end)

    async def _round(self) -> int:
        """Begin what was read, or read anew; how many began."""
        room = self._settings.attempts_at_once - len(self._running)
        if room <= 0:
            return 0
        if started := self._begin_some(room):
            return started
        if not self._lanes.has_room(self._router.lane("")):
            return 0
        now = time.monotonic()
        self._aside = {k: v for k, v in self._aside.items() if v[0] > now - _FORGET_S}
        leave = ",".join([k for k, (until, _) in self._aside.items() if until > now] + list(self._running))
        full = [lane.removeprefix("mx ") for lane in self._lanes.full] + self._turns.slow
        rows = await self._store.fetch("due", leave, full, self._life, _READ, self._turns.closed, ENDING)
        self._read, self._read_at = [Due.of(row) for row in rows], time.monotonic()
        await self._turns.learn(self._read, self._clock())
        return self._begin_some(room)

    def _begin_some(self, room: int) -> int:
        """From what was read a moment ago; what finds no room waits there for the next moment."""
        if time.monotonic() - self._read_at > _READ_HOLDS_S:
            self._read.clear()
        waiting, self._read = self._read, []
        started, full = 0, set[str]()
        for n, due in enumerate(waiting):
            if started >= room:
                self._read += waiting[n:]
                break
            lane = self._lane(due)
            if lane in full or not self._lanes.has_room(lane):
                full.add(lane)
                self._read.append(due)
            elif (
                due.id not in self._running
                and self._turns.may_begin(due)
                and (content := self._verify(due)) is not None
            ):
                self._spawn(due, lane, partial(self._claim, due, content))
                started += 1
        return started

    def _lane(self, due: Due) -> str:
        return TestRouter.LANE if due.is_test else self._router.lane(due.domain)

    def _verify(self, due: Due) -> Content | None:
        try:
            return granted(due, self._grant_key, self._clock())
        except (GrantRefused, ValueError) as error:
            self._counts.refused_grants.inc()
            reason = str(error) if isinstance(error, GrantRefused) else "the content cannot be read"
            log.error(  # noqa: TRY400 (the reason says it)
                "a delivery without a good grant is not sent", delivery_id=due.id, reason=reason
            )
            self._put_aside(due.id, _REFUSED_S)
            return None

    def _put_aside(self, delivery_id: str, seconds: float | None = None) -> None:
        _, times = self._aside.get(delivery_id, (0.0, 0))
        if seconds is None:
            seconds = _STAYED_S[min(times, len(_STAYED_S) - 1)]
        if len(self._aside) >= _ASIDE_MOST:
            self._aside.pop(next(iter(self._aside)))
        self._aside[delivery_id] = (time.monotonic() + seconds, times + 1)

    def _spawn(self, due: Due, lane: str, work: Callable[[], Awaitable[Any]]) -> None:
        delivery_id = due.id
        self._lanes.enter(lane)
        self._turns.enter(due.mailbox_id)
        self._counts.running.inc()

        async def run() -> None:
            try:
                await work()
            except Exception:
                log.exception("a delivery could not be taken up", delivery_id=delivery_id)
                self._put_aside(delivery_id)
            finally:
                self._lanes.leave(lane)
                self._turns.leave(due.mailbox_id)
                self._counts.running.dec()
                self._running.pop(delivery_id, None)
                self._wake.set()

        self._running[delivery_id] = asyncio.create_task(run())

    async def _claim(self, due: Due, content: Content) -> None:
        now = self._clock()
        step = await self._steps.claim(
            due.message_id, due.id, due.state, rfc_message_id=self._signer.rfc_message_id(due), now=now
        )
        if isinstance(step, Moved):
            self._aside.pop(due.id, None)
            self._counts.queue_seconds.observe(max(0.0, (now - due.due_at).total_seconds()))
            await self._courier.carry(due, content)
        else:
            self._put_aside(due.id)
            if step.failed:
                log.debug("a delivery may not leave now", delivery_id=due.id, failed=step.failed)

    # -- what the watch found --------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Another attempt may begin in this process."""
        return len(self._running) < self._settings.attempts_at_once

    @property
    def running(self) -> list[str]:
        """The deliveries this process works on."""
        return list(self._running)

    def resume(self, due: Due) -> bool:
        """Carry on with a delivery taken over from a dead sender; False: its grant does not cover it."""
        if (content := self._verify(due)) is None:
            return False
        self._spawn(due, self._lane(due), partial(self._courier.carry, due, content))
        return True
