"""How a mailbox's mail leaves: its send window, hourly rate, warm-up, the physical address in its footer, quoting."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from gatepost_api.errors import invalid
from gatepost_api.office import Call, Office
from gatepost_api.status import Row
from gatepost_mail.window import BadWindow, SendWindow

FIELDS = ("physical_address", "send_window", "rate_per_hour", "warmup", "warmup_from", "quote_original")


def pace_view(row: Row) -> dict[str, Any]:
    """Beside the other settings of a mailbox. `physical_address` null: the account's; empty: none."""
    return {
        "physical_address": row["physical_address"], "send_window": row["send_window"],
        "rate_per_hour": row["rate_per_hour"],
        "warmup_from": row["warmup_from"].isoformat() if row["warmup_from"] else None,
        "quote_original": row["quote_original"],
    }  # fmt: skip


async def update_pace(office: Office, call: Call, row: Row) -> None:
    """What was given, checked; null takes a limit away."""
    fields = call.fields
    if not any(name in fields for name in FIELDS):
        return
    window = fields.text("send_window", most=100) or None
    if window is not None:
        try:
            SendWindow.parse(window)
        except BadWindow as wrong:
            raise invalid("send_window", str(wrong)) from None
    rate = fields.number("rate_per_hour", 0, 1, 1_000_000) if fields.all("rate_per_hour") else None
    address = fields.text("physical_address", most=500)
    if address is None and any(value == "" for value in (fields.given("physical_address"))):
        address = ""
    await office.store.execute(
        "update_pace", call.caller.tenant_id, row["id"], "physical_address" in fields, address, "send_window" in fields,
        window, "rate_per_hour" in fields, rate, "warmup" in fields or "warmup_from" in fields, _warmup(call),
        fields.flag("quote_original"),
    )  # fmt: skip


def _warmup(call: Call) -> date | None:
    """`warmup: true` begins today; a date begins, or began, then."""
    wanted = call.fields.text("warmup_from", most=10)
    if wanted:
        try:
            return date.fromisoformat(wanted)
        except ValueError:
            raise invalid("warmup_from", "must be a date like 2026-01-31") from None
    return datetime.now(UTC).date() if call.fields.flag("warmup") else None
