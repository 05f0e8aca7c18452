"""The suppression list: whom nobody here writes to. Anyone adds, an operator clears, lists come in and go out as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from typing import Any, Literal, get_args

from gatepost_api.aliases import PAGE, SUPPRESSION, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import after, cursor_for, iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import RemoveSuppression
from gatepost_contracts.ids import new_id
from gatepost_store import Stayed

Reason = Literal["unsubscribed", "bounced", "complained", "manual"]
IMPORT_MOST, _AT_ONCE, _PAGE = 5_000, 32, 5_000
COLUMNS = ("address", "reason", "mailbox", "category", "created_at")
# What other senders' exports call these.
_REASONS: dict[str, Reason] = {
    "bounce": "bounced", "hard_bounce": "bounced", "hardbounce": "bounced", "hard": "bounced", "invalid": "bounced",
    "complaint": "complained", "spam": "complained", "spam_complaint": "complained", "spamcomplaint": "complained",
    "abuse": "complained", "unsubscribe": "unsubscribed", "opt_out": "unsubscribed", "optout": "unsubscribed",
    "import": "manual", "imported": "manual", "manualsuppression": "manual", "": "manual",
    "bounced": "bounced", "complained": "complained", "unsubscribed": "unsubscribed", "manual": "manual",
}  # fmt: skip


def suppression_view(row: Row) -> dict[str, Any]:
    """One address nobody writes to."""
    view = {"id": row["id"], "email_address": row["address"], "reason": row["reason"], "mailbox_id": row["mailbox_id"],
            "category": row["category"], "message_id": row["message_id"], "created_at": iso(row["created_at"])}  # fmt: skip
    return named(view, SUPPRESSION)


async def list_suppression(office: Office, call: Call) -> Reply:
    """Newest first; of one mailbox, category, reason or part of an address where that is asked for."""
    limit = call.fields.number("limit", 50, 1, 100)
    offset = 0 if call.fields.all("cursor") else call.fields.number("offset", 0, 0, 1_000_000)
    rows = await office.store.fetch(
        "suppressions",
        call.caller.tenant_id,
        after(call.fields.text("cursor")),
        limit,
        offset,
        *await _wanted(office, call),
    )
    views = [suppression_view(row) for row in rows]
    return Reply(
        named({"suppressions": views, "cursor": cursor_for(rows, limit, rows[-1]["id"] if rows else None)}, PAGE)
    )


async def _wanted(office: Office, call: Call) -> tuple[str | None, str | None, str | None, str | None]:
    """(mailbox, category, reason, part of the address) that a list is about."""
    box, reason = await office.mailbox(call), call.fields.text("reason")
    known = None if reason is None else _reason(reason)
    return box["id"] if box else None, call.fields.text("category", most=100), known, call.fields.text("q", most=320)


async def add_suppression(office: Office, call: Call) -> Reply:
    """Anyone may suppress; an operator alone clears."""
    address = bare("address", call.fields.must("address", most=320)).lower()
    box = await office.mailbox(call)
    category = call.fields.text("category", most=100)
    await suppress(office, call, box["id"] if box else None, address, "manual", (), category=category)
    rows = await office.store.fetch("suppressions_of", call.caller.tenant_id, address)
    return Reply(
        suppression_view(rows[-1]) if rows else {"email_address": address, "address": address, "email": address}
    )


async def suppress(
    office: Office, call: Call, mailbox_id: str | None, address: str,
    reason: Reason, emits: tuple[str, ...], *, category: str | None = None,
) -> bool:  # fmt: skip
    """One W6 step; of a mailbox, or of the whole account. False: it was suppressed already."""
    suppression_id = new_id("sup")
    data: dict[str, Any] = (
        {"suppression_id": suppression_id, "how": "link"} if emits else {"suppression_id": suppression_id}
    )
    payload = {
        "mailbox_id": mailbox_id or "mbx_system", "suppression_id": suppression_id, "address": address, "reason": reason,
        "scope": "mailbox" if mailbox_id else "tenant", "emits": list(emits), "category": category,
    }  # fmt: skip
    if call.caller.tenant_id:
        payload["tenant_id"] = call.caller.tenant_id
    made = await office.store.insert("W6", payload, by=office.actor(call), data=data)
    if isinstance(made, Stayed):
        raise Refusal("unavailable")
    return not made.duplicate


async def remove_suppression(office: Office, call: Call) -> Reply:
    """An operator's act, done by the gatekeeper. Bounces and complaints want `force` and a note."""
    address = bare("address", call.fields.must("address", most=320)).lower()
    rows = await office.store.fetch("suppressions_of", call.caller.tenant_id, address)
    if not rows:
        raise Refusal("not_found", "This address is not suppressed.")
    note = call.fields.text("note", most=1000) or ""
    proven = [row["reason"] for row in rows if row["reason"] in {"bounced", "complained"}]
    if proven and not (call.fields.flag("force") and note):
        raise Refusal(
            "ambiguous", f"This address {proven[0]}.", hint="Repeat with `force` and a `note`.", id=rows[0]["id"]
        )
    await office.demand(RemoveSuppression(**office.command_fields(call), address=address, note=note))
    return Reply({"email_address": address, "address": address, "email": address, "status": "deleted", "deleted": True})


