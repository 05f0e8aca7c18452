"""Events as callers read them: a page by cursor, one by its id, a stream as they happen, and the next mail.

The order is that of the log: each record has one place in it, so a cursor neither skips nor repeats. A cursor is bound to
the account and the filters it was made for, and dies with the retention.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from gatepost_api.boxes import id_at
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.once import digest
from gatepost_api.status import Row
from gatepost_api.views import email_view
from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.records import event_from_record

_RECORDS = 200
_HEARTBEAT_S, _SETTLE_S = 15.0, 0.1
_SETTLES = 10  # how often a stream looks again after it was woken: the log gets its order a moment after the event


def event_view(record: dict[str, Any], event_type: str) -> dict[str, Any]:
    """One event: what happened, when, to which mail of which thread; no text."""
    body: dict[str, Any] = json.loads(event_from_record(record, event_type).model_dump_json())
    return {
        **body, "id": body["event_id"], "event": event_type, "type": event_type, "event_type": event_type,
        "timestamp": body["occurred_at"], "created_at": body["occurred_at"],
    }  # fmt: skip


class Filter:
    """Whose events, of which types."""

    def __init__(self, tenant: str, types: tuple[str, ...], boxes: list[str] | None) -> None:
        self.tenant, self.types, self.boxes = tenant, types, boxes
        self.mark = digest({"tenant": tenant, "types": sorted(types), "boxes": sorted(boxes or ["*"])})[:16]

    def cursor(self, place: int, at: datetime) -> str:
        """Behind this place of the log."""
        text = json.dumps([place, int(at.timestamp()), self.mark])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def place(self, cursor: str, retention: timedelta) -> int:
        """The place behind which a cursor stands."""
        try:
            place, at, mark = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            moment = datetime.fromtimestamp(int(at), UTC)
            number = int(place)
        except (binascii.Error, ValueError, TypeError, OverflowError, OSError):
            raise invalid("cursor", "is none of ours") from None
        if mark != self.mark:
            raise invalid("cursor", "was made for another account or other filters")
        if moment < datetime.now(UTC) - retention:
            raise Refusal("cursor_expired")
        if not -1 <= number < 1 << 62:
            raise invalid("cursor", "is none of ours")
        return number


async def _filter(office: Office, call: Call) -> Filter:
    types = call.fields.words("types")
    if unknown := [name for name in types if name not in EVENTS_BY_TYPE]:
        raise Refusal("event_unsupported", f"unknown event: {unknown[0][:60]}", known=sorted(EVENTS_BY_TYPE))
    return Filter(call.caller.tenant_id, types, await office.scope(call))


async def list_events(office: Office, call: Call) -> Reply:
    """A page, oldest first; the cursor at the end goes on from there, also when nothing has happened yet."""
    chosen = await _filter(office, call)
    start = await _start(office, call, chosen)
    if "text/event-stream" in call.headers.get("accept", ""):
        return Reply(_stream(office, chosen, start), content_type="text/event-stream")
    limit = call.fields.number("limit", 50, 1, 100)
    found, cursor = await _page(office, chosen, start, limit)
    views = [view for _, view in found]
    return Reply({"events": views, "cursor": cursor, "next_cursor": cursor, "count": len(views)})


async def _start(office: Office, call: Call, chosen: Filter) -> tuple[int, datetime]:
    """The place to go on from: a cursor, an event's id, or the oldest that is kept."""
    retention = timedelta(days=office.settings.events_retention_days)
    oldest = datetime.now(UTC) - retention
    cursor = call.fields.text("cursor", most=500) or call.headers.get("last-event-id")
    if cursor:
        return chosen.place(cursor, retention), oldest
    since = call.fields.text("since", most=200)
    if since is None:
        return -1, oldest
    if "." not in since:
        moment = call.fields.moment("since")
        return -1, max(oldest, moment or oldest)
    row = await _record(office, call, since)
    if row["at"] < oldest:
        raise Refusal("cursor_expired")
    return (-1 if row["idx"] is None else int(row["idx"])), oldest


async def _page(
    office: Office, chosen: Filter, start: tuple[int, datetime], limit: int
) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """Up to `limit` events, each with the cursor behind it, and the cursor behind all that was read."""
    place, oldest = start
    behind = chosen.cursor(place, datetime.now(UTC))
    found: list[tuple[str, dict[str, Any]]] = []
    while len(found) < limit:
        rows = await office.store.fetch("events_page", chosen.tenant, place, oldest, chosen.boxes, _RECORDS)
        for row in rows:
            views = _views(row, chosen)
            if found and len(found) + len(views) > limit:
                return found, behind
            place, behind = int(row["idx"]), chosen.cursor(int(row["idx"]), row["at"])
            found += [(behind, view) for view in views]
        if len(rows) < _RECORDS:
            break
    return found, behind


