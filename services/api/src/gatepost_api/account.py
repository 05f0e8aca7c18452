"""The account: its settings, its figures, its export, and what this installation does not offer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from gatepost_api.boxes import get_account, id_at, mailbox_view
from gatepost_api.credentials import key_view
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import after, cursor_for, iso, millis
from gatepost_api.office import Call, Office, Reply
from gatepost_api.people import contact_view
from gatepost_api.status import Row
from gatepost_api.suppressions import suppression_view
from gatepost_api.views import Eyes, email_view
from gatepost_contracts.ids import new_id
from gatepost_contracts.mailbox import PENDING_MAIL

_EXPORT_PAGE = 200
_DAYS_MOST = 400


async def update_account(office: Office, call: Call) -> Reply:
    """Name, postal and oversight address; for the last a code goes to the old one. How soon it hears is the operator's."""
    fields = call.fields
    email = fields.text("oversight_email", most=320)
    if email is not None:
        email = bare("oversight_email", email)
    name = fields.text("name", most=200)
    if name is not None and (not name.strip() or any(c in name for c in "\r\n")):
        raise invalid("name", "must be one line")
    pending = fields.text("pending_mail")
    if pending is not None:
        if not call.caller.is_operator:
            raise Refusal("operator_redeems", "Only an operator changes where codes and notices go.")
        if pending not in PENDING_MAIL:
            raise invalid("pending_mail", "is unknown", f"One of {', '.join(PENDING_MAIL)}.")
    address = fields.text("physical_address", most=500)
    await office.store.execute(
        "update_account", call.caller.tenant_id, name, email, "physical_address" in fields, address, pending
    )
    reply = await get_account(office, call)
    assert isinstance(reply.body, dict)  # noqa: S101 (that is what it answers)
    return Reply({**reply.body, "status": "updated"})


# -- figures -------------------------------------------------------------------------------------------------------


async def get_usage(office: Office, call: Call) -> Reply:
    """Counts over a span, in all or by day. Moments are epoch milliseconds, as published clients read them."""
    fields, tenant = call.fields, call.caller.tenant_id
    now = datetime.now(UTC)
    begin = _moment(call, "from") or now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = _moment(call, "to") or now
    if end <= begin or end - begin > timedelta(days=_DAYS_MOST):
        raise invalid("to", f"must be after `from`, by {_DAYS_MOST} days at most")
    kind = fields.text("breakdown") or fields.text("period") or "summary"
    if kind not in {"summary", "daily"}:
        raise invalid("breakdown", "must be summary or daily")
    rows = await office.store.fetch("usage", tenant, id_at("msg", begin), id_at("msg", end), begin, end)
    body: dict[str, Any] = {"from": millis(begin), "to": millis(end), "breakdown": kind, "period": kind}
    total = dict.fromkeys(("emails_sent", "emails_received", "api_calls", "oversight_actions"), 0)
    for row in rows:
        total[row["event_type"]] += row["count"]
    body |= total
    body["data"] = [
        {"date": row["day"].isoformat(), "event_type": row["event_type"], "count": row["count"]}
        for row in rows if kind == "daily"
    ]  # fmt: skip
    return Reply(body)


