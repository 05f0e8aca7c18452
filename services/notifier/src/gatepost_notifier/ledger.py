"""Reading and writing the rows of deliveries and endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from gatepost_notifier.retry import Next, Outcome, Verdict
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Store

log = structlog.get_logger()
SYSTEM_MAILBOX = "mbx_system"
ITSELF = Actor(role=Role.SYSTEM, principal=None, actor="notifier", door="timer")
_STATE = {Next.DONE: "delivered", Next.RETRY: "pending", Next.FAILED: "failed", Next.DISABLE: "disabled"}


@dataclass(frozen=True)
class Tried:
    """One attempt that was made: of what, to whom, what came and what follows."""

    endpoint: Any
    row: Any
    outcome: Outcome
    verdict: Verdict
    rests_s: float | None = None  # the endpoint is not tried for so long now


class Ledger:
    """The notifier's own tables; each statement is safe to repeat."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def endpoints_due(self) -> list[Any]:
        """Endpoints that something is due for."""
        return list(await self._store.fetch("endpoints_due"))

    async def claim(self, free: Mapping[str, int], lease_s: float) -> list[Any]:
        """Deliveries to try now, so many of each endpoint; ours until the lease ends."""
        return list(await self._store.fetch("claim", list(free), list(free.values()), lease_s))

    async def give_back(self, ids: Sequence[str]) -> None:
        """Attempts that did not begin are not counted."""
        await self._store.execute("give_back", list(ids))

    async def record(self, tried: Sequence[Tried]) -> None:
        """Write a batch of attempts down. Who ran out of attempts is told of first: twice rather than never."""
        for one in tried:
            if one.verdict.next is Next.FAILED:
                await self._tell_exhausted(one.row)
        columns = [
            (t.row["id"], _STATE[t.verdict.next], t.verdict.wait_s, t.outcome.status, t.outcome.excerpt,
             t.outcome.error, t.outcome.latency_ms, t.row["attempts"]) for t in tried
        ]  # fmt: skip
        await self._store.execute("outcomes", *map(list, zip(*columns, strict=True)))
        await self.promote([(t.endpoint["id"], t.row["thread_id"]) for t in tried if t.verdict.next is not Next.RETRY])
        if reached := sorted({t.endpoint["id"] for t in tried if t.verdict.next is Next.DONE}):
            await self._store.execute("succeeded", reached)

    async def promote(self, threads: Sequence[tuple[str, str | None]]) -> None:
        """Let the next of these (endpoint, thread) be tried."""
        known = sorted({(endpoint, thread) for endpoint, thread in threads if thread is not None})
        if known:
            await self._store.execute("promote", [e for e, _ in known], [t for _, t in known])

    async def tidy(self) -> None:
        """What a crash left behind, and what waits for endpoints that are no more."""
        await self._store.execute("end_with_endpoint")
        await self._store.execute("promote_endpoints", None)

    async def how_many_fail(self) -> int:
        """Endpoints that are switched on and that nothing reaches."""
        return int(await self._store.fetchval("how_many_fail"))

    async def failing(self, endpoint: Any, error: str, rests_s: float | None) -> datetime:
        """Note why it failed and how long it rests; since when nothing has reached it."""
        since = await self._store.fetchval("failing", endpoint["id"], error, rests_s)
        since = since or await self._store.fetchval("failing_since", endpoint["id"])
        return since if isinstance(since, datetime) else datetime.now(UTC)

    async def old_secret_used(self, endpoint_id: str) -> None:
        """The old secret of a rotation has signed."""
        await self._store.execute("old_secret_used", endpoint_id)

    async def disable(self, endpoint: Any, reason: str) -> None:
        """Switch it off, and tell."""
        log.warning("a webhook endpoint is switched off", endpoint=endpoint["id"], why=reason)
        await self._store.step(
            "N1", endpoint["mailbox_id"] or SYSTEM_MAILBOX, by=ITSELF,
            data={"endpoint_id": endpoint["id"], "reason": reason}, endpoint_id=endpoint["id"], reason=reason,
            tenant_id=endpoint["tenant_id"],
        )  # fmt: skip
        await self._store.execute("end_with_endpoint")

    async def _tell_exhausted(self, delivery: Any) -> None:
        await self._store.step(
            "N2", delivery["mailbox_id"], by=ITSELF,
            data={
                "endpoint_id": delivery["endpoint_id"], "webhook_delivery_id": delivery["id"],
                "about_event_id": delivery["event_id"],
            },
            endpoint_id=delivery["endpoint_id"], tenant_id=delivery["tenant_id"],
        )  # fmt: skip
