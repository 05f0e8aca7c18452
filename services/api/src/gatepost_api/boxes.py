"""Mailboxes and the account."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gatepost_api import hooks
from gatepost_api.aliases import MAILBOX, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import iso, millis
from gatepost_api.office import Call, Office, Reply, as_id
from gatepost_api.pace import FIELDS, pace_view, update_pace
from gatepost_api.status import Row
from gatepost_contracts.commands import SetMode, SetTwoPerson
from gatepost_contracts.email import Mode as ModeWord
from gatepost_contracts.ids import new_id
from gatepost_oversight.mode import Mode

_LOCAL = re.compile(r"^[a-z0-9](?:[a-z0-9._+-]{0,62}[a-z0-9])?$")
_TIMINGS = ("gate_first", "schedule_first")
_MODE: TypeAdapter[ModeWord] = TypeAdapter(ModeWord)
_URLS = (("webhook_url", "mailbox"), ("oversight_webhook_url", "mailbox_oversight"))


def mailbox_view(row: Row) -> dict[str, Any]:
    """MailboxView."""
    view = {
        "id": row["id"], "tenant_id": row["tenant_id"], "address": row["address"], "display_name": row["display_name"],
        "oversight_mode": row["mode"], "ceiling": row["ceiling"], "auto_cc": row["auto_cc"], "auto_bcc": row["auto_bcc"],
        "forward_inbound": int(row["forward_inbound"]), "webhook_url": row["webhook_url"],
        "oversight_webhook_url": row["oversight_webhook_url"], "signature_block": row["signature_block"] or None,
        "ai_disclosure": row["ai_disclosure"], "default_gate_timing": row["default_gate_timing"],
        "scheduling_enabled": int(row["scheduling_enabled"]), "mcp_configured": row["mcp_configured"],
        "covers_ask": row["covers_ask"], "two_person": row["two_person"], "undo_window_s": row["undo_window_s"],
        "expires_after_s": row["expires_after_s"], "rounds_max": row["rounds_max"],
        "drafting": row["drafting"], "paused": row["paused"], "created_at": millis(row["created_at"]),
        "created_at_iso": iso(row["created_at"]), "is_active": 1, **pace_view(row),
    }  # fmt: skip
    return named(view, MAILBOX)


async def list_mailboxes(office: Office, call: Call) -> Reply:
    """All that this key may see."""
    rows = await office.store.fetch("mailboxes_all", call.caller.tenant_id, call.caller.bound)
    return Reply({"mailboxes": [mailbox_view(row) for row in rows]})


async def get_mailbox(office: Office, call: Call) -> Reply:
    """One of them."""
    return Reply(await _shown(office, call, (await office.only_mailbox(call))["id"]))


async def _shown(office: Office, call: Call, mailbox_id: str) -> dict[str, Any]:
    rows = await office.store.fetch("mailboxes_all", call.caller.tenant_id, [mailbox_id])
    if not rows:
        raise Refusal("not_found", "There is no such mailbox.")
    return mailbox_view(rows[0])


async def create_mailbox(office: Office, call: Call) -> Reply:
    """Make one. It starts at gated_send, or stricter where asked; looser is an operator's separate act."""
    fields = call.fields
    address = await _address(office, call, fields.must("address", most=320).strip().lower())
    asked = mode_of(fields.text("oversight_mode"))
    mode = asked if asked is not None and asked.level <= Mode.GATED_SEND.level else Mode.GATED_SEND
    display_name = (fields.text("display_name", most=200) or "").replace("\r", " ").replace("\n", " ")
    urls = {name: fields.text(name, most=2000) for name, _ in _URLS}
    for url in urls.values():
        if url:
            await hooks.check_url(office, url)
    made = await office.store.fetchval(
        "add_mailbox", new_id("mbx"), call.caller.tenant_id, address, display_name, mode.value,
        fields.flag("drafting") or False, fields.text("system_prompt", most=20_000) or "",
    )  # fmt: skip
    if made is None:
        local, _, domain = address.partition("@")
        raise Refusal("address_taken", suggestions=[f"{local}{n}@{domain}" for n in (2, 3, 4)])
    for name, source in _URLS:
        if url := urls[name]:
            await hooks.set_mailbox_url(office, call, made, source, url)
    view = await _shown(office, call, made)
    if asked is not None and asked is not mode:
        view["hint"] = "Every mailbox starts gated; an operator raises the mode with PATCH."
    return Reply(view)


