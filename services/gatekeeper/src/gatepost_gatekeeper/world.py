"""What people change around mail: how far a mailbox may go alone, what is stopped, who may be written to again.

Tightening is anyone's, loosening an operator's; the step decides which it is from the mailbox as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost_contracts.commands import Command, CommandReply, Pause, RemoveSuppression, Resume, SetMode
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import forbidden, not_found, refused
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX, Caller, caller_of
from gatepost_gatekeeper.decisions import unknown_caller
from gatepost_gatekeeper.steps import Moved, Steps
from gatepost_oversight.credential import Role
from gatepost_oversight.mode import LEVELS

TRIES = 3
ANYONE = (Role.OPERATOR, Role.REVIEWER, Role.AGENT)


class World:
    """Carries out what people say about mailboxes, pauses and suppressions."""

    def __init__(self, steps: Steps) -> None:
        self._steps, self._store = steps, steps.store

    async def set_mode(self, command: SetMode) -> CommandReply:
        """W1 for an operator, W2 for everyone else."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        mailbox = await self._mailbox(caller, command.mailbox_id)
        if mailbox is None:
            return not_found()
        row = "W1" if caller.is_operator else "W2"
        data = {
            "mode": command.mode, "previous": mailbox["mode"], "by": caller.principal_id, "why": command.why,
        }  # fmt: skip
        reply = await self._step(command, caller, row, mailbox["id"], data, mode=command.mode, ceiling=command.ceiling)
        is_loosening = LEVELS[command.mode] > LEVELS[mailbox["mode"]] or command.ceiling is not None
        if not reply.ok and row == "W2" and is_loosening:
            return reply.model_copy(update={"code": "operator_redeems"})
        return reply

    async def pause(self, command: Pause) -> CommandReply:
        """Anyone stops attempts: of the tenant, a mailbox, an agent, a category."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        subject = SYSTEM_MAILBOX
        target = caller.tenant_id if command.scope == "tenant" else command.target
        if command.scope == "mailbox":
            mailbox = await self._mailbox(caller, target)
            if mailbox is None:
                return not_found()
            subject = mailbox["id"]
        pause_id = new_id("pse")
        data = {
            "pause_id": pause_id, "scope": command.scope, "target": target, "by": caller.principal_id,
            "reason": command.reason,
        }  # fmt: skip
        return await self._step(
            command, caller, "W4", subject, data, pause_id=pause_id, scope=command.scope, target=target,
            reason=command.reason,
        )  # fmt: skip

    async def resume(self, command: Resume) -> CommandReply:
        """An operator lets attempts go on."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        pause = await self._store.fetchrow("pause", command.pause_id, caller.tenant_id)
        if pause is None or (pause["mailbox_id"] != SYSTEM_MAILBOX and not caller.may_see(pause["mailbox_id"])):
            return not_found()
        if not caller.is_operator:
            return forbidden("admin")
        data = {"pause_id": pause["id"], "scope": pause["scope"], "target": pause["target"], "by": caller.principal_id}
        return await self._step(command, caller, "W5", pause["mailbox_id"], data, pause_id=pause["id"])

    async def remove_suppression(self, command: RemoveSuppression) -> CommandReply:
        """An operator lets mail go to an address again."""
        caller = await caller_of(self._store, command)
        if caller is None:
            return unknown_caller()
        if not caller.is_operator:
            return forbidden("admin")
        address = command.address.strip().lower()
        found = await self._store.fetch("suppressions_of", caller.tenant_id, address)
        reply = not_found()
        for n, entry in enumerate(found):
            subject = entry["mailbox_id"] or SYSTEM_MAILBOX
            reply = await self._step(
                command, caller, "W7", subject, {"suppression_id": entry["id"], "reason": entry["reason"]},
                is_first=n == 0, suppression_id=entry["id"], address=address, note=command.note,
            )  # fmt: skip
            if not reply.ok:
                return reply
        return reply

    async def _step(
        self, command: Command, caller: Caller, row: str, mailbox_id: str, data: Mapping[str, Any], *,
        is_first: bool = True, **arguments: Any,
    ) -> CommandReply:  # fmt: skip
        actor = caller.as_actor(role_of_row(caller, row))
        for _ in range(TRIES):
            step = await self._steps.of(
                actor, row, mailbox_id, data=data, command_id=command.command_id if is_first else None, **arguments
            )
            if isinstance(step, Moved):
                made = step.record["data"].get("pause_id") or step.record["data"].get("suppression_id") or mailbox_id
                return CommandReply(
                    ok=True, id=made, seq=step.seq, already=step.already, failed=(),
                    extra={"row": row, **step.record["data"], "since": step.record["at"]},
                )  # fmt: skip
            if step.failed:
                return refused(step.failed)
        return refused(("VERSION",))

    async def _mailbox(self, caller: Caller, mailbox_id: str) -> Any:
        if not caller.may_see(mailbox_id):
            return None
        return await self._store.fetchrow("mailbox", mailbox_id, caller.tenant_id)


def role_of_row(caller: Caller, row: str) -> Role:
    """The strongest role the caller has among those that may."""
    among: tuple[Role, ...] = ANYONE
    if row in {"W1", "W5", "W7"}:
        among = (Role.OPERATOR,)
    elif row == "W2":
        among = (Role.REVIEWER, Role.AGENT)
    fitting = [role for role in among if role in caller.roles]
    return fitting[0] if fitting else next(role for role in ANYONE if role in caller.roles)
