"""Contacts: the people an account knows by address."""

from __future__ import annotations

from typing import Any

from gatepost_api.aliases import PAGE, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import bare
from gatepost_api.moments import after, cursor_for, iso, millis
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.ids import new_id

TAGS_MOST, TAG_MOST = 50, 100


def contact_view(row: Row) -> dict[str, Any]:
    """One contact. Published clients read `created_at` as epoch milliseconds."""
    return {
        "id": row["id"], "name": row["name"], "email": row["email"], "tags": list(row["tags"]),
        "created_at": millis(row["created_at"]), "created_at_iso": iso(row["created_at"]),
    }  # fmt: skip


async def search_contacts(office: Office, call: Call) -> Reply:
    """By a part of the name or the address, newest first."""
    fields = call.fields
    limit = fields.number("limit", 100, 1, 100)
    offset = 0 if fields.all("cursor") else fields.number("offset", 0, 0, 1_000_000)
    rows = await office.store.fetch(
        "contacts", call.caller.tenant_id, fields.text("q", most=320), after(fields.text("cursor")), limit, offset
    )
    views = [contact_view(row) for row in rows]
    return Reply(named({"contacts": views, "cursor": cursor_for(rows, limit, rows[-1]["id"] if rows else None)}, PAGE))


async def add_contact(office: Office, call: Call) -> Reply:
    """Remember a person. An address that is known gets the new name and tags."""
    fields = call.fields
    email = bare("email", fields.must("email", most=320)).lower()
    name = " ".join((fields.text("name", most=200) or "").split())
    tags = fields.words("tags")
    if len(tags) > TAGS_MOST or any(len(tag) > TAG_MOST for tag in tags):
        raise invalid("tags", "too many or too long")
    row = await office.store.fetchrow(
        "add_contact", new_id("ctc"), call.caller.tenant_id, email, name or email.partition("@")[0], list(tags),
        "tags" in fields, bool(name),
    )  # fmt: skip
    if row is None:
        raise Refusal("unavailable")
    return Reply(contact_view(row))


async def delete_contact(office: Office, call: Call) -> Reply:
    """Forget one, by id or address."""
    wanted = call.fields.must("id")
    gone = await office.store.fetchval("drop_contact", call.caller.tenant_id, wanted, wanted.lower())
    if gone is None:
        raise Refusal("not_found", "There is no such contact.")
    return Reply({"id": gone, "status": "deleted", "deleted": True})
