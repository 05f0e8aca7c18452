"""How far agents may go, by name: which mail is of a category, and which mode a person granted for it or for recipients.

What loosens is an operator's alone, and so is every rule: a rule that takes mail away from a stricter category loosens too.
Anyone makes a category stricter or gives a grant up.
"""

from __future__ import annotations

import re

from pydantic import ValidationError

from gatepost_contracts.commands import CommandReply, SetGrant, SetRule, SetTwoPerson
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.answers import refusal
from gatepost_gatekeeper.world_steps import WorldSteps
from gatepost_oversight.category import Conditions

_PATTERN = re.compile(r"^(?:\*|[^\s@*]+)@[a-z0-9.-]+$")
_NAME = re.compile(r"^[\w][\w .:/-]{0,99}$")


class Granting:
    """Carries out what people say about categories, listed recipients and the two-person rule."""

    def __init__(self, world: WorldSteps) -> None:
        self._world, self._store = world, world.store

    async def set_grant(self, command: SetGrant) -> CommandReply:
        """A category or a pattern of addresses gets a mode, or loses it again."""
        found = await self._world.caller_in(command, command.mailbox_id)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        name = command.grant_name.strip() if command.of == "category" else command.grant_name.strip().lower()
        if not (_NAME if command.of == "category" else _PATTERN).match(name):
            return refusal("invalid_request", "This is no name of a category, and no address or `*@domain`.", "")
        if command.covers_ask and command.mode is None:
            return refusal("invalid_request", "`covers_ask` stands beside a mode.", "Give the mode too.")
        before = await self._store.fetchrow("grant", mailbox["id"], command.of, name)
        live = before is not None and before["revoked_at"] is None
        grant_id = before["id"] if before is not None else new_id("mgr")
        row = ("W1" if caller.is_operator else "W2") + ("r" if command.mode is None else "g")
        data = {
            "mode": command.mode or mailbox["mode"], "previous": before["mode"] if before and live else mailbox["mode"],
            "by": caller.principal_id, "of": command.of, "grant_id": grant_id,
            "why_sha256": await self._world.words.digest(caller, mailbox["id"], command.why),
            "category": name if command.of == "category" else None, "covers_ask": command.covers_ask,
        }  # fmt: skip
        return await self._world.step(
            command, caller, row, mailbox["id"], data, mode_grant_id=grant_id, kind=command.of, name=name,
            mode=command.mode, covers_ask=command.covers_ask,
        )  # fmt: skip

    async def set_rule(self, command: SetRule) -> CommandReply:
        """An operator's word on which inbound mail is of a category."""
        found = await self._world.caller_in(command, command.mailbox_id, as_operator=True)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        name, conditions = command.category.strip(), None
        if not _NAME.match(name):
            return refusal("invalid_request", "This is no name of a category.", "Letters, digits, space and . : / - _")
        if command.conditions is not None:
            try:
                conditions = Conditions.model_validate(command.conditions)
            except ValidationError as error:
                return refusal("invalid_request", _what_is_wrong(error), "See the conditions a rule may have.")
        told = None if conditions is None else conditions.model_dump(mode="json", exclude_defaults=True)
        data = {
            "category": name,
            "priority": command.priority,
            "conditions": sorted(told or ()),
            "by": caller.principal_id,
        }
        return await self._world.step(
            command, caller, "W10", mailbox["id"], data, name=name, conditions=told, priority=command.priority
        )

    async def set_two_person(self, command: SetTwoPerson) -> CommandReply:
        """An operator asks for two people's approvals, or for one."""
        found = await self._world.caller_in(command, command.mailbox_id, as_operator=True)
        if isinstance(found, CommandReply):
            return found
        caller, mailbox = found
        data = {"two_person": command.on, "by": caller.principal_id}
        return await self._world.step(command, caller, "W3", mailbox["id"], data, on=command.on)


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}." if where else f"{first['msg']}."
