"""Turns each event into one row per subscribed endpoint and word, with the bytes that every attempt will send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from gatepost_contracts.event import Event
from gatepost_notifier.chat import chat_body
from gatepost_notifier.fanout import Planned, Subscription, kind, plan
from gatepost_notifier.payload import Row, Scene, body_of, sees_gated
from gatepost_store import Store
from gatepost_store.audit.proofs import Q
from gatepost_store.audit.verify_audit import RECEIPT

log = structlog.get_logger()
PROMISE_WAITS_S = (0.1, 0.15, 0.25, 0.5, 1.0, 1.0)
"""How long the log's writer is waited for: it places records four times a second."""


class Desk:
    """The handler of every event."""

    def __init__(self, store: Store, wake: Callable[[], None], *, public_url: str = "") -> None:
        self._store, self._wake, self._public_url = store, wake, public_url
        self._threads: dict[str, tuple[asyncio.Lock, int]] = {}  # and how many events wait or run

    async def tell(self, event: Event) -> None:
        """Make the deliveries of an event; a repeat makes none."""
        async with self._in_order(getattr(event, "thread_id", None) or event.mailbox_id):
            rows = await self._store.fetch("subscriptions", event.tenant_id, event.occurred_at)
            planned = plan(event, (Subscription.of(row) for row in rows))
            if not planned:
                return
            scene = await self._scene(event)
            wanted = [one for one in planned if one.subscription.takes(scene.message, scene.thread)]
            if wanted:
                await self._add(event, wanted, scene)
        self._wake()

    @asynccontextmanager
    async def _in_order(self, thread: str) -> Any:
        """One event of a thread at a time, in the order in which they came."""
        lock, users = self._threads.get(thread, (asyncio.Lock(), 0))
        self._threads[thread] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            _, users = self._threads.pop(thread)
            if users > 1:
                self._threads[thread] = lock, users - 1

    async def _add(self, event: Event, planned: Sequence[Planned], scene: Scene) -> None:
        bodies = [self._body(one, scene) for one in planned]
        thread = getattr(event, "thread_id", None)
        endpoints = [one.subscription.id for one in planned]
        await self._store.execute(
            "add_deliveries", event.tenant_id, event.mailbox_id, event.event_id, event.type,
            getattr(event, "message_id", None), thread, place(event), [one.id for one in planned], endpoints,
            [one.naming.alias for one in planned], bodies,
        )  # fmt: skip
        if thread is not None:
            await self._store.execute("promote", endpoints, [thread] * len(endpoints))

    def _body(self, one: Planned, scene: Scene) -> bytes:
        gated = sees_gated(one.naming, one.subscription.source)
        if one.subscription.is_chat:
            return chat_body(scene, self._public_url, may_see_gated=gated)
        return body_of(scene, one.id, one.naming, is_thin=one.subscription.is_thin, may_see_gated=gated)

    async def _scene(self, event: Event) -> Scene:
        """What the payloads of this event are made of."""
        fetchrow = self._store.fetchrow
        said = event.model_dump()
        message_id = said.get("message_id") or said.get("about_message_id")
        message: Row = (await fetchrow("message", message_id) or {}) if message_id else {}
        parts: dict[str, Any] = {"mailbox": await fetchrow("mailbox", event.mailbox_id) or {}, "message": message}
        if message:
            parts["thread"] = await fetchrow("thread", message["thread_id"]) or {}
            if message["direction"] == "outbound":
                n = said.get("revision") or message["revision"]
                parts["revision"] = await fetchrow("revision", message["id"], n) or {}
            if message["answers"]:
                parts["original"] = await fetchrow("message", message["answers"]) or {}
        if said.get("decided_by"):
            parts["decision"] = await fetchrow("decision", event.subject_id, event.seq) or {}
        if said.get("pause_id"):
            parts["pause"] = await fetchrow("pause", said["pause_id"]) or {}
        if said.get("suppression_id"):
            parts["suppression"] = await fetchrow("suppression", said["suppression_id"]) or {}
        named = [*(said.get("deliveries") or ()), *filter(None, [said.get("about_delivery_id")])]
        if named:
            parts["deliveries"] = tuple(await self._store.fetch("deliveries", named))
        record = await self._store.fetchval("mode_then", event.subject_id, event.seq)
        logged = json.loads(record) if record else {}
        if why := logged.get("data", {}).get("why_sha256"):
            parts["words"] = {"why": await self._store.fetchval("words", why) or ""}
        if event.type == "email.delivered" and logged:
            parts["receipt"] = await self._receipt(event, logged)
        return Scene(event=event, kind=kind(event), mode=logged.get("mode") or "", **parts)

    async def _receipt(self, event: Event, record: dict[str, Any]) -> dict[str, Any]:
        """The record with the log's signed promise, for which the log's writer needs a moment; without it after that."""
        reading = self._store.reading
        given = {"format": RECEIPT, "key": await reading.fetchval(Q["vkey"]) or "", "record": record}
        for pause_s in PROMISE_WAITS_S:
            if promise := await reading.fetchval(Q["promised"], event.subject_id, event.seq):
                return given | {"promise": promise}
            await asyncio.sleep(pause_s)
        log.warning("a webhook leaves without the log's promise", event_id=event.event_id)
        return given


def place(event: Event) -> int:
    """Where the event stands within its thread: microseconds, by the clock of who decided it."""
    return int(event.occurred_at.timestamp() * 1_000_000)
