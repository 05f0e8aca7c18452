"""The database as its owner, for the commands that the operator runs beside the services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gatepost_store import Queries, Store


@asynccontextmanager
async def owner_store(url: str) -> AsyncIterator[Store]:
    """The database as its owner, with this command's own statements."""
    store = await Store.open(url, service="operator", queries=Queries.of("gatepost_cli"))
    try:
        yield store
    finally:
        await store.close()
