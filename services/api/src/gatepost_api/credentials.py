"""API keys and the suppression list: what an operator keeps in order."""

from __future__ import annotations

from typing import Any, Literal

from gatepost_api.aliases import KEY, PAGE, SUPPRESSION, named
from gatepost_api.caller import digest_of, new_key
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import after, cursor_for, iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import RemoveSuppression
from gatepost_contracts.ids import new_id
from gatepost_oversight.credential import SCOPES, scope_conflict
from gatepost_store import Stayed

SHOWN = 12  # characters of a key that are kept to recognise it by


def key_view(row: Row) -> dict[str, Any]:
    """A key without the key."""
    return {
        "id": row["id"], "name": row["name"], "prefix": row["prefix"], "scopes": list(row["scopes"]),
        "principal": row["principal_id"], "principal_name": row["principal_name"], "kind": row["kind"],
        "mailbox_ids": list(row["mailbox_ids"]), "created_at": iso(row["created_at"]), "last_used_at": iso(row["last_used_at"]),
        "is_active": row["revoked_at"] is None,
    }  # fmt: skip


async def list_api_keys(office: Office, call: Call) -> Reply:
    """All of the account."""
    views = [key_view(row) for row in await office.store.fetch("keys", call.caller.tenant_id)]
    return Reply({"api_keys": views, "keys": views})


async def create_api_key(office: Office, call: Call) -> Reply:
    """Make one, for a new principal or a known one of the right kind. It is shown once."""
    fields, tenant = call.fields, call.caller.tenant_id
    if not call.caller.is_operator:
        raise Refusal("operator_redeems")
    name = fields.must("name", most=200)
    scopes = fields.words("scopes") or ("read", "send")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise invalid("scopes", f"{unknown[0][:40]!r} is unknown", "Known: " + ", ".join(SCOPES))
    boxes = await office.mailboxes(call, fields.words("mailbox_ids"))
    known = None
    if wanted := fields.text("principal", most=200):
        known = await office.store.fetchrow("principal", tenant, wanted)
    kind = known["kind"] if known else fields.text("kind") or ("person" if "oversight" in scopes else "agent")
    if kind not in {"agent", "person", "service"}:
        raise invalid("kind", "must be agent, person or service")
    if why := scope_conflict(scopes, kind):
        raise Refusal("scope_conflict", why[0].upper() + why[1:] + ".")
    principal = known["id"] if known else new_id("prn")
    if not known:
        await office.store.execute("add_principal", principal, tenant, kind, wanted or name)
    key, key_id = new_key(office.settings.key_prefix), new_id("key")
    await office.store.execute(
        "add_key",
        key_id,
        tenant,
        principal,
        name,
        key[:SHOWN],
        digest_of(key),
        list(scopes),
        [box["id"] for box in boxes],
    )
    row = next(row for row in await office.store.fetch("keys", tenant) if row["id"] == key_id)
    return Reply(named({**key_view(row), "api_key": key}, KEY))


async def update_api_key(office: Office, call: Call) -> Reply:
    """Another name, or fewer scopes. A key never gains any: a new role is a new key."""
    if not call.caller.is_operator:
        raise Refusal("operator_redeems")
    tenant, key_id = call.caller.tenant_id, call.fields.must("id")
    row = next((row for row in await office.store.fetch("keys", tenant) if row["id"] == key_id), None)
    if row is None or row["revoked_at"] is not None:
        raise Refusal("not_found", "There is no such key.")
    scopes = call.fields.words("scopes") if "scopes" in call.fields else None
    if scopes is not None:
        if not scopes:
            raise invalid("scopes", "would be empty", "Revoke the key instead.")
        if more := [scope for scope in scopes if scope not in row["scopes"]]:
            raise Refusal(
                "scope_conflict", f"This key does not have the scope {more[0][:40]!r}.", hint="Make a new key."
            )
    name = call.fields.text("name", most=200)
    await office.store.execute("update_key", tenant, key_id, name or None, None if scopes is None else list(scopes))
    office.keys.forget()
    row = next(row for row in await office.store.fetch("keys", tenant) if row["id"] == key_id)
    return Reply({**key_view(row), "status": "updated"})


async def revoke_api_key(office: Office, call: Call) -> Reply:
    """Revoke one at once."""
    if not call.caller.is_operator:
        raise Refusal("operator_redeems")
    key_id = call.fields.must("id")
    if key_id == call.caller.key_id:
        raise Refusal("invalid_request", "A key does not revoke itself.", hint="Use another operator's key.")
    if await office.store.fetchval("revoke_key", call.caller.tenant_id, key_id) is None:
        raise Refusal("not_found", "There is no such key.")
    office.keys.forget()
    return Reply({"id": key_id, "status": "revoked", "revoked": True, "deleted": True})


# -- suppression ---------------------------------------------------------------------------------------------------


def suppression_view(row: Row) -> dict[str, Any]:
    """One address nobody writes to."""
    view = {"id": row["id"], "email_address": row["address"], "reason": row["reason"], "mailbox_id": row["mailbox_id"],
            "message_id": row["message_id"], "created_at": iso(row["created_at"])}  # fmt: skip
    return named(view, SUPPRESSION)


async def list_suppression(office: Office, call: Call) -> Reply:
    """Newest first."""
    limit = call.fields.number("limit", 50, 1, 100)
    offset = 0 if call.fields.all("cursor") else call.fields.number("offset", 0, 0, 1_000_000)
    rows = await office.store.fetch(
        "suppressions", call.caller.tenant_id, after(call.fields.text("cursor")), limit, offset
    )
    views = [suppression_view(row) for row in rows]
    return Reply(
        named({"suppressions": views, "cursor": cursor_for(rows, limit, rows[-1]["id"] if rows else None)}, PAGE)
    )


async def add_suppression(office: Office, call: Call) -> Reply:
    """Anyone may suppress; an operator alone clears."""
    address = bare("address", call.fields.must("address", most=320)).lower()
    box = await office.mailbox(call)
    await suppress(office, call, box["id"] if box else None, address, "manual", ())
    rows = await office.store.fetch("suppressions_of", call.caller.tenant_id, address)
    return Reply(
        suppression_view(rows[-1]) if rows else {"email_address": address, "address": address, "email": address}
    )


async def suppress(
    office: Office, call: Call, mailbox_id: str | None, address: str,
    reason: Literal["manual", "unsubscribed"], emits: tuple[str, ...],
) -> str:  # fmt: skip
    """One W6 step; of a mailbox, or of the whole account."""
    suppression_id = new_id("sup")
    data: dict[str, Any] = (
        {"suppression_id": suppression_id, "how": "link"} if emits else {"suppression_id": suppression_id}
    )
    payload = {
        "mailbox_id": mailbox_id or "mbx_system", "suppression_id": suppression_id, "address": address, "reason": reason,
        "scope": "mailbox" if mailbox_id else "tenant", "emits": list(emits),
    }  # fmt: skip
    if call.caller.tenant_id:
        payload["tenant_id"] = call.caller.tenant_id
    made = await office.store.insert("W6", payload, by=office.actor(call), data=data)
    if isinstance(made, Stayed):
        raise Refusal("unavailable")
    return suppression_id


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
