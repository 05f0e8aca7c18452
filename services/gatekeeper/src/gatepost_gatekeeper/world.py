"""What people change around mail: how far a mailbox may go alone, what is stopped, who may be written to again.

Tightening is anyone's, loosening an operator's; the step decides which it is from the mailbox as it stands.
"""

from __future__ import annotations

from gatepost_contracts.commands import CommandReply, Pause, RemoveSuppression, Resume, SetMode
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import forbidden, not_found
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.mode import LEVELS


class World:
    """Carries out what people say about mailboxes, pauses and suppressions."""

    def __init__(self, world: WorldSteps) -> None:
        self._world, self._store = world, world.store

    async def set_mode(self, command: SetMode) -> CommandReply:
        """W1 for an operator, W2 for everyone else."""
        found = await self._world.caller_in(command, command.mailbox_id)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        row = "W1" if caller.is_operator else "W2"
        data = {
            "mode": command.mode, "previous": mailbox["mode"], "by": caller.principal_id,
            "why_sha256": await self._world.words.digest(caller, mailbox["id"], command.why),
            "covers_ask": command.covers_ask and caller.is_operator,
        }  # fmt: skip
        reply = await self._world.step(
            command, caller, row, mailbox["id"], data, mode=command.mode, ceiling=command.ceiling,
            covers_ask=command.covers_ask and caller.is_operator,
        )  # fmt: skip
        is_loosening = LEVELS[command.mode] > LEVELS[mailbox["mode"]] or command.ceiling is not None
        if not reply.ok and row == "W2" and is_loosening:
            return reply.model_copy(update={"code": "operator_redeems"})
        return reply

    async def pause(self, command: Pause) -> CommandReply:
        """Anyone stops attempts: of the tenant, a mailbox, an agent, a category."""
        caller = await self._world.caller(command)
        if isinstance(caller, CommandReply):
            return caller
        subject = SYSTEM_MAILBOX
        target = caller.tenant_id if command.scope == "tenant" else command.target
        if command.scope == "mailbox":
            mailbox = await self._world.mailbox(caller, target)
            if mailbox is None:
                return not_found()
            subject = mailbox["id"]
        pause_id = new_id("pse")
        words = self._world.words
        label = await words.digest(caller, subject, target) if command.scope == "category" else None
        data = {
            "pause_id": pause_id, "scope": command.scope, "target": label or target, "by": caller.principal_id,
            "label_sha256": label, "reason_sha256": await words.digest(caller, subject, command.reason),
        }  # fmt: skip
        return await self._world.step(
            command, caller, "W4", subject, data, pause_id=pause_id, scope=command.scope, target=target,
            reason=command.reason,
        )  # fmt: skip

    async def resume(self, command: Resume) -> CommandReply:
        """An operator lets attempts go on."""
        caller = await self._world.caller(command)
        if isinstance(caller, CommandReply):
            return caller
        pause = await self._store.fetchrow("pause", command.pause_id, caller.tenant_id)
        if pause is None or (pause["mailbox_id"] != SYSTEM_MAILBOX and not caller.may_see(pause["mailbox_id"])):
            return not_found()
        if not caller.is_operator:
            return forbidden("admin")
        is_label, words = pause["scope"] == "category", self._world.words
        label = await words.digest(caller, pause["mailbox_id"], pause["target"]) if is_label else None
        data = {
            "pause_id": pause["id"], "scope": pause["scope"], "target": label or pause["target"],
            "by": caller.principal_id, "label_sha256": label,
        }  # fmt: skip
        return await self._world.step(command, caller, "W5", pause["mailbox_id"], data, pause_id=pause["id"])

    async def remove_suppression(self, command: RemoveSuppression) -> CommandReply:
        """An operator lets mail go to an address again."""
        caller = await self._world.caller(command, as_operator=True)
        if isinstance(caller, CommandReply):
            return caller
        address = command.address.strip().lower()
        found = await self._store.fetch("suppressions_of", caller.tenant_id, address)
        reply = not_found()
        for n, entry in enumerate(found):
            subject = entry["mailbox_id"] or SYSTEM_MAILBOX
            reply = await self._world.step(
                command, caller, "W7", subject, {"suppression_id": entry["id"], "reason": entry["reason"]},
                is_first=n == 0, suppression_id=entry["id"], address=address, note=command.note,
            )  # fmt: skip
            if not reply.ok:
                return reply
        return reply
