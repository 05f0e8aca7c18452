"""The queue: what waits for a person, with all that a decision needs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gatepost_api.aliases import PAGE, named
from gatepost_api.gatherings import CUT as BODY_CUT
from gatepost_api.gatherings import THREAD_TAIL, pending_view, thread_view
from gatepost_api.looking import look
from gatepost_api.moments import after, cursor_for
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row


async def list_pending(office: Office, call: Call) -> Reply:
    """What waits for a person. A reviewer's look is remembered, so that a decision without a hash binds to it."""
    fields, caller = call.fields, call.caller
    boxes = await office.scope(call)
    limit = fields.number("limit", 20, 1, 100)
    offset = 0 if fields.all("cursor") else fields.number("offset", 0, 0, 1_000_000)
    cursor, reason, category = after(fields.text("cursor")), fields.text("reason"), fields.text("category")
    ids: list[str] = []
    items: list[Row] = []

    async def read() -> list[Row]:
        nonlocal ids, items
        rows = await office.store.fetch(
            "pending_ids", caller.tenant_id, boxes, cursor, reason, category, limit, caller.is_person, offset
        )
        ids = [row["id"] for row in rows]
        waiting = await office.mails(call, ids)
        items = [waiting[i] for i in ids if i in waiting]
        return items

    await look(office, call, boxes, read)
    views = await _beside(office, call, items)
    count = len(items) if len(ids) < limit and not fields.all("cursor") and not offset else None
    if count is None:
        count = await office.store.fetchval("pending_count", caller.tenant_id, boxes, caller.is_person)
    page = {"pending": views, "emails": views, "messages": views, "count": count,
            "cursor": cursor_for(ids, limit, ids[-1] if ids else None)}  # fmt: skip
    return Reply(named(page, PAGE))


async def _beside(office: Office, call: Call, items: Sequence[Row]) -> list[dict[str, Any]]:
    """Each with what it answers and the last mails of its thread: three statements, however long the page."""
    include = call.fields.words("include") or ("original", "thread")
    eyes = office.eyes(call)
    tenant = call.caller.tenant_id
    threads: dict[str, dict[str, Any]] = {}
    others: dict[str, Row] = {}
    if items:
        wanted = list({item["thread_id"] for item in items})
        tails = await office.store.fetch("threads_tail", tenant, wanted, call.caller.is_person, THREAD_TAIL)
        answered = [item["answers"] for item in items if item["answers"]]
        others = await office.mails(call, list({*answered, *(row["id"] for row in tails)}))
        if "thread" in include:
            heads = {row["id"]: row for row in await office.store.fetch("threads_by_id", tenant, wanted)}
            members: dict[str, list[Row]] = {}
            for row in tails:
                if row["id"] in others:
                    members.setdefault(row["thread_id"], []).append(others[row["id"]])
            threads = {
                key: thread_view(head, sorted(members.get(key, []), key=lambda m: m["id"]), eyes, cut=BODY_CUT)
                for key, head in heads.items()
            }
    return [
        pending_view(
            item, others.get(item["answers"]) if item["answers"] else None, threads.get(item["thread_id"]), eyes
        )
        for item in items
    ]
