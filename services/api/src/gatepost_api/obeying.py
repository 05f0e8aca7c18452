"""Running one command for one call, once for each idempotency key; every door that has a caller comes through here."""

from __future__ import annotations

from typing import Any

from gatepost_api.commands import CommandFunction
from gatepost_api.office import NOBODY, Call, Office, Reply
from gatepost_api.once import once

OWN_IDEMPOTENCY = frozenset({"send_email", "reply_email", "forward_email", "unsubscribe"})


async def obey(office: Office, call: Call, asked: dict[str, Any], command: CommandFunction) -> Reply:
    """The command's reply, or the first one again."""
    route = call.route
    if route.method == "POST" and call.caller is not NOBODY and route.command not in OWN_IDEMPOTENCY and route.mutates:
        return await once(office, call, asked, lambda: command(office, call))
    return await command(office, call)
