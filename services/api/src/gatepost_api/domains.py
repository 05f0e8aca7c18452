"""Domains: the records to publish, what the DNS says of them, and the change of their keys. The sender holds the keys."""

from __future__ import annotations

from typing import Any, Literal

from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.commands import DomainKey
from gatepost_contracts.ids import new_id
from gatepost_mail.address import DOMAIN

_STEPS: dict[str, Literal["next", "switch", "retire"]] = {"next": "next", "switch": "switch", "retire": "retire"}


def domain_view(row: Row, keys: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """One domain with what to publish; what was never looked at is not verified."""
    checks = list(row["checks"] or [])

    def is_ok(purpose: str) -> bool:
        found = [check for check in checks if check["purpose"] == purpose]
        return bool(found) and all(check["status"] == "ok" for check in found)

    return {
        "id": row["id"], "domain": row["domain"], "status": row["status"], "dkim_verified": is_ok("dkim"),
        "spf_verified": is_ok("spf"), "mx_verified": is_ok("mx"), "return_path_verified": is_ok("return_path"),
        "dmarc_verified": is_ok("dmarc"), "dns_records": checks, "keys": keys or [], "created_at": iso(row["created_at"]),
        "verified_at": iso(row["verified_at"]), "checked_at": iso(row["checked_at"]),
        "problems": [f"{c['name']} ({c['type']}): {c['words']}" for c in checks if c["status"] == "wrong"
                     or (c["status"] == "missing" and c["required"])],
    }  # fmt: skip


async def list_domains(office: Office, call: Call) -> Reply:
    """All of the account."""
    rows = await office.store.fetch("domains", call.caller.tenant_id)
    return Reply({"domains": [domain_view(row) for row in rows]})


async def get_domain(office: Office, call: Call) -> Reply:
    """One of them, with its keys."""
    row = await _one(office, call)
    return Reply(domain_view(row, await _keys(office, call, row["domain"])))


async def _one(office: Office, call: Call) -> Row:
    """By id or by name."""
    wanted = call.fields.must("id", most=260).strip().rstrip(".").lower()
    rows = await office.store.fetch("domains", call.caller.tenant_id)
    found = next((row for row in rows if wanted in {row["id"].lower(), row["domain"]}), None)
    if found is None:
        raise Refusal("not_found", "There is no such domain.")
    return found


async def _keys(office: Office, call: Call, domain: str) -> list[dict[str, Any]]:
    reply = await office.demand(DomainKey(**office.command_fields(call), domain=domain))
    records: list[dict[str, Any]] = reply.extra.get("records", [])
    return records


async def add_domain(office: Office, call: Call) -> Reply:
    """Add one. Its keys are made at once, and the DNS is looked at, so that the reply says what is left to do."""
    name = call.fields.must("domain", most=253).strip().rstrip(".").lower()
    if not DOMAIN.match(name) or "." not in name:
        raise invalid("domain", "is no domain name", "Give it like example.org.")
    made = await office.store.fetchval("add_domain", new_id("dom"), call.caller.tenant_id, name)
    if made is None:
        raise Refusal("address_taken", "This domain belongs to another account.", suggestions=[])
    row = next(row for row in await office.store.fetch("domains", call.caller.tenant_id) if row["id"] == made)
    return Reply(await _looked(office, call, row))


async def verify_domain(office: Office, call: Call) -> Reply:
    """Look now. What was right before and cannot be asked today stays as it was."""
    return Reply(await _looked(office, call, await _one(office, call)))


async def _looked(office: Office, call: Call, row: Row) -> dict[str, Any]:
    command = DomainKey(**office.command_fields(call), domain=row["domain"], action="verify")
    reply = await office.demand(command)
    before = {(check["purpose"], check["name"]): check for check in row["checks"] or []}
    checks = [
        before.get((check["purpose"], check["name"]), check) if check["status"] == "unknown" else check
        for check in reply.extra["checks"]
    ]
    needed = [check for check in checks if check["purpose"] in {"dkim", "spf"}]
    is_active = bool(needed) and all(check["status"] == "ok" for check in needed)
    await office.store.execute(
        "domain_checked", call.caller.tenant_id, row["id"], checks, "active" if is_active else "pending"
    )
    fresh = next(r for r in await office.store.fetch("domains", call.caller.tenant_id) if r["id"] == row["id"])
    return domain_view(fresh, reply.extra.get("records", []))


async def rotate_domain_key(office: Office, call: Call) -> Reply:
    """`next` makes keys to publish, `switch` signs with them once the DNS has them, `retire` says which records may go."""
    row = await _one(office, call)
    step = _STEPS.get((call.fields.text("step") or call.fields.text("action") or "").strip().lower())
    if step is None:
        raise invalid("step", "must be next, switch or retire")
    reply = await office.demand(DomainKey(**office.command_fields(call), domain=row["domain"], action=step))
    return Reply(
        {"id": row["id"], "domain": row["domain"], "step": step, "keys": reply.extra.get("records", []),
         "switched": bool(reply.extra.get("switched")), "retired": reply.extra.get("retired", [])}
    )  # fmt: skip


async def delete_domain(office: Office, call: Call) -> Reply:
    """Take it off the account. A domain with mailboxes stays."""
    row = await _one(office, call)
    boxes = await office.store.fetch("mailboxes_all", call.caller.tenant_id, None)
    if any(box["address"].endswith(f"@{row['domain']}") for box in boxes):
        raise Refusal("ambiguous", "Mailboxes still use this domain.", hint="Delete or move them first.", id=row["id"])
    await office.store.execute("delete_domain", call.caller.tenant_id, row["id"])
    return Reply({"id": row["id"], "domain": row["domain"], "status": "deleted", "deleted": True})