def _moment(call: Call, field: str) -> datetime | None:
    """Epoch milliseconds, or a date."""
    word = call.fields.text(field, most=40)
    if word is None or not word.lstrip("-").isdigit():
        return call.fields.moment(field)
    try:
        return datetime.fromtimestamp(int(word) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise invalid(field, "must be epoch milliseconds or a date") from None


async def stats(office: Office, call: Call) -> Reply:
    """How the gate is doing. A rate over no decisions is null, not zero."""
    boxes = await office.scope(call)
    since = call.fields.moment("since") or datetime.now(UTC) - timedelta(days=30)
    queue = await office.store.fetchrow("queue_figures", call.caller.tenant_id, boxes)
    done = await office.store.fetchrow("decision_figures", call.caller.tenant_id, boxes, since)
    decided = done["decided"] if done else 0
    wait = done["mean_wait_s"] if done else None
    return Reply(
        {
            "since": iso(since), "pending": queue["pending"] if queue else 0, "oldest_pending_at": iso(queue["oldest"]) if queue else None,
            "stale_pending": queue["stale"] if queue else 0, "decided": decided, "mean_decision_s": None if wait is None else float(wait),
            "approval_rate": done["approved"] / decided if done and decided else None,
            "edit_rate": done["edited"] / done["approved"] if done and done["approved"] else None,
        }
    )  # fmt: skip


# -- export --------------------------------------------------------------------------------------------------------


async def export_account(office: Office, call: Call) -> Reply:
    """All of it, written as it is read: no export is held in memory."""
    await office.limits.spend(f"export:{call.caller.tenant_id}", most=1, seconds=3600)
    name = f"gatepost-{datetime.now(UTC):%Y%m%d}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Reply(_document(office, call), headers=headers, content_type="application/json")


async def _document(office: Office, call: Call) -> AsyncIterator[bytes]:
    tenant = call.caller.tenant_id
    account = await get_account(office, call)
    parts: dict[str, Any] = {
        "exported_at": iso(datetime.now(UTC)),
        "account": account.body,
        "mailboxes": [
            mailbox_view(row) for row in await office.store.fetch("mailboxes_all", tenant, call.caller.bound)
        ],
        "api_keys": [key_view(row) for row in await office.store.fetch("keys", tenant)],
        "contacts": [contact_view(row) for row in await office.store.fetch("contacts", tenant, None, None, 100_000, 0)],
        "suppressions": [
            suppression_view(row)
            for row in await office.store.fetch("suppressions", tenant, None, 100_000, 0, None, None, None, None)
        ],
    }
    yield orjson.dumps(parts)[:-1] + b',"emails":['
    first, last = True, ""
    eyes = Eyes(call.caller, office.message_id_of)
    while True:
        ids = [
            row["id"] for row in await office.store.fetch("export_ids", tenant, call.caller.bound, last, _EXPORT_PAGE)
        ]
        mails = await office.mails(call, ids)
        for message_id in ids:
            if message_id in mails:
                yield (b"" if first else b",") + orjson.dumps(email_view(mails[message_id], eyes))
                first = False
        if len(ids) < _EXPORT_PAGE:
            break
        last = ids[-1]
    yield b"]}"


# -- telling the operator ------------------------------------------------------------------------------------------


async def report_issue(office: Office, call: Call) -> Reply:
    """Keep what somebody says is wrong, for the operator to read."""
    fields = call.fields
    text = fields.must("text", most=10_000)
    context = fields.text("context", most=10_000) if isinstance(fields.raw("context"), str) else None
    row = await office.store.fetchrow(
        "add_issue", new_id("iss"), call.caller.tenant_id, call.caller.principal_id, fields.text("severity", most=40) or "",
        text, context or "",
    )  # fmt: skip
    if row is None:
        raise Refusal("unavailable")
    return Reply({**_issue(row), "status": "received"})


async def list_issues(office: Office, call: Call) -> Reply:
    """Newest first."""
    limit = call.fields.number("limit", 20, 1, 100)
    rows = await office.store.fetch("issues", call.caller.tenant_id, after(call.fields.text("cursor")), limit)
    cursor = cursor_for(rows, limit, rows[-1]["id"] if rows else None)
    return Reply({"issues": [_issue(row) for row in rows], "cursor": cursor, "next_cursor": cursor})


def _issue(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"], "by": row["principal_id"], "severity": row["severity"], "text": row["text"], "context": row["context"],
        "created_at": iso(row["created_at"]),
    }  # fmt: skip


# -- what is not offered -------------------------------------------------------------------------------------------


async def billing(_: Office, __: Call) -> Reply:
    """No billing: said for good, and not as an error that a client would try again."""
    raise Refusal("not_offered", "This installation has no billing.", hint="Nothing here costs money.")


async def delete_account(_: Office, __: Call) -> Reply:
    """An installation is one account; who runs the machine ends it."""
    raise Refusal("not_offered", "The account ends with its installation.", hint="Ask whoever runs the machine.")


async def sign_up(_: Office, __: Call) -> Reply:
    """Accounts are not made over the network."""
    raise Refusal("not_offered", "This installation takes no sign-ups.", hint="Ask the operator for a key.")


async def setup_multimail(_: Office, __: Call) -> Reply:
    """How to begin, for whoever asks."""
    return Reply(
        {
            "next": "Send a key as `Authorization: Bearer <key>`; the operator of this installation makes keys.",
            "mcp": "/mcp", "interface": "/v1/openapi.json", "sign_up": "This installation takes no sign-ups.",
        }
    )  # fmt: skip
