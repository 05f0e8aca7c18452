"""The loop that delivers what is due, from the rows: a dead endpoint or a restart loses and delays nothing else.

Each turn asks which endpoints something is due for and claims for each only as many rows as it has places; an endpoint
that answers at once may have some more waiting here, so that the database is asked less often.
A claim is a lease: a process that dies in the middle gives its rows back by doing nothing, and the same bytes go again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog

from gatepost_notifier.breaker import Breaker
from gatepost_notifier.ledger import Ledger, Tried
from gatepost_notifier.record import Recorder
from gatepost_notifier.retry import Next, Outcome, judge
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.sign import Secrets, headers
from gatepost_notifier.wire import Wire

log = structlog.get_logger()
Unseal = Callable[[bytes], bytes]
Span = Callable[[str, str], AbstractContextManager[Any]]
LEASE_SLACK_S = 15.0
TIDY_S = 15.0
AHEAD, QUICK_S = 8, 0.2
"""An endpoint that answers within QUICK_S may have AHEAD times as many claimed as are on the wire."""
KNOWN_SECRETS = 1024
"""To open a sealed secret costs more than to sign with it."""


@dataclass
class _Line:
    """One endpoint as this process knows it."""

    places: asyncio.Semaphore
    usual_s: float = 1.0

    def took(self, seconds: float) -> None:
        self.usual_s += (seconds - self.usual_s) / 8


class Deliverer:
    """Claims, posts and hands on what came of it."""

    def __init__(
        self, ledger: Ledger, wire: Wire, unseal: Unseal, settings: NotifierSettings, *, span: Span | None = None
    ) -> None:
        self._ledger, self._wire, self._settings = ledger, wire, settings
        self._unseal = lru_cache(KNOWN_SECRETS)(unseal)
        self._span = span or (lambda *_: nullcontext())
        self._breaker = Breaker(
            threshold=settings.breaker_failures, pause_s=settings.breaker_pause_s, longest_s=settings.breaker_longest_s
        )
        self._recorder = Recorder(ledger, disable_after_s=settings.disable_after_s, recorded=self._recorded)
        self._busy: Counter[str] = Counter()
        self._lines: dict[str, _Line] = {}
        self._marked: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._tidied_at = -TIDY_S

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def run(self) -> None:
        """For ever: deliver what is due, then wait for more. Cancelled at stop; what runs is finished first."""
        recording = asyncio.create_task(self._recorder.run(), name="webhook outcomes")
        try:
            while True:
                self._wake.clear()
                try:
                    await self._tidy()
                    began = await self.turn()
                except Exception as error:
                    log.warning("deliveries could not be claimed", error=type(error).__name__)
                    began = 0
                if not began:
                    await self._pause()
        finally:
            self._is_stopping = True
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._settings.timeout_s)
            recording.cancel()
            await self._recorder.flush()

    async def turn(self) -> int:
        """Begin what is due and has a place; returns how many began."""
        endpoints = {endpoint["id"]: endpoint for endpoint in await self._ledger.endpoints_due()}
        for endpoint in endpoints.values():
            self._listen(endpoint)
        free = dict(self._free(list(endpoints.values())))
        if not free:
            return 0
        rows = await self._ledger.claim(free, self._settings.timeout_s + LEASE_SLACK_S)
        for row in rows:
            self._begin(endpoints[row["endpoint_id"]], row)
        return len(rows)

    def _free(self, endpoints: list[Any]) -> Iterator[tuple[str, int]]:
        """How many of each endpoint may begin; what is left is shared out, in another order each time."""
        random.shuffle(endpoints)
        left, now = self._settings.in_flight - len(self._tasks), time.monotonic()
        for n, endpoint in enumerate(endpoints):
            share = max(1, left // (len(endpoints) - n)) if left > 0 else 0
            if self._has_enough(endpoint["id"]):
                continue
            places = self._breaker.places(
                endpoint["id"], busy=self._busy[endpoint["id"]], most=self._most(endpoint["id"]), now=now,
                is_resting=endpoint["probe_at"] is not None,
            )  # fmt: skip
            if (places := min(places, share)) > 0:
                left -= places
                yield endpoint["id"], places

    def _most(self, endpoint: str) -> int:
        """How many of an endpoint are claimed at a time."""
        return self._settings.per_endpoint * (AHEAD if self._line(endpoint).usual_s < QUICK_S else 1)

    def _has_enough(self, endpoint: str) -> bool:
        """A quick endpoint is looked at again when half of what was claimed for it is done: few claims, many rows each."""
        most = self._most(endpoint)
        return most > self._settings.per_endpoint and self._busy[endpoint] > most // 2

    def _recorded(self, failing: set[str]) -> None:
        """Outcomes are written, and that these endpoints fail."""
        self._marked |= failing
        self.wake()

    def _listen(self, endpoint: Any) -> None:
        """Somebody who says that an endpoint is back takes its mark of failing away; then it is tried at once."""
        if endpoint["failing_since"] is None and endpoint["id"] in self._marked:
            self._marked.discard(endpoint["id"])
            self._breaker.succeeded(endpoint["id"])

    async def settle(self) -> None:
        """Wait for what runs (tests)."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._recorder.idle()

    def _begin(self, endpoint: Any, row: Any) -> None:
        self._busy[endpoint["id"]] += 1
        task = asyncio.create_task(self._one(endpoint, row))
        self._tasks.add(task)

        def over(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._busy[endpoint["id"]] -= 1
            if not self._has_enough(endpoint["id"]):
                self._wake.set()

        task.add_done_callback(over)

    async def _one(self, endpoint: Any, row: Any) -> None:
        line, claimed_at = self._line(endpoint["id"]), time.monotonic()
        async with line.places:
            if (
                self._is_stopping or time.monotonic() - claimed_at > LEASE_SLACK_S
            ):  # it turned slow: the lease must last
                await self._give_back(row)
                return
            outcome = await self._attempt(endpoint, row)
        now = datetime.now(UTC)
        verdict = judge(
            outcome, attempt=row["attempts"], delays_s=self._settings.retry_delays_s, at=now,
            luck=random.random(),  # noqa: S311
        )  # fmt: skip
        log.info("webhook tried", delivery=row["id"], attempt=row["attempts"], status=outcome.status, why=outcome.error)
        rests_s = None
        if verdict.next is Next.DONE:
            line.took(outcome.latency_ms / 1000)
            self._breaker.succeeded(endpoint["id"])
        else:
            line.took(1.0)
            is_resting = endpoint["probe_at"] is not None
            rests_s = self._breaker.failed(endpoint["id"], time.monotonic(), is_resting=is_resting)
        self._recorder.put(Tried(endpoint, row, outcome, verdict, rests_s))

    async def _attempt(self, endpoint: Any, row: Any) -> Outcome:
        try:
            secrets = self._secrets(endpoint)
        except Exception as error:
            log.warning("a webhook secret cannot be read", endpoint=endpoint["id"], error=type(error).__name__)
            return Outcome(error="its secret cannot be read; rotate it")
        body = bytes(row["body"])
        signed = headers(
            webhook_id=row["id"], timestamp=int(datetime.now(UTC).timestamp()), body=body, secrets=secrets,
            form=endpoint["signature_format"], canonical=row["event_type"], attempt=row["attempts"],
        )  # fmt: skip
        with self._span("webhook", row["thread_id"] or row["event_id"]):
            outcome = await self._wire.post(endpoint["url"], body, signed)
        if secrets.old is not None:
            await self._note_old(endpoint["id"])
        return outcome

    def _secrets(self, endpoint: Any) -> Secrets:
        signing = endpoint["signing_sealed"]
        current = self._unseal(bytes(endpoint["secret_sealed"])).decode()
        ed25519 = self._unseal(bytes(signing)) if signing is not None else None
        until = endpoint["old_valid_until"]
        if endpoint["old_secret_sealed"] is None or until is None or until <= datetime.now(UTC):
            return Secrets(current, ed25519=ed25519)
        return Secrets(current, old=self._unseal(bytes(endpoint["old_secret_sealed"])).decode(), ed25519=ed25519)

    def _line(self, endpoint: str) -> _Line:
        if (line := self._lines.get(endpoint)) is None:
            line = self._lines[endpoint] = _Line(asyncio.Semaphore(self._settings.per_endpoint))
        return line

    async def _note_old(self, endpoint: str) -> None:
        try:
            await self._ledger.old_secret_used(endpoint)
        except Exception as error:  # it is only a hint to the owner
            log.debug("the use of an old secret was not noted", error=type(error).__name__)

    async def _give_back(self, row: Any) -> None:
        try:
            await self._ledger.give_back([row["id"]])
        except Exception as error:  # the lease ends
            log.debug("a delivery could not be given back", error=type(error).__name__)

    async def _tidy(self) -> None:
        if time.monotonic() - self._tidied_at >= TIDY_S:
            self._tidied_at = time.monotonic()
            await self._ledger.tidy()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.poll_s):  # wait_for could swallow the cancel of a stop
                await self._wake.wait()
