"""The way up: an agent asks, a code goes to the oversight address, an operator redeems it.

The code is not stored: it follows from the request's id under a key of ours, so that a crash between the request and the
mail loses nothing, and the database holds only its hash. It lives a day, is good once, and dies after five wrong ones.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime
from typing import Any

from gatepost_contracts.commands import CommandReply, RedeemUpgrade, RequestUpgrade
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import refusal
from gatepost_gatekeeper.codes import LIFE, code_of, digest_of, masked, normalised, shown
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.said import iso
from gatepost_gatekeeper.templates import upgrade_code
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.mode import LEVELS

_PATTERN = re.compile(r"^(?:\*|[a-z0-9._%+-]{1,64})@[a-z0-9.-]{1,190}$")  # it goes into the mail: one word, no markup


class Upgrades:
    """Requests and their codes."""

    def __init__(self, world: WorldSteps, notices: Notices, key: bytes, public_url: str) -> None:
        self._world, self._store, self._notices = world, world.store, notices
        self._key, self._url = key, public_url.rstrip("/")

    async def request(self, command: RequestUpgrade) -> CommandReply:
        """A request row and a mail; the mode stays as it is."""
        found = await self._world.caller_in(command, command.mailbox_id)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        if command.pattern is not None and not _PATTERN.match(command.pattern):
            return refusal("invalid_request", "This is no address, and no `*@domain`.", "Lower case, without a name.")
        if LEVELS[command.mode] <= LEVELS[mailbox["mode"]]:
            return refusal("invalid_request", f"The mailbox is {mailbox['mode']} already.", "Ask for a looser mode.")
        if LEVELS[command.mode] > LEVELS[mailbox["ceiling"]]:
            return refusal(
                "invalid_request", f"Its ceiling is {mailbox['ceiling']}.", "An operator raises the ceiling."
            )
        address = await self._store.fetchval("oversight_email", caller.tenant_id)
        if not address:
            return refusal("invalid_request", "The account has no oversight address.", "An operator sets one.")
        request_id, expires_at = new_id("upg"), datetime.now(UTC) + LIFE
        reply = await self._world.step(
            command, caller, "W11", mailbox["id"],
            {
                "request_id": request_id, "mode": command.mode, "expires_at": expires_at, "by": caller.principal_id,
                "of": "mailbox" if command.pattern is None else "allowlist",
            },
            request_id=request_id, mode=command.mode, expires_at=expires_at, name=command.pattern,
            code_sha256=digest_of(request_id, self._code(request_id)),
        )  # fmt: skip
        if reply.ok and reply.id is not None:
            await self.tell(await self._store.fetchrow("upgrade_request", reply.id))
        if not reply.ok:
            return reply
        more: dict[str, Any] = {"sent_to": masked(address)}
        if bounce := await self._store.fetchrow("last_bounce", caller.tenant_id):
            more["last_bounce"] = {
                "code": bounce["code"],
                "enhanced": bounce["enhanced"],
                "at": iso(bounce["ended_at"]),
            }
            more["hint"] = "The last mail to the oversight address bounced; an operator sets one that works."
        return reply.model_copy(update={"extra": {**reply.extra, **more}})

    async def redeem(self, command: RedeemUpgrade) -> CommandReply:
        """An operator's act. A try is counted before it is compared, so that no number of them at once gets a sixth."""
        found = await self._world.caller_in(command, command.mailbox_id)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        if not caller.is_operator:
            return refusal("operator_redeems", "Only an operator redeems a code.", "Use an operator's key.")
        rows = await self._store.fetch("count_try", mailbox["id"])
        rows += await self._store.fetch("redeemed_by_command", command.command_id, caller.tenant_id)
        wanted = normalised(command.code)
        fitting = [row for row in rows if hmac.compare_digest(digest_of(row["id"], wanted), row["code_sha256"])]
        if not fitting:
            return refusal(
                "approval_code_invalid", "The code is not valid, was used, or is too old.", "Ask for a new one."
            )
        one = fitting[0]
        data = {
            "mode": one["mode"], "previous": mailbox["mode"], "by": caller.principal_id, "why": "a code was redeemed",
            "request_id": one["id"], "covers_ask": command.covers_ask,
        }  # fmt: skip
        what: dict[str, Any] = {}
        if one["pattern"] is not None:
            before = await self._store.fetchrow("grant", mailbox["id"], "allowlist", one["pattern"])
            grant_id = before["id"] if before is not None else new_id("mgr")
            what = {"mode_grant_id": grant_id, "kind": "allowlist", "name": one["pattern"]}
            data |= {"of": "allowlist", "grant_id": grant_id}
        return await self._world.step(
            command, caller, "W12g" if what else "W12", mailbox["id"], data, request_id=one["id"], mode=one["mode"],
            code_ok=True, covers_ask=command.covers_ask, **what,
        )  # fmt: skip

    async def tell(self, request: Any) -> None:
        """Mail the code of a request, once."""
        text = upgrade_code(
            request["address"],
            request["mode"],
            shown(self._code(request["id"])),
            request["expires_at"],
            self._url,
            pattern=request["pattern"],
        )
        await self._notices.send(text, request["tenant_id"], about=request["id"], at=request["created_at"])

    async def sweep(self) -> None:
        """Mail what a crash left unsent."""
        for request in await self._store.fetch("fresh_requests"):
            await self.tell(request)

    def _code(self, request_id: str) -> str:
        return code_of(self._key, request_id)
