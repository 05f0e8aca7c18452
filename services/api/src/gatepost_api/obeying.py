"""Running one command for one call, once for each idempotency key; every door that has a caller comes through here."""

from __future__ import annotations

from typing import Any

from gatepost_api.approvals import ask_code, needs_code, redeem_code
from gatepost_api.commands import CommandFunction
from gatepost_api.office import NOBODY, Call, Office, Reply
from gatepost_api.once import once

OWN_IDEMPOTENCY = frozenset({"send_email", "reply_email", "forward_email", "unsubscribe"})


async def obey(office: Office, call: Call, asked: dict[str, Any], command: CommandFunction) -> Reply:
    """The command's reply, or the first one again."""
    route = call.route
    if needs_code(call):
        asking = await ask_code(office, call)
        if asking is not None:
            return asking
        command = _after_code(command)
    if route.method == "POST" and call.caller is not NOBODY and route.command not in OWN_IDEMPOTENCY and route.mutates:
        return await once(office, call, asked, lambda: command(office, call))
    return await command(office, call)


def _after_code(command: CommandFunction) -> CommandFunction:
    """The command, once the code was redeemed; with an idempotency key both are done once."""

    async def both(office: Office, call: Call) -> Reply:
        await redeem_code(office, call)
        return await command(office, call)

    return both
