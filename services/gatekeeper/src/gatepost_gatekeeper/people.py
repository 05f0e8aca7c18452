"""A person's data: erased on request with a certificate, erased by the retention clocks, kept by a legal hold.

The log keeps every record, since records hold only digests over content that carries its own salt: with the content the
salt goes, and the digest says nothing any more. What waits or is on its way is not erased; a hold wins over everything.
The intent is a record before anything is erased and the result is one after it, so a crash between them shows.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from gatepost_contracts.canonical import sha256_hex
from gatepost_contracts.commands import CommandReply, ErasePerson, LiftHold, PlaceHold
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import not_found
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX, Caller
from gatepost_gatekeeper.receipts import Receipts
from gatepost_gatekeeper.steps import Moved
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.credential import Role

log = structlog.get_logger()
AT_ONCE = 200


class People:
    """Carries out what operators say about people's data, and what the clocks say."""

    def __init__(
        self, world: WorldSteps, receipts: Receipts, *, mail_days: int | None, webhook_days: int | None,
        words_days: int | None = None,
    ) -> None:  # fmt: skip
        self._world, self._steps, self._store, self._receipts = world, world.steps, world.store, receipts
        self._mail_days = mail_days
        self._others = (
            ("webhook", "webhooks_past_retention", webhook_days),
            ("words", "words_past_retention", words_days),
        )

    async def erase(self, command: ErasePerson) -> CommandReply:
        """Everything of one address that has ended and that no hold keeps; the reply holds the certificate."""
        caller = await self._world.caller(command, as_operator=True)
        if isinstance(caller, CommandReply):
            return caller
        address, erasure_id, salt = command.address.strip().lower(), new_id("era"), secrets.token_hex(16)
        person = sha256_hex(f"{salt}\n{address}")
        found = await self._store.fetchrow("mails_of_person", caller.tenant_id, address)
        if found is None:
            return not_found()
        begun: dict[str, Any] = {
            "erasure_id": erasure_id, "person_sha256": person, "phase": "begun", "mails": len(found["ids"]),
            "kept_by_hold": found["held"], "not_ended": found["open"],
        }  # fmt: skip
        reply = await self._world.step(command, caller, "W16", SYSTEM_MAILBOX, begun)
        if not reply.ok or reply.already:
            return reply
        erased = await self._erase(found["ids"])
        if not found["held"] and not found["open"]:
            await self._store.execute("erase_elsewhere", caller.tenant_id, address)
        done = begun | {"phase": "done", "mails": erased}
        return reply.model_copy(
            update={"extra": await self._certified(caller, done, {"address": address, "salt": salt})}
        )

    async def _certified(self, caller: Caller, done: dict[str, Any], opened: dict[str, Any]) -> dict[str, Any]:
        step = await self._steps.of(
            caller.as_actor(Role.OPERATOR), "W16", SYSTEM_MAILBOX, data=done, tenant_id=caller.tenant_id
        )
        receipt = await self._receipts.of(step.record) if isinstance(step, Moved) else None
        return done | {"certificate": {**opened, "receipt": receipt}}

    async def place_hold(self, command: PlaceHold) -> CommandReply:
        """Keep the data of a person, a thread, a mailbox or the whole account."""
        caller = await self._world.caller(command, as_operator=True)
        if isinstance(caller, CommandReply):
            return caller
        target = caller.tenant_id if command.scope == "tenant" else command.target.strip()
        target = target.lower() if command.scope == "person" else target
        hold_id = new_id("hld")
        told = target if command.scope != "person" else None  # addresses do not stand in the log
        data = {"hold_id": hold_id, "scope": command.scope, "target": told}
        return await self._world.step(
            command, caller, "W14", SYSTEM_MAILBOX, data, request_id=hold_id, scope=command.scope, target=target,
            reason=command.reason,
        )  # fmt: skip

    async def lift_hold(self, command: LiftHold) -> CommandReply:
        """Let the clocks and the requests go on."""
        caller = await self._world.caller(command, as_operator=True)
        if isinstance(caller, CommandReply):
            return caller
        hold = await self._store.fetchrow("legal_hold", command.hold_id, caller.tenant_id)
        if hold is None:
            return not_found()
        data = {"hold_id": hold["id"], "scope": hold["scope"]}
        return await self._world.step(command, caller, "W15", SYSTEM_MAILBOX, data, request_id=hold["id"])

    async def sweep(self) -> None:
        """What the clocks of the classes say: some at a time, and a record of how many went."""
        now = datetime.now(UTC)
        if self._mail_days is not None:
            before = now - timedelta(days=self._mail_days)
            for row in await self._store.fetch("mails_past_retention", before, AT_ONCE):
                if erased := await self._erase(row["ids"]):
                    await self._told("mail", row["tenant_id"], erased, self._mail_days)
        for kind, statement, days in self._others:
            if days is not None:
                for row in await self._store.fetch(statement, now - timedelta(days=days), AT_ONCE):
                    await self._told(kind, row["tenant_id"], row["erased"], days)

    async def _told(self, kind: str, tenant_id: str, erased: int, days: int) -> None:
        data = {"phase": "done", "class": kind, "mails": erased, "after_days": days}
        await self._steps.system("W16", SYSTEM_MAILBOX, data=data, tenant_id=tenant_id)
        log.info("data past its time was erased", kind=kind, count=erased)

    async def _erase(self, ids: list[str]) -> int:
        count = 0
        for start in range(0, len(ids), AT_ONCE):
            count += await self._store.fetchval("erase_mails", ids[start : start + AT_ONCE])
        return count
