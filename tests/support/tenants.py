"""A second account in a running installation, made behind the doors as no door makes one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

from gatepost_cli.owner import owner_store
from gatepost_contracts.ids import new_id

CANARY = "canary-of-the-other-tenant"
Keys = Mapping[str, tuple[str, Sequence[str]]]
USUAL: Keys = {
    "operator": ("person", ["read", "admin"]), "agent": ("agent", ["read", "send", "oversight_read"]),
    "reviewer": ("person", ["read", "oversight"]),
}  # fmt: skip


async def make_tenant(
    database_url: str, slug: str = "other", wanted: Keys = USUAL, name: str = CANARY
) -> dict[str, str]:
    """Its keys by name, each of a principal of its own: kind and scopes as wanted."""
    keys = {}
    async with owner_store(database_url) as store, store.transaction() as connection:
        tenant = new_id("ten")
        await connection.execute("INSERT INTO tenant (id, name, slug) VALUES ($1, $2, $3)", tenant, name, slug)
        for role, (kind, held) in wanted.items():
            principal, key = new_id("prn"), "gp_live_" + secrets.token_urlsafe(32)
            await connection.execute(
                "INSERT INTO principal (id, tenant_id, kind, name) VALUES ($1, $2, $3, $4)",
                principal, tenant, kind, role,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                new_id("key"), tenant, principal, role, key[:12], hashlib.sha256(key.encode()).hexdigest(), list(held),
            )  # fmt: skip
            keys[role] = key
    return keys
