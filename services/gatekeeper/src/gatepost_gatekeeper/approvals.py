"""Codes for administrative acts: a key asks, a person reads what for and hands the code over, the same key redeems it.

A code is good for one act with exactly these parameters by exactly this key, once, for a day, and dies after five wrong
tries. As with upgrades it is not stored: it follows from the request's id under a key of ours. A crash between the row and
the mail leaves a request that nobody can redeem; whoever asks again gets a new one.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from gatepost_contracts.commands import CommandReply, RedeemApproval, RequestApproval
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import refusal
from gatepost_gatekeeper.caller import caller_of
from gatepost_gatekeeper.codes import LIFE, code_of, digest_of, masked, normalised, shown
from gatepost_gatekeeper.decisions import unknown_caller
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.templates import approval_code
from gatepost_store import Store

HOURLY = 20


class Approvals:
    """Requests and their codes."""

    def __init__(self, store: Store, notices: Notices, key: bytes) -> None:
        self._store, self._notices, self._key = store, notices, key

    async def request(self, command: RequestApproval) -> CommandReply:
        """A row and a mail; nothing is done."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        address = await self._store.fetchval("oversight_email", caller.tenant_id)
        if not address:
            return refusal("invalid_request", "The account has no oversight address.", "An operator sets one.")
        request_id, now = new_id("apr"), datetime.now(UTC)
        code = code_of(self._key, request_id)
        made = await self._store.fetchval(
            "ask_approval", request_id, caller.tenant_id, caller.key_id, command.action, command.request_sha256,
            digest_of(request_id, code), now, now + LIFE, HOURLY,
        )  # fmt: skip
        if made is None:
            return refusal("rate_limited", f"{HOURLY} codes an hour for a key.", "Ask again later.")
        name = await self._store.fetchval("key_name", caller.key_id)
        text = approval_code(command.action, command.said, name, shown(code), now + LIFE)
        if not await self._notices.send(text, caller.tenant_id, about=request_id, at=now):
            return refusal("unavailable", "The code could not be mailed.", "Repeat the request.")
        return CommandReply(
            ok=True, id=request_id, extra={"sent_to": masked(address), "expires_at": (now + LIFE).isoformat()}
        )

    async def sweep(self) -> None:
        """Forget what nobody can redeem any more."""
        await self._store.execute("forget_approvals")

    async def redeem(self, command: RedeemApproval) -> CommandReply:
        """Is the code that of this very act? A try is counted before it is compared."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        rows = await self._store.fetch("count_approval_try", caller.key_id, command.action, command.request_sha256)
        wanted = normalised(command.code)
        for row in rows:
            if hmac.compare_digest(digest_of(row["id"], wanted), row["code_sha256"]) and await self._store.fetchval(
                "redeem_approval", row["id"]
            ):
                return CommandReply(ok=True, id=row["id"])
        return refusal(
            "approval_code_invalid", "The code is not valid for this, was used, or is too old.",
            "Repeat the call without approval_code to get a new one.",
        )  # fmt: skip
