"""A Postgres of our own with the real schema, roles and functions."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.integration.gatekeeper.house import House, house_of

from gatepost_store import Queries, Store
from support.cluster import PASSWORD, Cluster, Database
from support.trace import trace_holds

KEY = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def postgres(cluster: Cluster) -> Database:
    return cluster.database()


@pytest.fixture
async def house(postgres: Database, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with open_house(postgres, KEY) as house:
        yield house
    await trace_holds(postgres.url(), request)


@contextlib.asynccontextmanager
async def open_house(postgres: Database, key: Ed25519PrivateKey) -> AsyncIterator[House]:
    """The gatekeeper's parts over this database, signing with this key."""
    owner = await asyncpg.connect(postgres.url())
    stores = {
        name: await Store.open(
            postgres.url(f"gp_{name}", PASSWORD), service=name, queries=Queries.of("gatepost_gatekeeper")
        )
        for name in ("gatekeeper", "api", "ingest", "sender")
    }
    try:
        yield await house_of(owner, stores, key)
    finally:
        for store in stores.values():
            await store.close()
        await owner.close()
