"""The log's writer as a loop of the gatekeeper, and what it shows to the outside.

Of several replicas one places at a time; the others find nothing to do.
"""

from __future__ import annotations

import asyncio

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from gatepost_store import Store
from gatepost_store.audit.sequencer import ForeignKey, Q, Sequencer

log = structlog.get_logger()


class LogWriter:
    """Runs the sequencer."""

    def __init__(self, store: Store, sequencer: Sequencer, registry: CollectorRegistry, *, interval_s: float) -> None:
        self._store, self._sequencer, self._interval_s = store, sequencer, interval_s
        self._placed = Counter("gatepost_audit_placed", "Records given a place in the log.", registry=registry)
        self._size = Gauge("gatepost_audit_size", "Records in the log.", registry=registry)
        self._waiting_s = Gauge("gatepost_audit_waiting_seconds", "How long the oldest record waits for a place.",
                                registry=registry)  # fmt: skip

    async def run(self) -> None:
        """For ever. A key that is not the log's stops this loop's work, loudly, and nothing else."""
        told = False
        while True:
            try:
                placed = await self._sequencer.place()
            except ForeignKey as reason:
                if not told:
                    log.error("the log does not grow", reason=str(reason))  # noqa: TRY400 (no trace helps here)
                    told = True
                await asyncio.sleep(15)
                continue
            if placed is not None:
                self._placed.inc(placed.records)
                self._size.set(placed.size)
            if placed is None or placed.records == 0:
                row = await self._store.reading.fetchrow(Q["backlog"])
                self._waiting_s.set(row["oldest_s"] or 0 if row is not None else 0)
            if placed is None or placed.records < self._sequencer.batch:
                await asyncio.sleep(self._interval_s)
