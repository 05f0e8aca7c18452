"""One person's data: what is stored, erasing it with a certificate, and the legal holds that keep it."""

from __future__ import annotations

from typing import Any, Literal

from gatepost_api.errors import invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_contracts.commands import ErasePerson, LiftHold, PlaceHold

MOST = 10_000


async def get_person(office: Office, call: Call) -> Reply:
    """Their mails; `GET /v1/audit-log/export?customer=` is the rest of an access request."""
    address = bare("address", call.fields.must("address")).lower()
    rows = await office.store.fetch(
        "person", call.caller.tenant_id, address, list(call.caller.mailbox_ids) or None, MOST
    )  # fmt: skip
    mails = [
        {"id": r["id"], "mailbox_id": r["mailbox_id"], "thread_id": r["thread_id"], "direction": r["direction"],
         "state": r["state"], "created_at": iso(r["created_at"]), "kept_by_hold": r["held"], "can_be_erased": r["ended"] and not r["held"]}
        for r in rows
    ]  # fmt: skip
    return Reply({"address": address, "mails": mails, "count": len(mails)})


async def erase_person(office: Office, call: Call) -> Reply:
    """Erase; what waits or is on its way stays and is counted, and so is what a hold keeps."""
    address = bare("address", call.fields.must("address")).lower()
    reply = await office.demand(ErasePerson(**office.command_fields(call), address=address))
    said: dict[str, Any] = reply.extra
    return Reply({
        "id": said.get("erasure_id"), "address": address, "status": "erased", "erased": said.get("mails", 0),
        "kept_by_hold": said.get("kept_by_hold", 0), "not_ended": said.get("not_ended", 0),
        "certificate": said.get("certificate"),
    })  # fmt: skip


async def list_holds(office: Office, call: Call) -> Reply:
    """The holds in force."""
    rows = await office.store.fetch("legal_holds", call.caller.tenant_id)
    return Reply({"holds": [
        {"id": r["id"], "scope": r["scope"], "target": r["target"], "reason": r["reason"], "by": r["by"], "since": iso(r["since"])}
        for r in rows
    ]})  # fmt: skip


async def place_hold(office: Office, call: Call) -> Reply:
    """Of a person, a thread, a mailbox, or all of the account."""
    scope, target = call.fields.must("scope"), call.fields.text("target", most=320) or ""
    if scope not in {"tenant", "mailbox", "thread", "person"}:
        raise invalid("scope", "must be tenant, mailbox, thread or person")
    if scope != "tenant" and not target:
        raise invalid("target", "is missing")
    if scope == "person":
        target = bare("target", target).lower()
    word: Literal["tenant", "mailbox", "thread", "person"] = scope  # type: ignore[assignment]  # one of the four
    if scope == "mailbox":
        target = (await office.mailboxes(call, [target]))[0]["id"]
    reply = await office.demand(PlaceHold(
        **office.command_fields(call), scope=word, target=target, reason=call.fields.text("reason", most=1000) or "",
    ))  # fmt: skip
    return Reply({"id": reply.id, "scope": scope, "target": target, "status": "in_force"})


async def lift_hold(office: Office, call: Call) -> Reply:
    """End one."""
    hold_id = call.fields.must("id", most=40)
    await office.demand(LiftHold(**office.command_fields(call), hold_id=hold_id))
    return Reply({"id": hold_id, "status": "lifted", "lifted": True})
