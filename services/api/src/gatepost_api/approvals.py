"""Administrative acts by any key but the operator's first: a code that a person was mailed comes with the second call.

The table says which acts, or which fields of one, need it. The code is asked for and redeemed at the gatekeeper; it is good
for the act with exactly the parameters of the first call.
"""

from __future__ import annotations

from typing import Any

import orjson

from gatepost_api.office import Call, Office, Reply
from gatepost_api.once import digest
from gatepost_contracts.commands import RedeemApproval, RequestApproval

_NEVER_MAILED = frozenset({"secret"})


def needs_code(call: Call) -> bool:
    """Does this key need a code for this?"""
    if (
        not call.route.code
        or not call.caller.may(("admin",))
        or (call.caller.is_first and "send" not in call.caller.scopes)
    ):
        return False
    return "*" in call.route.code or any(name in call.fields for name in call.route.code)


async def ask_code(office: Office, call: Call) -> Reply | None:
    """The first call: a code goes to the oversight address. None when the code is there."""
    if call.fields.text("approval_code", most=40):
        return None
    action, given = call.route.command, _parameters(call)
    said = "\n".join(f"{name}: {value}" for name, value in _spelled(given))
    reply = await office.demand(RequestApproval(
        **office.command_fields(call), action=action, request_sha256=digest(given), said=said[:2000]
    ))  # fmt: skip
    return Reply({
        "id": reply.id, "status": "pending_approval", "action": action, "sent_to": reply.extra.get("sent_to"),
        "expires_at": reply.extra.get("expires_at"),
        "message": "A code went to the account's oversight address. Nothing has been done yet.",
        "hint": "Repeat the same call with `approval_code`, or use the operator's first key, which needs none.",
    }, status=202)  # fmt: skip


async def redeem_code(office: Office, call: Call) -> None:
    """The second call: refused unless the code is that of this act."""
    await office.demand(RedeemApproval(
        **office.command_fields(call), action=call.route.command, request_sha256=digest(_parameters(call)),
        code=call.fields.must("approval_code", most=40),
    ))  # fmt: skip


def _parameters(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.fields.said().items() if name != "approval_code"}


def _spelled(given: dict[str, Any]) -> list[tuple[str, str]]:
    """As the person reads them; a secret is named and not shown."""
    return [
        (name, "(not shown)" if name in _NEVER_MAILED else value if isinstance(value, str) else orjson.dumps(value, default=str).decode())
        for name, value in sorted(given.items())
    ]  # fmt: skip
