"""Reading with statements that a library of ours brings along, beside those of the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reading:
    """Reads over a store's pool, with its patience when the database restarts."""

    read: Callable[..., Awaitable[Any]]
    content: Callable[[Any], Awaitable[bytes | None]]
    """The bytes of a row of raw or blob, wherever they stand."""

    async def fetch(self, sql: str, *args: Any) -> Any:
        """All rows."""
        return await self.read("fetch", sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        """The first row, or None."""
        return await self.read("fetchrow", sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first value of the first row, or None."""
        return await self.read("fetchval", sql, *args)
