"""Stops: anyone pulls one, only an operator releases it, and the gatekeeper does both."""

from __future__ import annotations

from typing import Any

from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import Pause, Resume


async def create_pause(office: Office, call: Call) -> Reply:
    """Stop every new attempt of a tenant, a mailbox, an agent or a category."""
    scope = call.fields.text("scope") or "mailbox"
    reason = call.fields.text("reason") or ""
    match scope:
        case "tenant":
            target = call.caller.tenant_id
        case "mailbox":
            named_by = call.fields.text("target")
            row = (await office.mailboxes(call, [named_by]))[0] if named_by else await office.only_mailbox(call)
            target = row["id"]
        case "agent":
            found = await office.store.fetchrow("principal", call.caller.tenant_id, call.fields.must("target"))
            if found is None:
                raise Refusal("not_found", "There is no such principal.")
            target = found["id"]
        case "category":
            target = call.fields.must("target", most=100)
        case _:
            raise invalid("scope", "must be tenant, mailbox, agent or category")
    reply = await office.demand(Pause(**office.command_fields(call), scope=scope, target=target, reason=reason))
    made: Row | None = await office.store.fetchrow("pause", call.caller.tenant_id, reply.id) if reply.id else None
    if made is not None:
        return Reply(_pause(made))
    return Reply(
        {
            "id": reply.id,
            "scope": scope,
            "target": target,
            "reason": reason,
            "by": call.caller.principal_id,
            "since": None,
        }
    )


async def list_pauses(office: Office, call: Call) -> Reply:
    """The pauses in force."""
    rows = await office.store.fetch("pauses", call.caller.tenant_id)
    return Reply({"pauses": [_pause(row) for row in rows]})


async def delete_pause(office: Office, call: Call) -> Reply:
    """Lift one; an operator's act."""
    pause_id = call.fields.must("id")
    row = await office.store.fetchrow("pause", call.caller.tenant_id, pause_id)
    if row is None:
        raise Refusal("not_found", "There is no such pause.")
    if row["lifted_at"] is None:
        await office.demand(Resume(**office.command_fields(call), pause_id=pause_id))
    return Reply({"id": pause_id, "status": "deleted", "deleted": True})


def _pause(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "scope": row["scope"], "target": row["target"], "reason": row["reason"], "by": row["by"],
            "since": iso(row["since"])}  # fmt: skip
