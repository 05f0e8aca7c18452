"""A store on which real handlers run and after which nothing is different: each event in a transaction that is rolled back.

Before the handler runs, the thread goes back to where it stood when the event was recorded, inside that transaction. So
what it decides now, with today's code and rules, can be held against what was decided then. The handler works with its
service's own database role; going back and looking need the owner's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from gatepost_contracts.event import Event
from gatepost_oversight.sql import SERVICES
from gatepost_store.errors import StepRefused
from gatepost_store.objects import Objects
from gatepost_store.outbox import Outbox
from gatepost_store.pool import Connection, Pool, Record, as_unavailable, open_pool
from gatepost_store.queries import Queries
from gatepost_store.settings import StoreSettings
from gatepost_store.step import Unit
from gatepost_store.store import Store
from gatepost_store.writer import Writer

Effects = dict[str, Any]
_SQL = Queries.parse(files("gatepost_store").joinpath("shadow.sql").read_text(encoding="utf-8"))


@dataclass
class Rehearsal:
    """One event on its own connection."""

    connection: Connection
    event: Event
    cut: datetime
    then: Effects
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def effects(self) -> Effects:
        """What the handler has done by now."""
        async with self.lock:
            await self.connection.execute("RESET ROLE")
            return await _effects(self.connection, self.event, self.cut)


_current: ContextVar[Rehearsal] = ContextVar("rehearsal")


class ShadowStore(Store):
    """Reads what is there, writes into transactions that are rolled back, publishes nothing."""

    puts_away = False

    def __init__(self, service: str, queries: Queries, settings: StoreSettings, pool: Pool, url: str) -> None:
        self.service, self.queries, self.settings = service, queries, settings
        self._reads = self._writes = pool
        self._outbox = Outbox(service, settings, lambda _: None)
        self._prepared: set[int] = set()
        self.objects = Objects.of(settings)
        self._writer = _Direct(url, service, settings) if service in SERVICES else None

    @classmethod
    async def open_shadow(
        cls, url: str, *, service: str, queries: Queries, workers: int, settings: StoreSettings | None = None
    ) -> ShadowStore:
        """`url` is the owner's."""
        settings = settings or StoreSettings()
        return cls(
            service, queries, settings, await open_pool(url, f"gatepost-{service} replay", workers, settings), url
        )

    async def close(self) -> None:
        """Let go of every connection."""
        await self._reads.close()

    async def ready(self) -> None:
        """It is open."""

    async def sweep_once(self, *, older_than_s: float | None = None) -> int:  # noqa: ARG002 (as the store has it)
        """Nothing is published."""
        return 0

    async def republish(self, event_ids: Sequence[str], **_: Any) -> int:
        """Nothing is published."""
        return len(event_ids)

    @property
    def now(self) -> Rehearsal | None:
        """The event in work in this context."""
        return _current.get(None)

    @asynccontextmanager
    async def rehearsal(self, event: Event, rows: Mapping[str, Any] | None = None) -> AsyncIterator[Rehearsal]:
        """Everything inside sees the past of this event and leaves nothing; `rows` are those of a capture."""
        async with as_unavailable(), self._reads.acquire(timeout=self.settings.connect_timeout_s) as connection:
            if (pid := connection.get_server_pid()) not in self._prepared:
                for name in ("effects", "rewind", "load", "go_back"):  # of this session alone
                    await connection.execute(_SQL[name])
                await connection.execute("SET lock_timeout = '3s'")
                self._prepared.add(pid)
            transaction = connection.transaction()
            await transaction.start()
            try:
                if rows:
                    await connection.execute("SELECT pg_temp.load($1)", rows)
                found: Any = await connection.fetchrow(
                    "SELECT cut, past FROM pg_temp.go_back($1, $2, $3, $4, $5, $6)", event.subject_id, event.seq,
                    getattr(event, "thread_id", None), event.tenant_id, event.event_id, event.occurred_at,
                )  # fmt: skip
                if self.service in SERVICES:
                    await connection.execute(f"SET LOCAL ROLE gp_{self.service}")
                made = Rehearsal(connection, event, found["cut"], found["past"])
                token = _current.set(made)
                try:
                    yield made
                finally:
                    _current.reset(token)
            finally:
                await transaction.rollback()

    async def _read(self, how: str, sql: str, *args: Any) -> Any:
        if (stage := self.now) is None:
            return await super()._read(how, sql, *args)
        async with stage.lock:
            return await getattr(stage.connection, how)(sql, *args)

    async def execute(self, name: str, *args: Any) -> str:
        """Run a named statement, to be rolled back."""
        if (stage := self.now) is None:
            raise StepRefused("nothing is written outside of a rehearsal")
        async with stage.lock:
            status: str = await stage.connection.execute(self.queries[name], *args)
            return status

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A savepoint of what will be rolled back."""
        if (stage := self.now) is None:
            raise StepRefused("nothing is written outside of a rehearsal")
        async with stage.lock, stage.connection.transaction():
            yield stage.connection


class _Direct(Writer):
    """Runs each command at once on the rehearsal's connection; nothing is committed, so nothing is grouped."""

    def __init__(self, url: str, service: str, settings: StoreSettings) -> None:
        super().__init__(url, service, settings, lambda _: None, lambda _: None)

    async def submit(self, unit: Unit) -> Record | None:
        """The row of this command."""
        stage = _current.get(None)
        if stage is None:
            raise StepRefused("nothing is decided outside of a rehearsal")
        async with stage.lock, stage.connection.transaction():
            rows = await self.call_on(stage.connection, [unit])
        return rows[0] if rows else None


async def _effects(connection: Connection, event: Event, cut: datetime) -> Effects:
    found: Effects = await connection.fetchval(
        "SELECT pg_temp.effects($1, $2, $3, $4, $5)", event.subject_id, event.seq, getattr(event, "thread_id", None),
        event.event_id, cut,
    )  # fmt: skip
    return found
