"""The queue: what waits for a person, with all that a decision needs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatepost_api.aliases import BODIES, PAGE, named
from gatepost_api.gatherings import CUT as BODY_CUT
from gatepost_api.gatherings import THREAD_TAIL, pending_view, thread_view
from gatepost_api.looking import look
from gatepost_api.moments import after, cursor_for
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row

COUNT_MOST = 1000  # a longer queue is said to be longer, not counted
OFFSET_MOST = 10_000  # further on only a cursor leads: an offset costs what it skips


async def list_pending(office: Office, call: Call) -> Reply:
    """What waits for a person. A reviewer's look is remembered, so that a decision without a hash binds to it."""
    fields, caller = call.fields, call.caller
    boxes = await office.scope(call)
    limit = fields.number("limit", 20, 1, 100)
    offset = 0 if fields.all("cursor") else fields.number("offset", 0, 0, OFFSET_MOST)
    wanted = fields.text("reason"), fields.text("category"), caller.is_person
    cursor = after(fields.text("cursor"))
    ids: list[str] = []
    items: list[Row] = []

    async def read() -> list[Row]:
        nonlocal ids, items
        ids = await _ids(office, caller.tenant_id, boxes, cursor, *wanted, limit, offset)
        waiting = await office.mails(call, ids)
        items = [waiting[i] for i in ids if i in waiting]
        return items

    await look(office, call, boxes, read)
    views = await _beside(office, call, items)
    is_whole = len(ids) < limit and cursor is None and not offset
    count = len(items)
    if not is_whole:
        reason, category, is_person = wanted
        count = await office.store.fetchval(
            "pending_count", caller.tenant_id, boxes, reason, category, COUNT_MOST + 1, is_person
        )
    page = {"pending": views, "emails": views, "messages": views, "count": min(count, COUNT_MOST),
            "count_text": f"{COUNT_MOST}+" if count > COUNT_MOST else str(count), "has_more_than_count": count > COUNT_MOST,
            "cursor": cursor_for(ids, limit, ids[-1] if ids else None)}  # fmt: skip
    return Reply(named(page, PAGE))


async def _ids(
    office: Office, tenant: str, boxes: Sequence[str] | None, cursor: str | None, reason: str | None, category: str | None,
    is_person: bool, limit: int, offset: int,
) -> list[str]:  # fmt: skip
    """The newest of what waits; inbound mail among it for persons only."""
    asked = (tenant, cursor, reason, category, is_person, limit, offset)
    if boxes is None:
        rows = await office.store.fetch("pending_ids", *asked)
    else:
        rows = await office.store.fetch("pending_ids_of", *asked, list(boxes))
    return [row["id"] for row in rows]


async def _beside(office: Office, call: Call, items: Sequence[Row]) -> list[dict[str, Any]]:
    """Each with what it answers and the last mails of its thread, as far as asked for: three statements for any page."""
    given = [value for value in call.fields.given("include") if value is not None]
    include = call.fields.words("include") if given else ("original", "thread")
    eyes, tenant = office.eyes(call), call.caller.tenant_id
    wanted = list({item["thread_id"] for item in items}) if "thread" in include else []
    answered = {item["answers"] for item in items if item["answers"]} if "original" in include else set()
    tails: Sequence[Row] = ()
    heads: Sequence[Row] = ()
    if wanted:
        tails = await office.store.fetch("threads_tail", tenant, wanted, call.caller.is_person, THREAD_TAIL)
        heads = await office.store.fetch("threads_by_id", tenant, wanted)
    others = await office.mails(call, list({*answered, *(row["id"] for row in tails)}))
    members: dict[str, list[Row]] = {}
    for row in tails:
        if row["id"] in others:
            members.setdefault(row["thread_id"], []).append(others[row["id"]])
    threads = {
        row["id"]: thread_view(row, sorted(members.get(row["id"], []), key=lambda m: m["id"]), eyes, cut=BODY_CUT)
        for row in heads
    }
    views = [
        pending_view(
            item,
            others.get(item["answers"]) if item["answers"] in answered else None,
            threads.get(item["thread_id"]),
            eyes,
        )
        for item in items
    ]
    return views if include else [without_bodies(view) for view in views]


def without_bodies(view: dict[str, Any]) -> dict[str, Any]:
    """A queue to look over: an empty `include` asks for no text at all."""
    return {name: value for name, value in view.items() if name not in BODIES}
