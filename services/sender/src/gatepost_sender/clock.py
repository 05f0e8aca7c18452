"""The time as the database has it: leases, due times and retries of all senders are compared there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gatepost_store import Store


class DatabaseClock:
    """Our own clock, set right by the database's now and then."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC) + self._ahead

    async def read(self, store: Store) -> None:
        """Ask the database; half of the way there and back is taken off."""
        before = datetime.now(UTC)
        theirs: datetime = await store.fetchval("clock")
        self._ahead = theirs - (before + (datetime.now(UTC) - before) / 2)