def _views(row: Row, chosen: Filter) -> list[dict[str, Any]]:
    record = json.loads(row["record"])
    wanted = [name for name in record.get("emits") or () if name in EVENTS_BY_TYPE]
    return [event_view(record, name) for name in wanted if not chosen.types or name in chosen.types]


async def _stream(office: Office, chosen: Filter, start: tuple[int, datetime]) -> AsyncIterator[bytes]:
    """Server-sent events: what was, then what happens. Each has the cursor as its id, so a reader resumes exactly."""
    yield b": gatepost\n\n"
    place, oldest = start
    with office.live.waiting(frozenset(chosen.types), chosen.boxes) as waiter:
        while not office.live.stopping.is_set():
            for settle in range(_SETTLES):
                found, behind = await _page(office, chosen, (place, oldest), 100)
                for cursor, view in found:
                    yield f"id: {cursor}\nevent: {view['type']}\ndata: ".encode() + orjson.dumps(view) + b"\n\n"
                place = max(place, chosen.place(behind, timedelta(days=36_500)) if found else place)
                if settle == _SETTLES - 1 or waiter.happened.is_set():
                    break
                await asyncio.sleep(_SETTLE_S)
            if not await waiter.wait(_HEARTBEAT_S):
                yield b": still here\n\n"


async def get_event(office: Office, call: Call) -> Reply:
    """One event, made again from its record."""
    event_id = call.fields.must("event_id", most=200)
    row = await record_of(office, call, event_id)
    event_type = event_id.split(".", 2)[2]
    return Reply(event_view(json.loads(row["record"]), event_type))


async def record_of(office: Office, call: Call, event_id: str) -> Row:
    """The record of an event that exists and is not older than events are kept."""
    row = await _record(office, call, event_id)
    if row["at"] < datetime.now(UTC) - timedelta(days=office.settings.events_retention_days):
        raise Refusal("cursor_expired", "This event is older than events are kept.")
    event_type = event_id.split(".", 2)[2]
    if event_type not in (json.loads(row["record"]).get("emits") or ()) or event_type not in EVENTS_BY_TYPE:
        raise Refusal("not_found", "There is no such event.")
    return row


async def _record(office: Office, call: Call, event_id: str) -> Row:
    parts = event_id.split(".", 2)
    if len(parts) < 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 9:
        raise Refusal("not_found", "There is no such event.")
    row: Row | None = await office.store.fetchrow("event_record", call.caller.tenant_id, parts[0], int(parts[1]))
    if row is None or not call.caller.sees(row["mailbox_id"]):
        raise Refusal("not_found", "There is no such event.")
    return row


# -- the next mail -------------------------------------------------------------------------------------------------


async def wait_for_email(office: Office, call: Call) -> Reply:
    """The first mail that comes in after this call, or after `since_id`; `found` is false when none did in time."""
    fields = call.fields
    seconds = fields.number("timeout_seconds", 30, 1, 120)
    asked = fields.mapping("filter") if isinstance(fields.raw("filter"), dict) else {}
    sender = fields.text("sender") or _word(asked, "sender")
    subject = fields.text("subject_contains") or _word(asked, "subject_contains")
    boxes = await office.scope(call)
    since = fields.text("since_id") or id_at("msg", datetime.now(UTC))
    until = asyncio.get_running_loop().time() + seconds
    with office.live.waiting(frozenset({"email.received"}), boxes) as waiter:
        while True:
            row = await office.store.fetchrow("next_mail", call.caller.tenant_id, boxes, since, sender, subject)
            if row is not None and (mail := (await office.mails(call, [row["id"]])).get(row["id"])) is not None:
                view = email_view(mail, office.eyes(call))
                return Reply({"found": True, "timed_out": False, "email": view, "emails": [view], "messages": [view],
                              "since_id": mail["id"]})  # fmt: skip
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or office.live.stopping.is_set():
                return Reply({"found": False, "timed_out": True, "email": None, "emails": [], "messages": [],
                              "since_id": since, "waited_until": iso(datetime.now(UTC))})  # fmt: skip
            await waiter.wait(min(left, 5.0))


def _word(asked: dict[str, Any], name: str) -> str | None:
    value = asked.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > 1000):
        raise invalid(f"filter.{name}", "must be a string")
    return value or None
