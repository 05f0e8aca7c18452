"""Mail that is kept aside: spam, malformed, looping, or held back by gated_all. A person lets it in or throws it away."""

from __future__ import annotations

from typing import Any, Literal

from gatepost_api.errors import Refusal
from gatepost_api.office import Call, Office, Reply, refusal_of
from gatepost_api.reading import list_mails
from gatepost_api.status import Filter, status_of
from gatepost_contracts.commands import Decide

ASIDE = Filter(("quarantined",), aside=True)


async def list_quarantine(office: Office, call: Call) -> Reply:
    """Newest first; `reasons` says why each is kept aside."""
    return await list_mails(office, call, ASIDE)


async def release_quarantined(office: Office, call: Call) -> Reply:
    """Subscribers hear `email.received` now, and only now."""
    return await _decide(office, call, "approve")


async def discard_quarantined(office: Office, call: Call) -> Reply:
    """Its bytes stay stored; agents never see it."""
    return await _decide(office, call, "reject")


async def _decide(office: Office, call: Call, action: Literal["approve", "reject"]) -> Reply:
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["direction"] != "inbound" or mail["state"] not in {"quarantined", "received", "discarded"}:
        raise Refusal("not_found", "No mail that is kept aside has this id.")
    reply = await office.ask(
        Decide(
            **office.command_fields(call), message_id=mail["id"], action=action, seen_sha256=None, seen_head=None,
            seen_given=False, edit_revision=None, note=call.fields.text("note", most=10_000), final=True, reason_code=None,
        )
    )  # fmt: skip
    if not reply.ok:
        raise refusal_of(reply)
    mail = await office.mail(call, mail["id"])
    body: dict[str, Any] = {
        "id": mail["id"], "email_id": mail["id"], "message_id": mail["id"], "state": mail["state"],
        "status": status_of(mail, office.eyes(call).now), "reasons": list(mail["quarantined_for"]),
        "decided_by": reply.decided_by or call.caller.principal_id, "idempotent": reply.already,
    }  # fmt: skip
    return Reply(body)
