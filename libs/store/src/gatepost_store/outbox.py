"""From committed steps to published events: at once after the commit, and by a sweeper what a crash left.

An event follows from its audit record alone, so whoever publishes it makes the same one. A published event's outbox row
is deleted with the next batch; until then it is published twice at worst, with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import orjson

from gatepost_contracts.catalogue import CATALOGUE
from gatepost_contracts.event import Event
from gatepost_contracts.records import event_from_record
from gatepost_store.pool import Connection, Pool, Record, as_unavailable
from gatepost_store.settings import StoreSettings

Publisher = Callable[[list[Event]], Awaitable[Sequence[bool]]]
_MOST = 500
log = logging.getLogger("gatepost.store")

_LEFT = """
SELECT o.id, o.type, a.record FROM outbox o
  JOIN audit_record a ON a.subject_id = o.subject_id AND a.seq = o.seq
 WHERE o.service = $1 AND o.at < clock_timestamp() - make_interval(secs => $2)
 ORDER BY o.at, o.id LIMIT 200 FOR UPDATE OF o SKIP LOCKED"""
_AGAIN = """
INSERT INTO outbox (id, service, tenant_id, mailbox_id, subject_id, seq, type, at)
SELECT e.id, e.service, a.tenant_id, a.mailbox_id, a.subject_id, a.seq, e.type, greatest(clock_timestamp(), $6::timestamptz)
  FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[]) AS e(id, service, subject_id, seq, type)
  JOIN audit_record a ON a.subject_id = e.subject_id AND a.seq = e.seq
 WHERE $7::text IS NULL OR a.tenant_id = $7
ON CONFLICT (id) DO NOTHING"""
_OWNERS = {entry.model.type: entry.owners[0] for entry in CATALOGUE}
_LATER = "UPDATE outbox SET at = clock_timestamp() + interval '1 hour' WHERE id = ANY($1::text[])"
DELETE = "DELETE FROM outbox WHERE id = ANY($1::text[])"


def _event(record: dict[str, Any], kind: str) -> Event | None:
    """The event, or None for a record that does not hold what its event needs: the step stands, it stays in the outbox."""
    try:
        return event_from_record(record, kind)
    except ValueError:
        log.exception("an audit record does not make its event: %s.%s.%s", record["message"], record["seq"], kind)
        return None


async def put_back(
    connection: Connection, event_ids: Sequence[str], *, not_before: datetime | None, tenant_id: str | None
) -> int:
    """Have events published once more by their owners, from their audit records; how many were put into the outbox.

    An id that no record makes is left out. The broker drops a repeat that comes within its window of two minutes, so a
    caller who knows when the event went out last names a moment behind that.
    """
    known = [parts for parts in map(_parts, event_ids) if parts is not None]
    if not known:
        return 0
    columns = [list(column) for column in zip(*known, strict=True)]
    status: str = await connection.execute(_AGAIN, *columns, not_before, tenant_id)
    return int(status.rpartition(" ")[2])


def _parts(event_id: str) -> tuple[str, str, str, int, str] | None:
    """`<subject_id>.<seq>.<type>` as (id, owner, subject, seq, type)."""
    subject, _, rest = event_id.partition(".")
    seq, _, kind = rest.partition(".")
    if kind not in _OWNERS or not seq.isdigit() or len(seq) > 9:
        return None
    return event_id, _OWNERS[kind], subject, int(seq), kind


class Outbox:
    """Publishes what the writer committed."""

    def __init__(self, service: str, settings: StoreSettings, done: Callable[[Sequence[str]], None]) -> None:
        self.publisher: Publisher | None = None
        self._service, self._settings, self._done = service, settings, done
        self._types = frozenset(entry.model.type for entry in CATALOGUE if service in entry.owners)
        self._queue: list[Event] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._run(), name="outbox")

    async def close(self) -> None:
        """Publish what waits, then end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def committed(self, rows: Sequence[Record]) -> None:
        """Take the events of what moved in a batch. Without a publisher they stay in the outbox."""
        if self.publisher is None:
            return
        for row in rows:
            if row["seq"] is not None and '"emits":[]' not in row["record"]:
                self._queue.extend(self._events(row["record"]))
        self._wake.set()

    def _events(self, record_text: str) -> list[Event]:
        record: dict[str, Any] = orjson.loads(record_text)
        events = [_event(record, kind) for kind in record["emits"] if kind in self._types]
        return [event for event in events if event is not None]

    async def _run(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
            events, self._queue = self._queue[:_MOST], self._queue[_MOST:]
            with contextlib.suppress(Exception):  # what was not published stays for the sweeper
                await self._publish(events)

    async def _publish(self, events: list[Event]) -> None:
        if self.publisher is None:
            return
        answers = await self.publisher(events)
        self._done([event.event_id for event, stored in zip(events, answers, strict=True) if stored])

    async def sweep_once(self, pool: Pool, *, older_than_s: float | None = None) -> int:
        """Publish up to 200 events of this service that have waited too long; how many it need not look at again now.

        A row whose event cannot be built is put off for an hour, so that any number of them holds up nobody.
        """
        if self.publisher is None:
            return 0
        age = self._settings.sweep_age_s if older_than_s is None else older_than_s
        async with (
            as_unavailable(),
            pool.acquire(timeout=self._settings.connect_timeout_s) as connection,
            connection.transaction(),
        ):
            rows = await connection.fetch(_LEFT, self._service, age)
            if not rows:
                return 0
            made = {row["id"]: _event(json.loads(row["record"]), row["type"]) for row in rows}
            if unbuildable := [i for i, event in made.items() if event is None]:
                await connection.execute(_LATER, unbuildable)
            events = [event for event in made.values() if event is not None]
            answers = await self.publisher(events)
            gone = [event.event_id for event, stored in zip(events, answers, strict=True) if stored]
            if gone:
                await connection.execute(DELETE, gone)
            return len(gone) + len(unbuildable)
