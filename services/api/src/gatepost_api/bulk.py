"""One decision on many mails that wait for the very same reasons; each is still decided by itself.

A person who has understood one of them has understood why all are held. Where the reasons differ nothing is decided, and
texts are never edited in bulk. Every item binds to its own content: one that changed meanwhile is refused alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import Any

from gatepost_api.deciding import action_of, decide, to_decide
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import Fields
from gatepost_api.office import Call, Office, Reply

ITEMS_MOST, AT_ONCE = 200, 16


async def decide_many(office: Office, call: Call) -> Reply:
    """`results` in the order of `items`: what a single decision answers, or its refusal."""
    calls = _calls(call)
    if len({action_of(one) for one in calls}) > 1:
        raise invalid("items", "must all be approved or all be rejected")
    room = asyncio.Semaphore(AT_ONCE)

    async def meant(one: Call) -> Any:
        async with room:
            return await to_decide(office, one, one.fields.must("message_id"), action_of(one))

    mails = await asyncio.gather(*(meant(one) for one in calls))
    if len({mail["id"] for mail in mails}) < len(mails):
        raise invalid("items", "name a mail twice")
    reasons: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for mail in mails:
        reasons[tuple(sorted(mail["reasons"] or mail["quarantined_for"] or ()))].append(mail["id"])
    if len(reasons) > 1:
        groups = [{"reasons": list(names), "ids": ids} for names, ids in reasons.items()]
        raise Refusal(
            "invalid_request", "They wait for different reasons.", hint="Decide each group alone.", groups=groups
        )

    async def result(one: Call) -> dict[str, Any]:
        async with room:
            try:
                return {"ok": True, "status_code": 200, **await decide(office, one, wait_s=0)}
            except Refusal as refusal:
                named_by = one.fields.must("message_id")
                return {"id": named_by, "ok": False, "status_code": refusal.status, **refusal.body()}

    results = await asyncio.gather(*(result(one) for one in calls))
    decided = sum(found["ok"] for found in results)
    return Reply({"results": results, "decided": decided, "refused": len(results) - decided})


def _calls(call: Call) -> list[Call]:
    """Each item as a request of its own; what stands beside `items` holds for those that do not say it."""
    items = call.fields.raw("items")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise invalid("items", "must be a list of decisions")
    if len(items) > ITEMS_MOST:
        raise invalid("items", f"holds more than {ITEMS_MOST} decisions")
    shared = {name: value for name in ("action", "note", "reason_code", "final", "force")
              if (value := call.fields.raw(name)) is not None}  # fmt: skip
    calls = [replace(call, fields=Fields("decide_email", {**_without(shared, item), **item})) for item in items]
    if any(one.fields.raw(name) is not None for one in calls for name in ("markdown", "subject")):
        raise invalid("items", "texts are not edited in bulk")
    return calls


def _without(shared: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    said = Fields("decide_email", item)
    return {name: value for name, value in shared.items() if said.raw(name) is None}