# -- lists in and out ----------------------------------------------------------------------------------------------


async def export_suppression(office: Office, call: Call) -> Reply:
    """The whole list, or the part that was asked for, as CSV."""
    wanted = await _wanted(office, call)
    boxes = {
        row["id"]: row["address"] for row in await office.store.fetch("mailboxes_all", call.caller.tenant_id, None)
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    last: str | None = None
    while True:
        rows = await office.store.fetch("suppressions", call.caller.tenant_id, last, _PAGE, 0, *wanted)
        for row in rows:
            box = boxes.get(row["mailbox_id"], row["mailbox_id"] or "")
            cells = (row["address"], row["reason"], box, row["category"] or "", iso(row["created_at"]) or "")
            writer.writerow([_cell(cell) for cell in cells])
        if len(rows) < _PAGE:
            break
        last = rows[-1]["id"]
    headers = {"Content-Disposition": 'attachment; filename="suppression.csv"', "X-Content-Type-Options": "nosniff"}
    return Reply(out.getvalue().encode(), content_type="text/csv; charset=utf-8", headers=headers)


def _cell(text: str) -> str:
    """Spreadsheets run what begins like a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text


async def import_suppression(office: Office, call: Call) -> Reply:
    """Add many: `csv` with a heading line, or `suppressions` as objects or addresses. Each line is added or named."""
    rows = list(_rows(call))
    if not rows:
        raise invalid("csv", "names no address", "Give `csv` with a column `address`, or `suppressions`.")
    if len(rows) > IMPORT_MOST:
        raise invalid("csv", f"holds more than {IMPORT_MOST} lines", "Send it in parts.")
    boxes = {
        row["address"]: row["id"] for row in await office.store.fetch("mailboxes_all", call.caller.tenant_id, None)
    }
    gate, added, known = asyncio.Semaphore(_AT_ONCE), 0, 0
    wrong: list[dict[str, Any]] = []

    async def one(line: int, row: dict[str, str]) -> None:
        nonlocal added, known
        try:
            address = bare("address", row.get("address", "")).lower()
            reason = _reason(row.get("reason", ""))
            named_box = row.get("mailbox", "").strip().lower()
            box = boxes.get(named_box) or next((i for i in boxes.values() if i.lower() == named_box), None)
            if named_box and box is None:
                raise invalid("mailbox", "is unknown")
        except Refusal as refusal:
            wrong.append({"line": line, "address": row.get("address", "")[:320], "error": refusal.error})
            return
        async with gate:
            is_new = await suppress(
                office, call, box, address, reason, (), category=row.get("category", "").strip() or None
            )
        added, known = added + is_new, known + (not is_new)

    await asyncio.gather(*(one(line, row) for line, row in rows))
    wrong.sort(key=lambda entry: entry["line"])
    return Reply({"added": added, "already_suppressed": known, "refused": len(wrong), "errors": wrong[:100]})


def _rows(call: Call) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, its columns by our names) of whatever way the list came."""
    listed = call.fields.raw("suppressions")
    if isinstance(listed, list):
        for number, item in enumerate(listed, 1):
            cells = item if isinstance(item, dict) else {"address": item}
            yield number, _columns(cells)
        return
    text = call.fields.text("csv", most=2_000_000)
    if text:
        lines = text.lstrip("\ufeff").splitlines()
        if lines and "@" in lines[0]:
            lines.insert(0, "address")
        for number, cells in enumerate(csv.DictReader(lines), 2):
            yield number, _columns(cells)


_NAMES = {"email": "address", "email_address": "address", "recipient": "address", "emailaddress": "address",
          "type": "reason", "suppressionreason": "reason", "mailbox_id": "mailbox"}  # fmt: skip


def _columns(cells: dict[Any, Any]) -> dict[str, str]:
    found = {}
    for name, value in cells.items():
        key = str(name).strip().lower().replace(" ", "_")
        if isinstance(value, str):
            found[_NAMES.get(key, key)] = value.strip()
    return found


def _reason(word: str) -> Reason:
    """Ours, or the word that another sender's export has for it."""
    found = _REASONS.get(word.strip().lower().replace(" ", "_").replace("-", "_"))
    if found is None:
        raise invalid("reason", "must be one of " + ", ".join(get_args(Reason)))
    return found