async def _address(office: Office, call: Call, word: str) -> str:
    """A full address, or a local part at the account's only domain."""
    local, mark, domain = word.rpartition("@")
    if mark:
        known = await _domains(office, call)
        if not office.is_dev and domain not in known:
            raise invalid("address", "its domain is not configured", "Configure the domain first.")
        bare("address", word)
    else:
        domains = await _domains(office, call)
        if not domains:
            raise invalid("address", "give a full address")
        local, domain = word, domains[0]
    if not _LOCAL.match(local) or local in {"postmaster", "abuse", "mailer-daemon"}:
        raise invalid("address", "its local part may hold letters, digits, dot, dash, plus and underscore")
    return f"{local}@{domain}"


async def _domains(office: Office, call: Call) -> list[str]:
    rows = await office.store.fetch("mailboxes_all", call.caller.tenant_id, None)
    added = await office.store.fetch("domains", call.caller.tenant_id)
    return list(dict.fromkeys([*(r["address"].rpartition("@")[2] for r in rows), *(r["domain"] for r in added)]))


async def update_mailbox(office: Office, call: Call) -> Reply:
    """Change settings. The mode goes through the gatekeeper: downwards anyone may, upwards an operator."""
    row = await office.only_mailbox(call)
    fields = call.fields
    mode = mode_of(fields.text("oversight_mode"))
    ceiling, covers = mode_of(fields.text("ceiling")), fields.flag("covers_ask")
    others = [name for name in _SETTINGS if name in fields]
    if others or any(name in fields for name in FIELDS):
        call.caller.demand(("admin",))
    if any(name in fields for name in _OPERATORS) and not call.caller.is_operator:
        raise Refusal("operator_redeems")
    timing = fields.text("default_gate_timing")
    if timing is not None and timing not in _TIMINGS:
        raise invalid("default_gate_timing", "must be gate_first or schedule_first")
    signature = fields.text("signature_block", most=200)
    if signature is None and "signature_block" in fields:
        signature = ""
    copies = {name: _one_address(call, name) for name in ("auto_cc", "auto_bcc")}
    for name, _ in _URLS:
        if url := fields.text(name, most=2000):
            await hooks.check_url(office, url)
    if mode is not None or ceiling is not None or covers is not None:
        await _set_mode(office, call, row, mode or Mode(row["mode"]), ceiling, covers)
    if (both := fields.flag("two_person")) is not None and both != row["two_person"]:
        if not call.caller.is_operator:
            raise Refusal("operator_redeems", "Only an operator sets how many people approve.")
        await office.demand(SetTwoPerson(**office.command_fields(call), mailbox_id=row["id"], on=both))
    if others:
        await office.store.execute(
            "update_mailbox", call.caller.tenant_id, row["id"], fields.text("display_name", most=200), signature,
            "auto_cc" in fields, copies["auto_cc"], "auto_bcc" in fields, copies["auto_bcc"], fields.flag("forward_inbound"),
            fields.flag("ai_disclosure"), timing, fields.flag("scheduling_enabled"), fields.flag("mcp_configured"),
            fields.flag("drafting"), *(_number(call, name, *range_) for name, range_ in _LIMITS.items()),
        )  # fmt: skip
    await update_pace(office, call, row)
    for name, source in _URLS:
        if name in fields:
            await hooks.set_mailbox_url(office, call, row["id"], source, fields.text(name, most=2000))
    return Reply({**await _shown(office, call, row["id"]), "status": "updated"})


_SETTINGS = (
    "display_name", "auto_cc", "auto_bcc", "forward_inbound", "signature_block", "webhook_url", "oversight_webhook_url",
    "ai_disclosure", "default_gate_timing", "scheduling_enabled", "mcp_configured", "drafting",
    "undo_window_s", "expires_after_s", "rounds_max",
)  # fmt: skip
_OPERATORS = ("webhook_url", "oversight_webhook_url", "ai_disclosure", "undo_window_s", "expires_after_s", "rounds_max")
_LIMITS = {"undo_window_s": (0, 86_400), "expires_after_s": (60, 7_776_000), "rounds_max": (0, 20)}


