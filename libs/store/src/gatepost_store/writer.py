"""The one writer of a process: what waits at this moment is committed together.

A handler hands in one command and awaits its result. What arrives during one commit is the next batch; there is no timer.
One batch is one call of the service's step function, so one round trip and one commit. A batch that fails is run again
unit by unit, each in its own transaction, so that a bad unit fails alone. When the database is away the batch is tried
once more on a new connection, then every unit of it fails as temporary; steps are safe to repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from gatepost_store.errors import StepRefused, StoreUnavailable
from gatepost_store.pool import Connection, Record, connect, is_away
from gatepost_store.settings import StoreSettings
from gatepost_store.step import Unit

Result = Record | None
# Ids go over as one text each: a driver looks at every member of an array, which costs more than all of the rest.
_LISTS = ", ".join(f"string_to_array(${n}, ',')" for n in range(1, 6))
_PAUSE_S = 0.2


@dataclass(eq=False)
class _Waiting:
    unit: Unit
    future: asyncio.Future[Result]


class Writer:
    """Commits commands in groups; `committed` is told the rows of each batch, in order, after its commit."""

    def __init__(
        self, url: str, service: str, settings: StoreSettings, committed: Callable[[Sequence[Record]], None],
        flush: Callable[[Sequence[str]], Any],
    ) -> None:  # fmt: skip
        self._url, self._name, self._settings = url, f"gatepost-{service} writer", settings
        self._statement = (
            "SELECT ord, seq, already, failed, record, state"  # noqa: S608 (service is one of ours)
            f" FROM step_{service}({_LISTS}, $6::text::jsonb, $7::bytea[])"
        )
        self._committed, self._flush = committed, flush
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._connection: Connection | None = None
        self._published: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to take commands."""
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def close(self) -> None:
        """Commit what waits, then end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close(timeout=2)

    async def submit(self, unit: Unit) -> Result:
        """Commit this command with whatever else waits; None: no such target, or it lost a race."""
        if self._closing or self._task is None or self._task.done():
            raise StoreUnavailable("the writer has stopped")
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._wake.set()
        return await waiting.future

    def published(self, ids: Sequence[str]) -> None:
        """These events are out; their rows leave the outbox with the next batch."""
        self._published.extend(ids)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            while not self._queue:
                if self._closing:
                    await self._flush_published()
                    return
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), self._settings.flush_s if self._published else None)
                except TimeoutError:
                    await self._flush_published()
            await self._commit_next()

    async def _flush_published(self) -> None:
        gone, self._published = self._published, []
        if gone:
            with contextlib.suppress(Exception):  # the sweeper takes what stays
                await self._flush(gone)

    async def _commit_next(self) -> None:
        batch = self._take()
        gone, self._published = self._published, []
        try:
            results = await self._call([w.unit for w in batch], gone)
        except asyncio.CancelledError:
            self._fail(batch, StoreUnavailable("the writer was stopped"))
            raise
        except Exception as error:
            if is_away(error):
                await self._drop_connection()
            await self._separately(batch, gone, error)
        else:
            self._answer(batch, results)

    def _take(self) -> list[_Waiting]:
        """The oldest commands that fit: one per row id and target, within the limits of units and bytes."""
        batch: list[_Waiting] = []
        left: list[_Waiting] = []
        seen: set[tuple[str, ...]] = set()
        size = 0
        while self._queue and len(batch) < self._settings.batch_units:
            waiting = self._queue.popleft()
            if waiting.future.cancelled():
                continue
            unit = waiting.unit
            key = (unit.row, *unit.target)
            if key in seen or (batch and size + unit.size > self._settings.batch_bytes):
                left.append(waiting)
                if len(left) >= self._settings.batch_units:
                    break
                continue
            seen.add(key)
            size += unit.size
            batch.append(waiting)
        self._queue.extendleft(reversed(left))
        return batch

    async def _call(self, units: Sequence[Unit], gone: Sequence[str]) -> dict[int, Record]:
        """One call of the step function, once more on a new connection when the first was lost."""
        for attempt in (0, 1):
            try:
                rows = await self._once(units, gone)
            except Exception as error:
                if (
                    attempt
                    or not is_away(error)
                    or (isinstance(error, asyncpg.PostgresError) and error.sqlstate in _LOCKS)
                ):
                    raise
                await self._drop_connection()
                await asyncio.sleep(_PAUSE_S)
            else:
                if rows:
                    self._committed(rows)
                return {row["ord"]: row for row in rows}
        raise AssertionError("not reached")

    async def _once(self, units: Sequence[Unit], gone: Sequence[str]) -> list[Record]:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await connect(self._url, self._name, self._settings)
        return await self.call_on(connection, units, gone)

    async def call_on(self, connection: Connection, units: Sequence[Unit], gone: Sequence[str] = ()) -> list[Record]:
        """The step function's answer on this connection."""
        by_row: dict[str, list[bytes]] = {}
        blobs: list[bytes | None] = []
        for number, unit in enumerate(units):
            text = unit.command + b',"ord":%d,"base":%d}' % (number, len(blobs))
            by_row.setdefault(unit.row, []).append(text)
            blobs.extend(unit.blobs)
        body = b"{" + b",".join(b'"%s":[%s]' % (row.encode(), b",".join(texts)) for row, texts in by_row.items()) + b"}"
        rows: list[Record] = await connection.fetch(
            self._statement, _ids(units, "messages"), _ids(units, "deliveries"), _ids(units, "mailboxes"),
            _ids(units, "threads"), ",".join(gone), body.decode(), blobs,
        )  # fmt: skip
        return rows

    async def _separately(self, batch: Sequence[_Waiting], gone: Sequence[str], error: Exception) -> None:
        if is_away(error) and not (isinstance(error, asyncpg.PostgresError) and error.sqlstate in _LOCKS):
            self._published = [*gone, *self._published]
            self._fail(batch, StoreUnavailable(type(error).__name__))
            return
        self._published = [*gone, *self._published]
        if len(batch) == 1 and not is_away(error):
            self._fail(batch, _refused(error))
            return
        for waiting in batch:
            try:
                results = await self._call([waiting.unit], ())
            except Exception as alone:
                if is_away(alone):
                    await self._drop_connection()
                    self._fail([waiting], StoreUnavailable(type(alone).__name__))
                else:
                    self._fail([waiting], _refused(alone))
            else:
                self._answer([waiting], results)

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    @staticmethod
    def _answer(batch: Sequence[_Waiting], results: dict[int, Record]) -> None:
        for number, waiting in enumerate(batch):
            if not waiting.future.done():
                waiting.future.set_result(results.get(number))

    @staticmethod
    def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(error)


_LOCKS = frozenset(("40001", "40P01", "55P03"))


def _ids(units: Sequence[Unit], what: str) -> str:
    """No id of ours holds a comma: what does names nothing, so there is nothing to lock."""
    return ",".join(sorted({name for unit in units for name in getattr(unit, what) if "," not in name}))


def _refused(error: Exception) -> Exception:
    refused = StepRefused(f"{type(error).__name__}: {error}")
    refused.__cause__ = error
    return refused
