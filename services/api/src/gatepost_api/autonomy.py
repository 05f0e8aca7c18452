"""How far a mailbox may go: asking for more, redeeming the code, categories, listed recipients.

Nothing is decided here: the gatekeeper writes rules, grants and modes, and looks at the caller's credential itself.
"""

from __future__ import annotations

from typing import Any

from gatepost_api.access import OPERATOR
from gatepost_api.boxes import mode_of
from gatepost_api.errors import Refusal, invalid
from gatepost_api.evidence import by_category, may_know, told
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import RedeemUpgrade, RequestUpgrade, SetGrant, SetRule
from gatepost_oversight.mode import Mode


async def request_upgrade(office: Office, call: Call) -> Reply:
    """An agent's wish: a code goes to the oversight address, and nothing changes."""
    box = await office.only_mailbox(call)
    return await _ask(office, call, box, mode_of(call.fields.text("target_mode", needed=True)), None)


async def _ask(office: Office, call: Call, box: Row, mode: Mode | None, pattern: str | None) -> Reply:
    reply = await office.demand(RequestUpgrade(
        **office.command_fields(call), mailbox_id=box["id"], mode=_word(mode), pattern=pattern
    ))  # fmt: skip
    bounce = {"last_bounce": reply.extra["last_bounce"]} if "last_bounce" in reply.extra else {}
    return Reply({
        "id": reply.id, "status": "upgrade_requested", "mailbox_id": box["id"], "target_mode": _word(mode), "pattern": pattern,
        "sent_to": reply.extra.get("sent_to"), "expires_at": reply.extra.get("expires_at"), "idempotent": reply.already,
        "message": "A code went to the account's oversight address. An operator redeems it.",
        "hint": reply.extra.get("hint") or "gatepost upgrade redeem, or POST .../upgrade with an operator's key.", **bounce,
    }, status=202)  # fmt: skip


async def _redeem(office: Office, call: Call, box: Row, code: str) -> Any:
    return await office.demand(RedeemUpgrade(
        **office.command_fields(call), mailbox_id=box["id"], code=code, covers_ask=call.fields.flag("covers_ask") or False
    ))  # fmt: skip


async def apply_upgrade(office: Office, call: Call) -> Reply:
    """An operator redeems the code."""
    box = await office.only_mailbox(call)
    reply = await _redeem(office, call, box, call.fields.must("code", most=40))
    return Reply({"status": "upgraded", "mailbox_id": box["id"], "oversight_mode": reply.extra.get("mode"),
                  "covers_ask": reply.extra.get("covers_ask"), "idempotent": reply.already})  # fmt: skip


async def manage_upgrade(office: Office, call: Call) -> Reply:
    """Both in one: `action` request or apply."""
    match call.fields.must("action"):
        case "request":
            return await request_upgrade(office, call)
        case "apply":
            call.caller.demand((OPERATOR,))
            return await apply_upgrade(office, call)
        case _:
            raise invalid("action", "must be request or apply")


# -- categories ----------------------------------------------------------------------------------------------------


async def list_categories(office: Office, call: Call) -> Reply:
    """The categories of a mailbox: rule, mode and what the reviews prove."""
    box = await office.only_mailbox(call)
    return Reply({"mailbox_id": box["id"], "categories": await _categories(office, call, box)})


async def get_category(office: Office, call: Call) -> Reply:
    """One of them."""
    box, name = await office.only_mailbox(call), call.fields.must("name", most=100)
    return Reply(await _category(office, call, box, name))


async def set_category(office: Office, call: Call) -> Reply:
    """Give a category its rule, its mode, or both. Only an operator writes rules and loosens."""
    box, fields = await office.only_mailbox(call), call.fields
    name = fields.must("name", most=100)
    if "conditions" not in fields and "oversight_mode" not in fields and "priority" not in fields:
        raise invalid("conditions", "or `oversight_mode` is missing")
    if "conditions" in fields or "priority" in fields:
        await _set_rule(office, call, box, name)
    if "oversight_mode" in fields:
        mode = mode_of(fields.text("oversight_mode"))
        await _set_grant(office, call, box, "category", name, mode)
    return Reply(await _category(office, call, box, name))


async def delete_category(office: Office, call: Call) -> Reply:
    """End a category's rule and its mode."""
    box, name = await office.only_mailbox(call), call.fields.must("name", most=100)
    rules = {row["name"] for row in await office.store.fetch("category_rules", box["id"])}
    grants = {row["name"] for row in await office.store.fetch("mode_grants", box["id"]) if row["kind"] == "category"}
    if name not in rules | grants:
        raise Refusal("not_found", "There is no such category.")
    if name in rules:
        await office.demand(SetRule(**office.command_fields(call), mailbox_id=box["id"], category=name))
    if name in grants:
        await _set_grant(office, call, box, "category", name, None)
    return Reply({"name": name, "mailbox_id": box["id"], "status": "deleted", "deleted": True})


