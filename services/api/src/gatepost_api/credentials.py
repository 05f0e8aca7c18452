"""API keys: what an operator keeps in order."""

from __future__ import annotations

from typing import Any

from gatepost_api.aliases import KEY, named
from gatepost_api.caller import digest_of, new_key
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.ids import new_id
from gatepost_oversight.credential import SCOPES, scope_conflict

SHOWN = 12  # characters of a key that are kept to recognise it by


def key_view(row: Row) -> dict[str, Any]:
    """A key without the key."""
    return {
        "id": row["id"], "name": row["name"], "prefix": row["prefix"], "scopes": list(row["scopes"]),
        "principal": row["principal_id"], "principal_name": row["principal_name"], "kind": row["kind"],
        "mailbox_ids": list(row["mailbox_ids"]), "created_at": iso(row["created_at"]), "last_used_at": iso(row["last_used_at"]),
        "is_active": row["revoked_at"] is None, "test": row["test"],
    }  # fmt: skip


async def list_api_keys(office: Office, call: Call) -> Reply:
    """All of the account."""
    views = [key_view(row) for row in await office.store.fetch("keys", call.caller.tenant_id)]
    return Reply({"api_keys": views, "keys": views})


async def create_api_key(office: Office, call: Call) -> Reply:
    """Make one, for a new principal or a known one of the right kind. It is shown once."""
    fields, tenant = call.fields, call.caller.tenant_id
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
    if kind == "person" and {"admin", "oversight"} & set(scopes) and not call.caller.is_operator:
        raise Refusal("operator_redeems", "Only an operator makes the keys of operators and reviewers.")
    if why := scope_conflict(scopes, kind):
        raise Refusal("scope_conflict", why[0].upper() + why[1:] + ".")
    principal = known["id"] if known else new_id("prn")
    if not known:
        await office.store.execute("add_principal", principal, tenant, kind, wanted or name)
    is_test = fields.flag("test") or False
    prefix = office.settings.key_prefix
    key, key_id = new_key(prefix.replace("_live_", "_test_") if is_test else prefix), new_id("key")
    await office.store.execute(
        "add_key", key_id, tenant, principal, name, key[:SHOWN], digest_of(key), list(scopes), [box["id"] for box in boxes],
        is_test,
    )  # fmt: skip
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
    key_id = call.fields.must("id")
    if key_id == call.caller.key_id:
        raise Refusal("invalid_request", "A key does not revoke itself.", hint="Use another operator's key.")
    if await office.store.fetchval("revoke_key", call.caller.tenant_id, key_id) is None:
        raise Refusal("not_found", "There is no such key.")
    office.keys.forget()
    return Reply({"id": key_id, "status": "revoked", "revoked": True, "deleted": True})
