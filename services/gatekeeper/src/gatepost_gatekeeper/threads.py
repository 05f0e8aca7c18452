"""Threads that a person puts right: two that are one, mails that belong elsewhere, and taking either back.

The mails move and keep all that was decided on them; a thread with an open draft or delivery does not move, because
what was approved was approved beside that thread.
"""

from __future__ import annotations

from typing import Any

from gatepost_contracts.commands import CommandReply, MoveMails
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import forbidden, not_found
from gatepost_gatekeeper.caller import Caller
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.credential import Role

PERSONS = (Role.REVIEWER, Role.OPERATOR)


class Threads:
    """Carries out moves."""

    def __init__(self, world: WorldSteps) -> None:
        self._world, self._store = world, world.store

    async def move(self, command: MoveMails) -> CommandReply:
        """W13, for a person."""
        caller = await self._world.caller(command)
        if isinstance(caller, CommandReply):
            return caller
        if not set(PERSONS) & set(caller.roles):
            return forbidden("oversight")
        plan = await self._plan(command, caller)
        if plan is None or not caller.may_see(plan["mailbox_id"]):
            return not_found()
        move_id = new_id("tmv")
        data = {
            "move_id": move_id, "kind": command.kind, "merged_from": plan["source"], "thread_id": plan["target"],
            "message_ids": plan["message_ids"], "undoes": plan["undoes"], "by": caller.principal_id,
        }  # fmt: skip
        return await self._world.step(
            command, caller, "W13", plan["mailbox_id"], data, kind=command.kind, name=plan["source"],
            target=plan["target"], conditions=plan["message_ids"] or None, request_id=move_id, reason=plan["undoes"],
        )  # fmt: skip

    async def _plan(self, command: MoveMails, caller: Caller) -> dict[str, Any] | None:
        """From where to where, and which mails; None when one of them is not there."""
        if command.kind == "undo":
            done = await self._store.fetchrow("thread_move", command.move_id, caller.tenant_id)
            if done is None or done["kind"] == "undo":
                return None
            return {"mailbox_id": done["mailbox_id"], "source": done["to_thread"], "target": done["from_thread"],
                    "message_ids": list(done["message_ids"]), "undoes": done["id"]}  # fmt: skip
        source = await self._store.fetchrow("thread_of_tenant", command.thread_id, caller.tenant_id)
        target = new_id("thr") if command.kind == "split" else command.into
        if source is None or (command.kind == "split") != bool(command.message_ids):
            return None
        return {"mailbox_id": source["mailbox_id"], "source": source["id"], "target": target,
                "message_ids": list(command.message_ids), "undoes": None}  # fmt: skip