async def _set_rule(office: Office, call: Call, box: Row, name: str) -> None:
    if not call.caller.is_operator:
        raise Refusal("operator_redeems", "Only an operator writes rules.")
    before = {row["name"]: row for row in await office.store.fetch("category_rules", box["id"])}.get(name)
    conditions: Any = call.fields.raw("conditions") if "conditions" in call.fields else before and before["conditions"]
    if conditions is not None and not isinstance(conditions, dict):
        raise invalid("conditions", "must be an object")
    priority = call.fields.number("priority", before["priority"] if before else 0, -1000, 1000)
    if before is not None and (conditions, priority) == (before["conditions"], before["priority"]):
        return
    await office.demand(SetRule(
        **office.command_fields(call), mailbox_id=box["id"], category=name, conditions=conditions, priority=priority
    ))  # fmt: skip


async def _category(office: Office, call: Call, box: Row, name: str) -> dict[str, Any]:
    found = next((view for view in await _categories(office, call, box) if view["name"] == name), None)
    if found is None:
        raise Refusal("not_found", "There is no such category.")
    return found


async def _categories(office: Office, call: Call, box: Row) -> list[dict[str, Any]]:
    rules = {row["name"]: row for row in await office.store.fetch("category_rules", box["id"])}
    grants = {
        row["name"]: row for row in await office.store.fetch("mode_grants", box["id"]) if row["kind"] == "category"
    }
    proven = {item["category"]: item for item in await by_category(office, box["id"])}
    names = [*rules, *(name for name in grants if name not in rules)]
    views = [_view(name, rules.get(name), grants.get(name), box, proven.get(name)) for name in names]
    if may_know(call):
        return views
    return [
        {**view, "conditions": None, "evidence": view["evidence"] and told(view["evidence"], is_told=False)}
        for view in views
    ]


def _view(name: str, rule: Row | None, grant: Row | None, box: Row, proven: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": name, "mailbox_id": box["id"], "conditions": dict(rule["conditions"]) if rule else None,
        "priority": rule["priority"] if rule else 0, "revision": rule["revision"] if rule else 0,
        "oversight_mode": grant["mode"] if grant else None, "covers_ask": bool(grant and grant["covers_ask"]),
        "ceiling": box["ceiling"], "effective": grant is not None and _is_effective(grant, box),
        "granted_by": grant["granted_by"] if grant else None, "granted_at": iso(grant["granted_at"]) if grant else None,
        "evidence": proven,
    }  # fmt: skip


# -- listed recipients ---------------------------------------------------------------------------------------------


async def list_allowlist(office: Office, call: Call) -> Reply:
    """Recipients to whom mail goes its own way."""
    box = await office.only_mailbox(call)
    entries = await _entries(office, box)
    return Reply({"mailbox_id": box["id"], "entries": entries, "allowlist": entries})


async def add_allowlist_entry(office: Office, call: Call) -> Reply:
    """An operator lets mail to these recipients go its own way: monitored, unless another mode is named.

    Anybody else asks: a code goes to the oversight address, which an operator redeems as any other.
    """
    box = await office.only_mailbox(call)
    pattern = call.fields.must("pattern", most=320).strip().lower()
    mode = mode_of(call.fields.text("oversight_mode")) or Mode.MONITORED
    if not call.caller.is_operator:
        return await _ask(office, call, box, mode, pattern)
    if call.fields.text("approval_code", most=40) is not None:
        await _redeem(office, call, box, call.fields.must("approval_code", most=40))
        return Reply(next(entry for entry in await _entries(office, box) if entry["pattern"] == pattern))
    await _set_grant(office, call, box, "allowlist", pattern, mode)
    return Reply(next(entry for entry in await _entries(office, box) if entry["pattern"] == pattern))


async def remove_allowlist_entry(office: Office, call: Call) -> Reply:
    """Anyone makes it stricter again."""
    box = await office.only_mailbox(call)
    word = call.fields.must("entry", most=320).strip()
    found = next(
        (e for e in await _entries(office, box) if word in {e["id"], e["pattern"]} or word.lower() == e["pattern"]),
        None,
    )
    if found is None:
        raise Refusal("not_found", "There is no such entry.")
    await _set_grant(office, call, box, "allowlist", found["pattern"], None)
    return Reply({"id": found["id"], "pattern": found["pattern"], "status": "deleted", "deleted": True})


async def _entries(office: Office, box: Row) -> list[dict[str, Any]]:
    rows = [row for row in await office.store.fetch("mode_grants", box["id"]) if row["kind"] == "allowlist"]
    return [
        {"id": row["id"], "pattern": row["name"], "entry": row["name"], "oversight_mode": row["mode"],
         "covers_ask": row["covers_ask"], "created_by": row["granted_by"], "created_at": iso(row["created_at"]),
         "effective": _is_effective(row, box)}
        for row in rows
    ]  # fmt: skip


def _is_effective(grant: Row, box: Row) -> bool:
    """False while the ceiling forbids the mode."""
    return Mode(grant["mode"]).level <= Mode(box["ceiling"]).level


async def _set_grant(office: Office, call: Call, box: Row, of: Any, name: str, mode: Mode | None) -> None:
    await office.demand(SetGrant(
        **office.command_fields(call), mailbox_id=box["id"], of=of, grant_name=name,
        mode=None if mode is None else _word(mode), covers_ask=mode is not None and bool(call.fields.flag("covers_ask")),
        why=call.fields.text("why") or call.fields.text("reason") or "",
    ))  # fmt: skip


def _word(mode: Mode | None) -> Any:
    if mode is None:
        raise invalid("target_mode", "is missing")
    return mode.value
