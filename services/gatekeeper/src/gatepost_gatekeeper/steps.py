"""How this service steps: as itself, or as the person whose command it carries out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gatepost_oversight.credential import Role
from gatepost_store import Actor, Moved, Stayed, Store

SERVICE = "gatekeeper"
ITSELF = Actor(role=Role.SYSTEM, principal=None, actor=SERVICE, door="timer")


class Steps:
    """The writing half of the store, with the arguments that every step of this service has."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def system(self, row: str, message_id: str, **arguments: Any) -> Moved | Stayed:
        """A step of our own."""
        return await self.of(ITSELF, row, message_id, **arguments)

    async def of(self, by: Actor, row: str, message_id: str, **arguments: Any) -> Moved | Stayed:
        """A step on somebody's behalf."""
        data = arguments.pop("data", None) or {}
        arguments.setdefault("now", datetime.now(UTC))
        return await self.store.step(row, message_id, by=by, data=data, **arguments)


__all__ = ["ITSELF", "Moved", "Stayed", "Steps"]
