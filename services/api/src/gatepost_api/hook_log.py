"""What was sent to webhooks: the log, a test event, and sending again one, a range, or what an outage left."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from gatepost_api import event_words
from gatepost_api.aliases import PAGE, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.happenings import record_of
from gatepost_api.hooks import found
from gatepost_api.moments import after, cursor_for, iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import Redeliver, SampleWebhook
from gatepost_contracts.webhook_words import kind_named, namings

STATES = ("pending", "delivered", "failed", "disabled", "deleted")
_AGAIN = ("failed", "disabled", "delivered")


def delivery_view(w: Row) -> dict[str, Any]:
    """One delivery, without its body."""
    return {
        "id": w["id"], "webhook_id": w["endpoint_id"], "event_id": w["event_id"],
        "event_type": w["alias"] if w["alias"] != "*" else w["event_type"], "canonical": w["event_type"],
        "message_id": w["message_id"], "thread_id": w["thread_id"], "url": w["url"], "status": w["state"],
        "attempts": w["attempts"], "redeliveries": w["redeliveries"], "response_status": w["response_status"],
        "error": w["error"], "excerpt": w["excerpt"], "latency_ms": w["latency_ms"], "tried": list(w["tried"]),
        "waits_for_earlier": w["state"] == "pending" and not w["is_first"],
        "created_at": iso(w["created_at"]), "last_attempt_at": iso(w["last_attempt_at"]),
        "next_attempt_at": iso(w["due_at"]) if w["state"] == "pending" else None, "delivered_at": iso(w["delivered_at"]),
    }  # fmt: skip


async def list_webhook_deliveries(office: Office, call: Call) -> Reply:
    """What was sent, newest first. For a mail that no subscription matched it says so."""
    fields = call.fields
    limit, status, message_id = fields.number("limit", 20, 1, 100), fields.text("status"), fields.text("message_id")
    if status is not None and status not in STATES:
        raise invalid("status", "is unknown", f"One of {', '.join(STATES)}.")
    at, last_id = _behind(fields.text("cursor"))
    rows = await office.store.fetch(
        "webhook_deliveries", call.caller.tenant_id, fields.text("webhook_id"), status, fields.text("event_type"),
        message_id, limit, at, last_id, call.caller.bound,
    )  # fmt: skip
    last = f"{rows[-1]['created_at'].isoformat()} {rows[-1]['id']}" if rows else None
    page: dict[str, Any] = {"deliveries": [delivery_view(w) for w in rows], "cursor": cursor_for(rows, limit, last)}
    if message_id is not None and status is None and at is None:
        page["matched"] = bool(rows)
        if not rows:
            page["note"] = "No subscription matched the events of this mail."
    return Reply(named(page, PAGE))


def _behind(cursor: str | None) -> tuple[datetime | None, str | None]:
    text = after(cursor)
    if text is None:
        return None, None
    at, _, last_id = text.partition(" ")
    try:
        return datetime.fromisoformat(at), last_id
    except ValueError:
        raise invalid("cursor", "is none of ours") from None


async def _delivery(office: Office, call: Call, delivery_id: str | None = None) -> Row:
    row = await office.store.fetchrow(
        "webhook_delivery", call.caller.tenant_id, delivery_id or call.fields.must("id"), call.caller.bound
    )
    if row is None:
        raise Refusal("not_found", "There is no such delivery.")
    return row


async def get_webhook_delivery(office: Office, call: Call) -> Reply:
    """One delivery with the payload that each attempt sends."""
    row = await _delivery(office, call)
    return Reply(delivery_view(row) | {"payload": json.loads(bytes(row["body"]))})


async def redeliver_webhook(office: Office, call: Call) -> Reply:
    """Send one again: same id, same bytes, a fresh round of attempts."""
    row = await _delivery(office, call)
    _must_be_on(row)
    await office.demand(Redeliver(**office.command_fields(call), delivery_id=row["id"]))
    return Reply(delivery_view(await _delivery(office, call)))


async def redeliver_webhooks(office: Office, call: Call) -> Reply:
    """Send again what fits, of every webhook or of one, oldest first; what waits for its next attempt goes now."""
    return await _again(office, call, await found(office, call) if call.fields.text("id") else None)


async def redeliver_event(office: Office, call: Call) -> Reply:
    """Send an event again to every webhook that it was for: same ids, same bytes. One that is switched off is passed over."""
    event_id = call.fields.must("event_id", most=200)
    record = await record_of(office, call, event_id)
    rows = await office.store.fetch(
        "deliveries_of_event", call.caller.tenant_id, event_id, event_id.partition(".")[0], record["at"], call.caller.bound,
    )  # fmt: skip
    on = [row["id"] for row in rows if row["is_active"]]
    for delivery_id in on:
        await office.demand(Redeliver(**office.command_fields(call), delivery_id=delivery_id))
    views = [delivery_view(await _delivery(office, call, delivery_id)) for delivery_id in on]
    return Reply({"id": event_id, "count": len(views), "switched_off": len(rows) - len(views), "deliveries": views})


async def recover_webhook(office: Office, call: Call) -> Reply:
    """Send again what an outage of one webhook left, oldest first; what waits for its next attempt goes now."""
    return await _again(office, call, await found(office, call))


async def _again(office: Office, call: Call, endpoint: Row | None) -> Reply:
    fields = call.fields
    wanted = fields.words("status") or ("failed", "disabled")
    if unknown := [word for word in wanted if word not in _AGAIN]:
        raise invalid("status", f"{unknown[0][:40]} cannot be sent again", f"Any of {', '.join(_AGAIN)}.")
    is_dry, bound = fields.flag("dry_run") or False, call.caller.bound
    if endpoint is not None and not is_dry:
        _must_be_on(endpoint)
    reply = await office.demand(Redeliver(
        **office.command_fields(call), endpoint_id=endpoint["id"] if endpoint else None,
        mailbox_ids=None if bound is None else tuple(bound), states=wanted,
        since=fields.moment("since"), until=fields.moment("until"), event_type=fields.text("event_type", most=60),
        message_id=fields.text("message_id", most=60), thread_id=fields.text("thread_id", most=200), dry_run=is_dry,
    ))  # fmt: skip
    told = {"id": endpoint["id"] if endpoint else None, **reply.extra, "dry_run": is_dry}
    return Reply(told, status=200 if is_dry else None)


async def test_webhook(office: Office, call: Call) -> Reply:
    """Send a sample of an event, signed like a real one; says when the subscription would not get it."""
    endpoint = await found(office, call)
    _must_be_on(endpoint)
    word = call.fields.text("event") or _sample_word(endpoint["events"])
    kind = kind_named(word)
    if kind is None:
        raise Refusal("event_unsupported", f"unknown event: {word[:60]}", known=list(event_words.KNOWN))
    command = SampleWebhook(**office.command_fields(call), endpoint_id=endpoint["id"], word=word)
    reply = await office.demand(command)
    view = delivery_view(await _delivery(office, call, reply.id)) | {
        "subscribed": bool(namings(kind, endpoint["events"]))
    }
    if not view["subscribed"]:
        view["note"] = "No subscription of this endpoint matches this event; only the test arrives."
    return Reply(view)


def _sample_word(events: list[str]) -> str:
    return next((word for word in events if word in event_words.KNOWN), "email.received")


def _must_be_on(row: Row) -> None:
    if not row["is_active"]:
        raise Refusal("webhook_off")
