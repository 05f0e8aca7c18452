"""Who may begin now: mailboxes and destinations whose window, rate or warm-up says not yet are left out of the queue.

Counts of a mailbox come from the table of attempts, so that several senders see the same; between two looks at it each
sender adds its own. Destinations are counted by each sender alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gatepost_mail.window import BadWindow, SendWindow
from gatepost_runtime import get_logger
from gatepost_sender.due import Due
from gatepost_sender.pace import Bucket, Day, Rates, warmup_limit
from gatepost_store import Store

log = get_logger()
_FRESH_S = 10.0
_LOOK_AGAIN_S = 300.0


@dataclass(slots=True)
class _Box:
    """What is known of one mailbox that has a pace of its own."""

    read_at: float
    left: float  # attempts that may still begin before the next look


class Turns:
    """The pace of mailboxes and destinations, as this sender keeps it."""

    def __init__(self, store: Store, rates: Rates, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._rates, self._clock = store, rates, clock
        self._boxes: dict[str, _Box] = {}
        self._running: Counter[str] = Counter()  # begun and not yet in the table of attempts
        self._closed: dict[str, tuple[float, str]] = {}
        self._buckets: dict[str, Bucket] = {}
        self._slow: dict[str, float] = {}

    # -- what is left out of the next read -------------------------------------------------------------------

    @property
    def closed(self) -> list[str]:
        """Mailboxes that begin nothing now."""
        now = self._clock()
        self._closed = {box: found for box, found in self._closed.items() if found[0] > now}
        return list(self._closed)

    @property
    def slow(self) -> list[str]:
        """Domains that get nothing now."""
        now = self._clock()
        self._slow = {domain: until for domain, until in self._slow.items() if until > now}
        return list(self._slow)

    def reasons(self) -> dict[str, int]:
        """How many mailboxes wait for what."""
        found: dict[str, int] = {"window": 0, "rate": 0, "warmup": 0}
        for _, reason in self._closed.values():
            found[reason] += 1
        return found | {"destination": len(self._slow)}

    def enter(self, mailbox_id: str) -> None:
        """An attempt begins; it must leave()."""
        self._running[mailbox_id] += 1

    def leave(self, mailbox_id: str) -> None:
        """Its outcome is recorded, or it never was an attempt."""
        self._running[mailbox_id] -= 1
        if not self._running[mailbox_id]:
            del self._running[mailbox_id]

    # -- one delivery -----------------------------------------------------------------------------------------

    async def learn(self, found: Iterable[Due], now: datetime) -> None:
        """Look at the counts of the mailboxes that have a pace, where what is known is old."""
        seen = set()
        for due in found:
            if not due.has_pace or due.mailbox_id in seen or due.mailbox_id in self._closed:
                continue
            seen.add(due.mailbox_id)
            box = self._boxes.get(due.mailbox_id)
            if box is None or self._clock() - box.read_at > _FRESH_S or box.left < 1:
                await self._read(due, now)

    async def _read(self, due: Due, now: datetime) -> None:
        left = float("inf")
        if due.send_window and (wait_s := _window_wait_s(due, now)) > 0:
            self._close(due.mailbox_id, wait_s, "window")
            return
        if due.rate_per_hour is not None:
            row = await self._store.fetchrow("mailbox_hour", due.mailbox_id, now - timedelta(hours=1))
            assert row is not None  # noqa: S101 (a count is always there)
            left = due.rate_per_hour - row["attempts"] - self._running[due.mailbox_id]
            if left < 1:
                free_at = (row["first_at"] or now) + timedelta(hours=1)
                is_full = row["attempts"] >= due.rate_per_hour
                self._close(due.mailbox_id, max(1.0, (free_at - now).total_seconds()) if is_full else 1.0, "rate")
                return
        if due.warmup_from is not None:
            today = await self._warmup_left(due, now)
            left = min(left, today - self._running[due.mailbox_id])
            if left < 1:
                midnight = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
                self._close(due.mailbox_id, (midnight - now).total_seconds() if today < 1 else 1.0, "warmup")
                return
        self._boxes[due.mailbox_id] = _Box(self._clock(), left)

    async def _warmup_left(self, due: Due, now: datetime) -> float:
        rows = await self._store.fetch("mailbox_days", due.mailbox_id, due.warmup_from, now.astimezone(UTC).date())
        *past, today = [Day(r["sent"], r["bounced"], r["complained"], r["decided"], r["rejected"]) for r in rows] or [
            Day(0)
        ]
        limit = warmup_limit(past)
        return float("inf") if limit is None else limit - today.sent

    def _close(self, mailbox_id: str, wait_s: float, reason: str) -> None:
        self._boxes.pop(mailbox_id, None)
        self._closed[mailbox_id] = (self._clock() + min(wait_s, _LOOK_AGAIN_S), reason)
        log.info("a mailbox waits", mailbox_id=mailbox_id, reason=reason, wait_s=round(wait_s))

    def may_begin(self, due: Due) -> bool:
        """Its mailbox and its destination let it begin; if so it counts at once."""
        now = self._clock()
        if due.mailbox_id in self._closed or due.domain in self._slow:
            return False
        box = self._boxes.get(due.mailbox_id) if due.has_pace else None
        if due.has_pace and (box is None or box.left < 1):
            return False
        rate = self._rates.of(due.domain)
        if rate is not None:
            bucket = self._buckets.get(due.domain) or self._buckets.setdefault(due.domain, Bucket(rate, now))
            if (wait_s := bucket.wait_s(now)) > 0:
                self._slow[due.domain] = now + wait_s
                return False
            bucket.take()
        if box is not None:
            box.left -= 1
        return True


def _window_wait_s(due: Due, now: datetime) -> float:
    """A window that cannot be read holds nothing back; the door that wrote it checked it."""
    try:
        return SendWindow.parse(due.send_window or "").opens_in_s(now)
    except BadWindow:
        log.warning("a send window cannot be read", mailbox_id=due.mailbox_id)
        return 0.0