async def _set_mode(
    office: Office, call: Call, row: Row, mode: Mode, ceiling: Mode | None, covers: bool | None
) -> None:  # fmt: skip
    looser = mode.level > Mode(row["mode"]).level or (
        ceiling is not None and ceiling.level > Mode(row["ceiling"]).level
    )
    # a mode that is raised covers an ask only where that was said; one that is not, what it covered before
    covers_ask = covers if covers is not None else row["covers_ask"] and not looser
    looser = looser or (covers_ask and not row["covers_ask"])
    if looser and not call.caller.is_operator:
        raise Refusal("operator_redeems", "Only an operator raises a mode.")
    same = mode.value == row["mode"] and (ceiling is None or ceiling.value == row["ceiling"])
    if same and covers_ask == row["covers_ask"]:
        return
    await office.demand(
        SetMode(
            **office.command_fields(call), mailbox_id=row["id"], mode=_MODE.validate_python(mode.value),
            ceiling=None if ceiling is None else _MODE.validate_python(ceiling.value),
            covers_ask=covers_ask, why=call.fields.text("why") or call.fields.text("reason") or "",
        )
    )  # fmt: skip


def mode_of(word: str | None) -> Mode | None:
    """A mode by its name; an unknown one is refused."""
    if word is None:
        return None
    try:
        return Mode(_MODE.validate_python(word.strip().lower()))
    except ValidationError:
        raise invalid("oversight_mode", "must be one of " + ", ".join(mode.value for mode in Mode)) from None


def _number(call: Call, name: str, least: int, most: int) -> int | None:
    """A limit that an operator sets; out of its range it is refused, not clamped."""
    if name not in call.fields:
        return None
    value = call.fields.number(name, least, -(2**31), 2**31 - 1)
    if not least <= value <= most:
        raise invalid(name, f"must be between {least} and {most}")
    return value


def _one_address(call: Call, name: str) -> str | None:
    found = call.fields.addresses(name, most=1)
    return found[0] if found else None


async def delete_mailbox(office: Office, call: Call) -> Reply:
    """End one. Its mail stays, its address is never given again, and an operator may take the end back."""
    row = await office.mailbox(call)
    if row is None:
        raise invalid("mailbox", "is missing", "Name the mailbox by id or address.")
    await office.store.execute("end_mailbox", call.caller.tenant_id, row["id"])
    return Reply({"id": row["id"], "address": row["address"], "status": "deleted", "deleted": True})


async def restore_mailbox(office: Office, call: Call) -> Reply:
    """Take the end back; what it was it is again."""
    wanted = call.fields.must("mailbox", most=320)
    found = await office.store.fetchval(
        "restore_mailbox", call.caller.tenant_id, wanted.lower() if "@" in wanted else as_id(wanted)
    )
    if found is None or not call.caller.sees(found):
        raise Refusal("not_found", "There is no such mailbox.")
    return Reply({**await _shown(office, call, found), "status": "restored"})


async def get_account(office: Office, call: Call) -> Reply:
    """AccountView."""
    tenant = await office.store.fetchrow("tenant", call.caller.tenant_id)
    if tenant is None:
        raise Refusal("not_found")
    boxes = await office.store.fetch("mailboxes_all", call.caller.tenant_id, None)
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sent = await office.store.fetchval("month_counts", call.caller.tenant_id, id_at("msg", month))
    return Reply(
        {
            "id": tenant["id"], "name": tenant["name"], "slug": tenant["slug"], "plan": "self-hosted",
            "oversight_email": tenant["oversight_email"], "pending_mail": tenant["pending_mail"],
            "physical_address": tenant["physical_address"],
            "monthly_email_quota": 0, "emails_sent_this_month": sent, "max_mailboxes": 0, "mailboxes": len(boxes),
            "storage_used_bytes": 0, "max_storage_bytes": 0, "is_active": True, "sending_disabled": False,
            "sending_disabled_reason": None, "enforcement_tier": "none", "created_at_iso": iso(tenant["created_at"]),
            "account": {"id": tenant["id"], "name": tenant["name"]},
        }
    )  # fmt: skip


def id_at(prefix: str, moment: datetime) -> str:
    """The least id that anything made at this moment can have."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = int(moment.timestamp() * 1000) << 80
    return f"{prefix}_" + "".join(alphabet[value >> shift & 31] for shift in range(125, -1, -5))
