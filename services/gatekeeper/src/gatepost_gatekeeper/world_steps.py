"""One step of the world table on behalf of a caller: in which role, and how the answer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost_contracts.commands import Command, CommandReply
from gatepost_gatekeeper.answers import forbidden, not_found, refused
from gatepost_gatekeeper.caller import Caller, caller_of
from gatepost_gatekeeper.decisions import unknown_caller
from gatepost_gatekeeper.steps import Moved, Steps
from gatepost_gatekeeper.words import Words
from gatepost_oversight.credential import Role
from gatepost_oversight.lifecycle import BY_ID

TRIES = 3
STRONGEST_FIRST = (Role.OPERATOR, Role.REVIEWER, Role.AGENT)
_MADE = ("pause_id", "suppression_id", "request_id", "grant_id", "move_id", "hold_id", "erasure_id")


class WorldSteps:
    """Runs world rows for people and agents."""

    def __init__(self, steps: Steps) -> None:
        self.steps, self.store, self.words = steps, steps.store, Words(steps.store)

    async def step(
        self, command: Command, caller: Caller, row: str, mailbox_id: str, data: Mapping[str, Any], *,
        is_first: bool = True, **arguments: Any,
    ) -> CommandReply:  # fmt: skip
        """The answer to the command; one that was done before gets its first result."""
        actor = caller.as_actor(role_of_row(caller, row))
        for _ in range(TRIES):
            step = await self.steps.of(
                actor,
                row,
                mailbox_id,
                data=data,
                command_id=command.command_id if is_first else None,
                tenant_id=caller.tenant_id,
                **arguments,
            )
            if isinstance(step, Moved):
                told = step.record["data"]
                made = next((told[name] for name in _MADE if told.get(name)), mailbox_id)
                return CommandReply(
                    ok=True, id=made, seq=step.seq, already=step.already, failed=(),
                    extra={"row": row, **told, "since": step.record["at"]},
                )  # fmt: skip
            if step.failed:
                return refused(step.failed)
        return refused(("VERSION",))

    async def caller(self, command: Command, *, as_operator: bool = False) -> Caller | CommandReply:
        """Who asks, or the answer to somebody who may not."""
        found = await caller_of(self.store, command)
        if found is None:
            return unknown_caller()
        return forbidden("admin") if as_operator and not found.is_operator else found

    async def caller_in(
        self, command: Command, mailbox_id: str, *, as_operator: bool = False
    ) -> tuple[Caller, Any] | CommandReply:
        """Who asks and the mailbox they ask about, or the answer to somebody who may not; first whether it is there."""
        found = await self.caller(command)
        if isinstance(found, CommandReply):
            return found
        mailbox = await self.mailbox(found, mailbox_id)
        if mailbox is None:
            return not_found()
        return forbidden("admin") if as_operator and not found.is_operator else (found, mailbox)

    async def mailbox(self, caller: Caller, mailbox_id: str) -> Any:
        """A mailbox that the caller may see."""
        if not caller.may_see(mailbox_id):
            return None
        return await self.store.fetchrow("mailbox", mailbox_id, caller.tenant_id)


def role_of_row(caller: Caller, row: str) -> Role:
    """The strongest role of the caller that may run the row; where none may, one whose refusal is plain."""
    held = [role for role in STRONGEST_FIRST if role in caller.roles]
    return next((role for role in held if role in BY_ID[row].roles), held[0])
