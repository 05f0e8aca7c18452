"""Reading and writing the rows of deliveries and endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog

from gatepost_notifier.retry import Outcome
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Store

log = structlog.get_logger()
SYSTEM_MAILBOX = "mbx_system"
ITSELF = Actor(role=Role.SYSTEM, principal=None, actor="notifier", door="timer")


class Ledger:
    """The notifier's own tables; each statement is safe to repeat."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def endpoints_due(self) -> list[Any]:
        """Endpoints that something is due for."""
        return list(await self._store.fetch("endpoints_due"))

    async def claim(self, endpoint_id: str, limit: int, lease_s: float) -> list[Any]:
        """Deliveries of one endpoint to try now; ours until the lease ends."""
        return list(await self._store.fetch("claim", endpoint_id, limit, lease_s))

    async def delivered(self, endpoint_id: str, delivery_id: str, outcome: Outcome) -> None:
        """It was taken."""
        await self._store.execute("delivered", delivery_id, outcome.status, outcome.excerpt, outcome.latency_ms)
        await self._store.execute("succeeded", endpoint_id)

    async def retry(self, delivery_id: str, outcome: Outcome, wait_s: float) -> None:
        """It was not; once more after so many seconds."""
        await self._store.execute(
            "retry", delivery_id, wait_s, outcome.status, outcome.excerpt, outcome.error, outcome.latency_ms
        )

    async def exhausted(self, delivery: Any, outcome: Outcome) -> None:
        """It never will be; the event is made first, so that a crash in between tells twice rather than never."""
        await self._store.step(
            "N2", delivery["mailbox_id"], by=ITSELF,
            data={
                "endpoint_id": delivery["endpoint_id"], "webhook_delivery_id": delivery["id"],
                "about_event_id": delivery["event_id"],
            },
            endpoint_id=delivery["endpoint_id"],
        )  # fmt: skip
        await self._store.execute(
            "failed", delivery["id"], outcome.status, outcome.excerpt, outcome.error, outcome.latency_ms
        )

    async def failing(self, endpoint: Any) -> datetime | None:
        """Since when nothing has reached it."""
        await self._store.execute("failing", endpoint["id"])
        since = endpoint["failing_since"]
        return since if isinstance(since, datetime) else datetime.now(UTC)

    async def disable(self, endpoint: Any, reason: str) -> None:
        """Switch it off, and tell."""
        log.warning("a webhook endpoint is switched off", endpoint=endpoint["id"], why=reason)
        await self._store.step(
            "N1", endpoint["mailbox_id"] or SYSTEM_MAILBOX, by=ITSELF,
            data={"endpoint_id": endpoint["id"], "reason": reason}, endpoint_id=endpoint["id"], reason=reason,
        )  # fmt: skip
