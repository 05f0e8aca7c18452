"""`gatepost-<service> replay`: the service's real handlers on past events, with nothing left behind.

Events come in one JSON object a line (`subject`, `body`, perhaps `rows`), what came of each goes out the same way: what
was done then, what the handler does now, and what it would have asked, mailed or called. Nothing is published, delivered,
asked or charged; the database's transaction is rolled back. `gatepost replay` is what people use.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gatepost_contracts.commands import Command, CommandReply
from gatepost_contracts.event import Event
from gatepost_runtime.errors import Unavailable
from gatepost_runtime.logging import configure
from gatepost_runtime.rows import On, Wired
from gatepost_runtime.service import Service
from gatepost_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from gatepost_store.shadow import Effects, Rehearsal, ShadowStore

_HANDLER_S = 120.0
_VOLATILE = frozenset({"content_sha256", "grant", "expires_at", "due_at", "send_at", "deliveries", "message_id",
                       "by_message_id", "suppression_id", "release", "recipients_sha256", "not_before"})  # fmt: skip


@dataclass
class Replaying:
    """What a service's wiring sees of a replay: that it is one, and whether models are really called."""

    store: ShadowStore
    models: bool = False
    noted: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def then(self) -> Effects:
        """What was done then, of the event in work."""
        stage = self.store.now
        return stage.then if stage is not None else {"records": [], "revisions": [], "webhooks": []}

    def note(self, kind: str, what: Any) -> None:
        """Something that would have left the process."""
        stage = self.store.now
        if stage is not None:
            self.noted.setdefault(f"{stage.event.event_id} {kind}", []).append(what)

    def take(self, event: Event) -> dict[str, list[Any]]:
        """What was noted of an event."""
        prefix = f"{event.event_id} "
        return {key.removeprefix(prefix): self.noted.pop(key) for key in list(self.noted) if key.startswith(prefix)}


class _NobodyAnswers:
    """Takes the place of the asker: a command is written down, not asked."""

    def __init__(self, replaying: Replaying) -> None:
        self._replaying = replaying

    async def ask(self, command: Command) -> CommandReply:
        self._replaying.note("asked", {"command": command.subject})
        raise Unavailable("a replay asks nobody")


def main(name: str, wire: Callable[[Service], Awaitable[Wired]], settings: RuntimeSettings, words: list[str]) -> int:
    """Replay what stands on standard input; 0 when all lines were answered."""
    parser = argparse.ArgumentParser(prog=f"gatepost-{name} replay")
    parser.add_argument("--models", action="store_true", help="really call models")
    parser.add_argument("--workers", type=int, default=4, help="events at a time")
    given = parser.parse_args(words)
    configure(name, "error", stream=sys.stderr)
    return asyncio.run(_run(name, wire, settings, models=given.models, workers=max(1, given.workers)))


async def _run(
    name: str, wire: Callable[[Service], Awaitable[Wired]], settings: RuntimeSettings, *, models: bool, workers: int
) -> int:
    from gatepost_store import Queries
    from gatepost_store.shadow import ShadowStore

    store = await ShadowStore.open_shadow(
        settings.database_url, service=name, queries=Queries.of(f"gatepost_{name}"), workers=workers
    )
    service = Service(name, settings)
    service.store, service.replaying = store, (replaying := Replaying(store, models))
    service.asker = _NobodyAnswers(replaying)  # type: ignore[assignment]
    wired = await wire(service)
    replay = Replay(name, wired, replaying)
    try:
        await _all(replay, workers)
    finally:
        for close in wired.close:
            await close()
        await store.close()
    return 0


