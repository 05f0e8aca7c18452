"""Who works on a draft: a lease, so that two reviewers do not write two answers to one customer.

It keeps others from deciding by accident and nobody from deciding at all: it ends by itself, and `force` passes it.
"""

from __future__ import annotations

from typing import Any

from gatepost_api.aliases import DECIDED, named
from gatepost_api.errors import Refusal
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row

LEASE_S, LEAST_S, MOST_S = 300, 10, 3600


async def claim_email(office: Office, call: Call) -> Reply:
    """Take a draft that waits, or keep it longer."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["state"] != "held":
        raise Refusal("already_decided", "It does not wait for a decision.", id=mail["id"], state=mail["state"])
    lease_s = call.fields.number("lease_s", LEASE_S, LEAST_S, MOST_S)
    caller = call.caller
    until = await office.store.fetchval("claim", caller.tenant_id, mail["id"], caller.principal_id, float(lease_s))
    if until is None:
        refuse_claimed(call, await office.mail(call, mail["id"]), is_forced=False)
        raise Refusal("in_flight", id=mail["id"], headers={"Retry-After": "1"})
    return Reply(_claim(mail, caller.principal_id, iso(until)))


async def release_claim(office: Office, call: Call) -> Reply:
    """Give it back; again is the same."""
    mail = await office.mail(call, call.fields.must("message_id"))
    await office.store.execute("drop_claim", call.caller.tenant_id, mail["id"], call.caller.principal_id)
    return Reply({**_claim(mail, None, None), "status": "released"})


def refuse_claimed(call: Call, mail: Row, *, is_forced: bool | None = None) -> None:
    """Refuse what another reviewer works on."""
    forced = bool(call.fields.flag("force")) if is_forced is None else is_forced
    if mail["claimed_by"] and mail["claimed_by"] != call.caller.principal_id and not forced:
        raise Refusal("claimed", id=mail["id"], claimed_by=mail["claimed_by"], claimed_until=iso(mail["claimed_until"]))


def _claim(mail: Row, by: str | None, until: str | None) -> dict[str, Any]:
    return named({"id": mail["id"], "claimed_by": by, "claimed_until": until}, DECIDED)
