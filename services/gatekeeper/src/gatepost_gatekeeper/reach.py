"""Whether notices arrive: an oversight address that bounces is an account whose people learn nothing."""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Gauge

from gatepost_gatekeeper.codes import masked
from gatepost_store import Store

log = structlog.get_logger()


class Reach:
    """Looks at how the newest notice of each account ended."""

    def __init__(self, store: Store, registry: CollectorRegistry) -> None:
        self._store = store
        self._told: frozenset[str] = frozenset()
        self._unreached = Gauge(
            "gatepost_oversight_unreached",
            "Accounts whose oversight address bounced the newest notice.",
            registry=registry,
        )

    async def sweep(self) -> None:
        """Count them, and say of each once that it began."""
        rows = await self._store.fetch("unreached")
        self._unreached.set(len(rows))
        for row in rows:
            if row["tenant_id"] not in self._told:
                log.error(
                    "an oversight address bounces: codes and notices reach nobody", tenant_id=row["tenant_id"],
                    address=masked(row["oversight_email"]), code=row["code"], enhanced=row["enhanced"],
                )  # fmt: skip
        self._told = frozenset(row["tenant_id"] for row in rows)