async def _all(replay: Replay, workers: int) -> None:
    """So many at a time; those of one thread one after the other, for each locks its mails while it runs."""
    loop = asyncio.get_running_loop()
    lanes: list[asyncio.Queue[dict[str, Any] | None]] = [asyncio.Queue(4) for _ in range(workers)]

    async def lane(queue: asyncio.Queue[dict[str, Any] | None]) -> None:
        while (line := await queue.get()) is not None:
            try:
                outcome = await replay.one(line)
            except Exception as reason:  # the next one may do better
                error = f"{type(reason).__name__}: {reason}"[:500]
                outcome = {"subject": line["subject"], "error": error, "differs": True}
            sys.stdout.write(json.dumps(outcome, default=str) + "\n")
            sys.stdout.flush()

    running = [asyncio.create_task(lane(queue)) for queue in lanes]
    while text := await loop.run_in_executor(None, sys.stdin.readline):
        line = json.loads(text)
        story = json.loads(line["body"]).get("thread_id") or line["subject"]
        await lanes[hash(story) % workers].put(line)
    for queue in lanes:
        await queue.put(None)
    await asyncio.gather(*running)


class Replay:
    """Runs the handlers of one wired service."""

    def __init__(self, service: str, wired: Wired, replaying: Replaying) -> None:
        self._service, self._replaying = service, replaying
        self._rows = {event_type: row for row in wired.handlers for event_type in row.types}
        self._handlers = {row: row.bound(wired.actor) for row in wired.handlers}

    async def one(self, line: dict[str, Any]) -> dict[str, Any]:
        """What came of one event."""
        subject, body = line["subject"], line["body"]
        row = self._rows.get(subject.rpartition(".")[0])
        if row is None:
            return {"subject": subject, "error": f"{self._service} handles no such event", "differs": True}
        try:
            event: Event = row.decode(subject, body.encode())
        except (ValueError, KeyError) as reason:
            return {"subject": subject, "error": f"unreadable: {type(reason).__name__}", "differs": True}
        began, error = time.perf_counter(), None
        async with self._replaying.store.rehearsal(event, line.get("rows")) as stage:
            try:
                await asyncio.wait_for(self._handlers[row](event), _HANDLER_S)
            except Exception as reason:
                error = f"{type(reason).__name__}: {reason}"[:500]
            now, then = await self._now(stage, row, error), told(stage.then, self._service, row)
        return {
            "subject": subject, "event_id": event.event_id, "thread_id": getattr(event, "thread_id", None), "then": then,
            "now": now, "differs": error is not None or then != now, "error": error,
            "noted": self._replaying.take(event), "seconds": round(time.perf_counter() - began, 4),
        }  # fmt: skip

    async def _now(self, stage: Rehearsal, row: On, error: str | None) -> dict[str, Any]:
        if error is not None:  # its transaction may be broken
            return {"steps": [], "drafts": [], "webhooks": []}
        return told(await stage.effects(), self._service, row)


def told(effects: Effects, service: str, row: On) -> dict[str, Any]:
    """The doings of one handler, without what differs from run to run: ids, hashes, moments, signatures.

    Of the old records those of this service count, on the mail that it first stepped on, until somebody else steps on it.
    """
    steps: list[dict[str, Any]] = []
    stepped: set[tuple[str, int | None]] = set()
    subject: str | None = None
    for record in effects["records"]:
        mine = record["actor"] == service and (not row.makes or record["row"] in row.makes)
        if subject is None and mine:
            subject = record["message"]
        if record["message"] != subject:
            continue
        if not mine:
            break
        data = {k: v for k, v in (record.get("data") or {}).items() if k not in _VOLATILE}
        steps.append({"row": record["row"], "to": record["to"], "emits": record["emits"], "mode": record["mode"],
                      "delivery": bool(record["delivery"]), "data": data})  # fmt: skip
        stepped.add((record["message"], data.get("revision")))
    drafts = [
        {name: value for name, value in draft.items() if name != "message_id"} for draft in effects["revisions"]
        if (draft["message_id"], draft["n"]) in stepped and service == "drafter"
    ]  # fmt: skip
    return {"steps": steps, "drafts": drafts, "webhooks": effects["webhooks"] if service == "notifier" else []}
