"""The loop that delivers what is due, from the rows: a dead endpoint or a restart loses and delays nothing else.

Each turn asks which endpoints something is due for and claims for each only as many rows as it has places free.
A claim is a lease: a process that dies in the middle gives its rows back by doing nothing, and the same bytes go again.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from gatepost_notifier.ledger import Ledger
from gatepost_notifier.retry import Next, Outcome, judge
from gatepost_notifier.settings import NotifierSettings
from gatepost_notifier.sign import headers
from gatepost_notifier.wire import Wire

log = structlog.get_logger()
Unseal = Callable[[bytes], bytes]
LEASE_SLACK_S = 15.0


@dataclass(frozen=True)
class Secrets:
    """The readable secrets of one endpoint at one moment."""

    current: str
    old: str | None


class Deliverer:
    """Claims, posts and records."""

    def __init__(self, ledger: Ledger, wire: Wire, unseal: Unseal, settings: NotifierSettings) -> None:
        self._ledger, self._wire, self._unseal, self._settings = ledger, wire, unseal, settings
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something may be due now."""
        self._wake.set()

    async def run(self) -> None:
        """For ever: deliver what is due, then wait for more. Cancelled at stop; what runs is finished first."""
        try:
            while True:
                self._wake.clear()
                try:
                    began = await self.turn()
                except Exception as error:
                    log.warning("deliveries could not be claimed", error=type(error).__name__)
                    began = 0
                if not began:
                    await self._pause()
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._settings.timeout_s)

    async def turn(self) -> int:
        """Begin what is due and has a place; returns how many began."""
        began = 0
        for endpoint in await self._ledger.endpoints_due():
            here = self._settings.per_endpoint - self._busy[endpoint["id"]]
            free = min(here, self._settings.in_flight - len(self._tasks))
            if free <= 0:
                continue
            lease_s = self._settings.timeout_s + LEASE_SLACK_S
            for row in await self._ledger.claim(endpoint["id"], free, lease_s):
                began += 1
                self._begin(endpoint, row)
        return began

    async def settle(self) -> None:
        """Wait for what runs (tests)."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    def _begin(self, endpoint: Any, row: Any) -> None:
        self._busy[endpoint["id"]] += 1
        task = asyncio.create_task(self._one(endpoint, row))
        self._tasks.add(task)

        def over(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            self._busy[endpoint["id"]] -= 1
            self._wake.set()

        task.add_done_callback(over)

    async def _one(self, endpoint: Any, row: Any) -> None:
        try:
            outcome = await self._attempt(endpoint, row)
            await self._record(endpoint, row, outcome)
        except Exception as error:  # the lease ends and it is tried again
            log.warning("a delivery was not recorded", delivery=row["id"], error=type(error).__name__)

    async def _attempt(self, endpoint: Any, row: Any) -> Outcome:
        try:
            secrets = self._secrets(endpoint)
        except Exception as error:
            log.warning("a webhook secret cannot be read", endpoint=endpoint["id"], error=type(error).__name__)
            return Outcome(error="its secret cannot be read; rotate it")
        body = bytes(row["body"])
        signed = headers(
            webhook_id=row["id"], timestamp=int(datetime.now(UTC).timestamp()), body=body, secret=secrets.current,
            old_secret=secrets.old, form=endpoint["signature_format"], canonical=row["event_type"],
            attempt=row["attempts"],
        )  # fmt: skip
        return await self._wire.post(endpoint["url"], body, signed)

    async def _record(self, endpoint: Any, row: Any, outcome: Outcome) -> None:
        now = datetime.now(UTC)
        verdict = judge(
            outcome,
            attempt=row["attempts"],
            delays_s=self._settings.retry_delays_s,
            at=now,
            luck=random.random(),  # noqa: S311
        )
        log.info("webhook tried", delivery=row["id"], attempt=row["attempts"], status=outcome.status, why=outcome.error)
        match verdict.next:
            case Next.DONE:
                await self._ledger.delivered(endpoint["id"], row["id"], outcome)
                return
            case Next.DISABLE:
                await self._ledger.retry(row["id"], outcome, 0.0)
                await self._ledger.disable(endpoint, "it answered 410 Gone")
                return
            case Next.RETRY:
                await self._ledger.retry(row["id"], outcome, verdict.wait_s)
            case Next.FAILED:
                await self._ledger.exhausted(row, outcome)
        since = await self._ledger.failing(endpoint)
        if since is not None and now - since > timedelta(seconds=self._settings.disable_after_s):
            await self._ledger.disable(endpoint, "nothing reached it for days")

    def _secrets(self, endpoint: Any) -> Secrets:
        current = self._unseal(bytes(endpoint["secret_sealed"])).decode()
        until = endpoint["old_valid_until"]
        if endpoint["old_secret_sealed"] is None or until is None or until <= datetime.now(UTC):
            return Secrets(current, None)
        return Secrets(current, self._unseal(bytes(endpoint["old_secret_sealed"])).decode())

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._settings.poll_s)
        except TimeoutError:
            return
