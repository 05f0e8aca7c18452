"""The store as services see it: read by name, step by row id, insert what is new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from gatepost_contracts.ids import new_id
from gatepost_oversight.credential import Role
from gatepost_oversight.lifecycle import BY_ID
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql import SERVICES
from gatepost_oversight.world import OF_ACCOUNT
from gatepost_store.errors import SchemaError, StepRefused, StoreError, StoreUnavailable
from gatepost_store.migrate import files
from gatepost_store.objects import ANNOUNCE, DUE, GONE, Objects, put_away
from gatepost_store.outbox import DELETE, Outbox, Publisher, put_back
from gatepost_store.pool import Connection, Pool, Record, as_unavailable, open_pool
from gatepost_store.queries import Queries
from gatepost_store.reading import Reading
from gatepost_store.settings import StoreSettings
from gatepost_store.step import Actor, Inserted, Moved, Stayed, Unit, command
from gatepost_store.writer import Writer

_TRIES = 3
SYSTEM_MAILBOX = "mbx_system"
_MAIL_IN = frozenset(("T01", "T01r", "T02", "T02r"))
_SUPPRESSIONS = {"email.unsubscribed": "W6u", "email.complained": "W6c"}


class Store:
    """Two small pools, one writer, one outbox. Made by `open`."""

    puts_away = True
    """Whether large contents go to the object store, where one is set."""

    def __init__(
        self, service: str, queries: Queries, settings: StoreSettings, reads: Pool, writes: Pool, url: str
    ) -> None:
        self.service, self.queries, self.settings = service, queries, settings
        self._reads, self._writes = reads, writes
        self._outbox = Outbox(service, settings, self._published)
        self._writer: Writer | None = None
        self.objects = Objects.of(settings)
        if service in SERVICES:
            self._writer = Writer(url, service, settings, self._outbox.committed, self._delete_published)
            self._writer.start()
            self._outbox.start()

    @classmethod
    async def open(cls, url: str, *, service: str, queries: Queries, settings: StoreSettings | None = None) -> Store:
        """Connect. A service that is none of ours (`operator`) reads and executes, but cannot step."""
        settings = settings or StoreSettings()
        reads = await open_pool(url, f"gatepost-{service} reads", settings.readers, settings)
        try:
            writes = await open_pool(url, f"gatepost-{service} writes", settings.writers, settings)
        except BaseException:
            await reads.close()
            raise
        return cls(service, queries, settings, reads, writes, url)

    async def close(self) -> None:
        """Commit and publish what waits, then let go of every connection."""
        if self._writer is not None:
            await self._writer.close()
            await self._outbox.close()
        for pool in (self._reads, self._writes):
            try:
                await asyncio.wait_for(pool.close(), 5)
            except (TimeoutError, asyncio.CancelledError):
                pool.terminate()

    async def ready(self) -> None:
        """Raise unless the database answers and has the schema that this release needs."""
        async with as_unavailable(), self._reads.acquire(timeout=self.settings.connect_timeout_s) as connection:
            if not await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
                raise SchemaError("the database has no schema yet: run `gatepost migrate`")
            needed = [name for name, _ in files() if "_pre_" in name]
            known = await connection.fetchval("SELECT count(*) FROM schema_migration WHERE name = ANY($1)", needed)
        if known < len(needed):
            raise SchemaError("the database's schema is older than this release: run `gatepost migrate`")

    # -- reading and plain writing -------------------------------------------------------------------------------------

    async def fetch(self, name: str, *args: Any) -> list[Record]:
        """All rows of a named statement."""
        rows: list[Record] = await self._read("fetch", self.queries[name], *args)
        return rows

    async def fetchrow(self, name: str, *args: Any) -> Record | None:
        """The first row, or None."""
        row: Record | None = await self._read("fetchrow", self.queries[name], *args)
        return row

    async def fetchval(self, name: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return await self._read("fetchval", self.queries[name], *args)

    @property
    def reading(self) -> Reading:
        """For libraries that bring their own named statements."""
        return Reading(self._read, self.content)

    async def _read(self, how: str, sql: str, *args: Any) -> Any:
        """Read; an idle connection that died with a restart of the server is told by its first use, so try them all."""
        for left in range(self.settings.readers, -1, -1):
            try:
                async with as_unavailable(), self._reads.acquire(timeout=self.settings.connect_timeout_s) as connection:
                    return await getattr(connection, how)(sql, *args)
            except StoreUnavailable as error:
                if not left or isinstance(error.__cause__, TimeoutError | OSError):
                    raise
        raise AssertionError("not reached")

    async def execute(self, name: str, *args: Any) -> str:
        """Run a named statement that no step is needed for; its status, e.g. `UPDATE 1`."""
        async with as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection:
            status: str = await connection.execute(self.queries[name], *args)
            return status

    async def content(self, row: Record | None) -> bytes | None:
        """The bytes of a row of raw or blob (its columns sha256, bytes, object), wherever they stand; None without a row."""
        if row is None or row["object"] is None:
            return None if row is None else bytes(row["bytes"])
        if self.objects is None:
            raise StoreError("contents stand in an object store: set GATEPOST_STORE_OBJECTS_URL")
        return await self.objects.get(row["object"], row["sha256"])

    async def announce(self, keys: Sequence[str]) -> None:
        """Write down keys of the object store before anything is put there."""
        async with as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection:
            await connection.execute(ANNOUNCE, keys)

    async def sweep_objects(self) -> None:
        """Delete from the object store what no row names any more; called again and again by one service."""
        keys = [row["key"] for row in await self._read("fetch", DUE)] if self.objects is not None else []
        if keys and self.objects is not None:
            await self.objects.delete(keys)
            async with as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection:
                await connection.execute(GONE, keys)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction, for the rare things off the path of mail."""
        async with (
            as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection,
            connection.transaction(),
        ):  # fmt: skip
            yield connection

    # -- publishing ------------------------------------------------------------------------------------------------------

    @property
    def publisher(self) -> Publisher | None:
        """Who publishes the events of this service's steps, and says for each whether it is stored."""
        return self._outbox.publisher

    @publisher.setter
    def publisher(self, publisher: Publisher | None) -> None:
        self._outbox.publisher = publisher

    async def sweep(self) -> None:
        """For ever: publish what a crash or an absent broker left. Run by the runtime."""
        while True:
            await asyncio.sleep(self.settings.sweep_s)
            while await self.sweep_once() >= 200:
                pass

    async def sweep_once(self, *, older_than_s: float | None = None) -> int:
        """One look; how many events went out. A database or broker that is away is no error here."""
        try:
            return await self._outbox.sweep_once(self._writes, older_than_s=older_than_s)
        except StoreUnavailable:
            return 0

    async def republish(
        self, event_ids: Sequence[str], *, not_before: datetime | None = None, tenant_id: str | None = None
    ) -> int:
        """Have these events published once more by the services that own them; how many will be.

        With `tenant_id` only events of that tenant are. Not before `not_before`: see `outbox.put_back`.
        """
        async with as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection:
            return await put_back(connection, event_ids, not_before=not_before, tenant_id=tenant_id)

    def _published(self, ids: Sequence[str]) -> None:
        if self._writer is not None:
            self._writer.published(ids)

    async def _delete_published(self, ids: Sequence[str]) -> None:
        async with as_unavailable(), self._writes.acquire(timeout=self.settings.connect_timeout_s) as connection:
            await connection.execute(DELETE, list(ids))

    # -- stepping --------------------------------------------------------------------------------------------------------

    async def step(
        self, row: str, message_id: str, *, by: Actor, data: Mapping[str, Any] | None = None,
        delivery_id: str | None = None, command_id: str | None = None, version: int | None = None, **args: Any,
    ) -> Moved | Stayed:  # fmt: skip
        """Run one row of the lifecycle on this mail, or of the world table on this mailbox.

        What concerns a whole account names `mbx_system` and `tenant_id`; its record is the account's.

        `data` is what the event says beside the common fields. Arguments by row: `gatepost_store.payloads`.
        """
        move = self._move(row)
        if move.on in (On.NEW, On.REVISION):
            raise TypeError(f"{row} makes something: use insert()")
        data = data or {}
        if row == "T30" and data.get("proven_by") == "dsn":
            args.setdefault("proven", True)
        fields: dict[str, Any] = {"command_id": command_id, "version": version}
        if move.on is On.WORLD:
            fields["mailbox_id"] = message_id
            return await self._world(move, fields, by, data, args)
        if (move.on is On.DELIVERY) != (delivery_id is not None):
            raise TypeError(f"{row} {'needs' if move.on is On.DELIVERY else 'takes no'} delivery_id")
        fields |= {"message_id": message_id, "delivery_id": delivery_id}
        text, _ = command(by, data, fields=fields, args=args)
        target = delivery_id or message_id
        return await self._submit(
            Unit(row, (target,), text, messages=(message_id,), deliveries=(delivery_id,) if delivery_id else ())
        )

    async def insert(
        self, row: str, payload: Mapping[str, Any], *, by: Actor, data: Mapping[str, Any] | None = None,
        raw: bytes | Sequence[bytes] | None = None, command_id: str | None = None,
    ) -> Inserted | Stayed:  # fmt: skip
        """Run a row that makes something: T01, T02, T05, R1, T34, or a world row. Payloads: `gatepost_store.payloads`."""
        data = dict(data or {})
        blobs = (raw,) if isinstance(raw, bytes) else tuple(raw or ())
        if row in BY_ID and BY_ID[row].on is On.NEW:
            return await self._born(self._move(row), payload, by, data, blobs)
        if row == "R1":
            return await self._revision(payload, by, data, blobs)
        if row == "W6":
            row = next((_SUPPRESSIONS[kind] for kind in payload.get("emits") or ()), "W6")
        move = self._move(row)
        args = {name: value for name, value in payload.items() if name not in {"emits", "mailbox_id", "at"}}
        if row.startswith("W6"):
            args.setdefault("suppression_id", new_id("sup"))
            data.setdefault("suppression_id", args["suppression_id"])
        fields = {"command_id": command_id, "mailbox_id": payload["mailbox_id"]}
        step = await self._world(move, fields, by, data, args)
        if isinstance(step, Moved):
            return Inserted(payload["mailbox_id"], step.seq, step.record, duplicate=step.already)
        if row.startswith("W6") and step.failed == ("EXISTS",):
            return Inserted(payload["mailbox_id"], 0, None, duplicate=True)
        return step

    async def _world(
        self, move: Move, fields: Mapping[str, Any], by: Actor, data: Mapping[str, Any], args: Mapping[str, Any]
    ) -> Moved | Stayed:
        mailbox_id = str(fields["mailbox_id"])
        if fields.get("command_id") is None:  # a commit whose answer was lost is found again by it
            fields = {**fields, "command_id": new_id("cmd")}
        carrier = mailbox_id
        if mailbox_id == SYSTEM_MAILBOX:  # it concerns an account, and the account carries the record
            if move.id not in OF_ACCOUNT or not args.get("tenant_id"):
                raise TypeError(f"{move.id} of the system mailbox names the account that it concerns")
            carrier = str(args["tenant_id"])
        elif move.id.startswith("W6") and not args.get("tenant_id"):
            args = {**args, "tenant_id": await self._tenant_of(mailbox_id)}
        text, _ = command(by, data, fields=fields, args=args)
        return await self._submit(Unit(move.id, (carrier,), text, mailboxes=(carrier,)))

    async def _born(
        self, move: Move, payload: Mapping[str, Any], by: Actor, data: dict[str, Any], blobs: Sequence[bytes]
    ) -> Inserted | Stayed:
        mail: dict[str, Any] = dict(payload["m"])
        rev, thread, idem = payload.get("rev"), dict(payload.get("thread") or {}), payload.get("idem")
        files = [dict(file) for file in payload.get("files") or ()]
        left = await put_away(self, blobs, {0: mail} if move.id in _MAIL_IN else _by_place(files))
        thread.setdefault("id", mail["thread_id"])
        if move.id == "T05":
            by = Actor(Role.AGENT, by.principal, by.actor, by.door)  # an author, whatever else its key may do
            data.setdefault("revision", 1)
        fields: dict[str, Any] = {
            "message_id": mail["id"], "mailbox_id": mail["mailbox_id"], "tenant_id": mail["tenant_id"], "m": mail,
            "thread": thread, "rev": rev, "files": files, "idem": idem,
            "fine": payload.get("fine", move.dst == "received"),
        }  # fmt: skip
        args = {name: payload[name] for name in ("grant_token", "due_at", "template") if name in payload}
        text, _ = command(by, data, fields=fields, args=args)
        target = (mail["mailbox_id"], mail["raw_sha256"]) if move.id in _MAIL_IN else (mail["id"],)
        if idem is not None:
            target = (idem["principal_id"], idem["key"])
        threads = (thread["id"],)
        unit = Unit(move.id, target, text, threads=threads, blobs=left)
        step = await self._submit(unit)
        if isinstance(step, Moved):
            return Inserted(mail["id"], step.seq, step.record)
        if step.failed is not None:
            return step
        return await self._first(move, mail, idem)

    async def _first(self, move: Move, mail: Mapping[str, Any], idem: Mapping[str, Any] | None) -> Inserted | Stayed:
        """What had been made before, instead of this."""
        if move.id in _MAIL_IN:
            found = await self._read("fetchrow", _FIRST_RAW, mail["mailbox_id"], mail["raw_sha256"], mail["id"])
        elif idem is not None:
            found = await self._read("fetchrow", _FIRST_KEY, mail["tenant_id"], idem["principal_id"], idem["key"])
        else:
            found = await self._read("fetchrow", _FIRST_ID, mail["id"])
        if found is None:
            return Stayed(None)
        record = json.loads(found["record"]) if found["record"] else None
        return Inserted(found["message_id"] or "", 1, record, duplicate=True, request_sha256=found["request_sha256"])

    async def _revision(
        self, payload: Mapping[str, Any], by: Actor, data: dict[str, Any], blobs: Sequence[bytes]
    ) -> Inserted | Stayed:
        rev: dict[str, Any] = dict(payload["rev"])
        message_id, kind = payload["message_id"], rev.get("kind", "draft")
        row = "R2" if kind == "edit" else "R1"
        if row == "R1":
            by = Actor(Role.AGENT, by.principal, by.actor, by.door)
        self._move(row)
        files = [dict(file) for file in payload.get("files") or ()]
        left = await put_away(self, blobs, _by_place(files))
        stayed, command_id = Stayed(None), new_id("cmd")  # a commit whose answer was lost is found again by it
        for _ in range(_TRIES):
            n = await self._read("fetchval", _NEXT_N, message_id)
            fields = {
                "message_id": message_id, "command_id": command_id, "kind": kind, "n": n, "rev": rev,
                "files": files,
            }  # fmt: skip
            text, _ = command(by, {**data, "revision": n}, fields=fields, args={})
            step = await self._submit(Unit(row, (message_id,), text, messages=(message_id,), blobs=left))
            if isinstance(step, Moved):
                return Inserted(message_id, step.seq, step.record)
            stayed = step
            if step.failed is not None and step.failed != ("EXPECTED",):
                break
        return stayed

    async def _submit(self, unit: Unit) -> Moved | Stayed:
        if self._writer is None:
            raise StepRefused(f"{self.service} runs no steps")
        row = await self._writer.submit(unit)
        if row is None:
            return Stayed(None)
        if row["already"] is not None:
            moved = Moved(row["already"], row["record"], already=True)
            return replace(moved, state=moved.record["to"])
        if row["seq"] is None:
            return Stayed(tuple(row["failed"]))
        return Moved(row["seq"], row["record"], state=row["state"])

    def _move(self, row: str) -> Move:
        move = BY_ID[row]
        if self.service not in move.services:
            raise StepRefused(f"{row} is not {self.service}'s to run")
        return move

    async def _tenant_of(self, mailbox_id: str) -> str:
        tenant: str = await self._read("fetchval", "SELECT tenant_id FROM mailbox WHERE id = $1", mailbox_id)
        return tenant


def _by_place(files: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The files whose bytes come along, by the place of these."""
    return {file["raw_n"] - 1: file for file in files if file.get("raw_n")}


_FIRST_RAW = """
SELECT m.id AS message_id, a.record, NULL::text AS request_sha256 FROM message m
  LEFT JOIN audit_record a ON a.subject_id = m.id AND a.seq = 1
 WHERE (m.mailbox_id = $1 AND m.raw_sha256 = $2 AND m.direction = 'inbound') OR m.id = $3 LIMIT 1"""
_FIRST_KEY = """
SELECT i.message_id, a.record, i.request_sha256 FROM idempotency i
  LEFT JOIN audit_record a ON a.subject_id = i.message_id AND a.seq = 1
 WHERE i.tenant_id = $1 AND i.principal_id = $2 AND i.key = $3"""
_FIRST_ID = """
SELECT a.subject_id AS message_id, a.record, NULL::text AS request_sha256 FROM audit_record a
 WHERE a.subject_id = $1 AND a.seq = 1"""
_NEXT_N = "SELECT coalesce(max(n), 0) + 1 FROM revision WHERE message_id = $1"

__all__ = ["Store"]
