"""Which events become webhooks: all of them, through one durable, so that each thread's stay in order."""

from __future__ import annotations

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_notifier.desk import Desk
from gatepost_runtime import On


def handlers(workers: int) -> tuple[On, ...]:
    """The one row."""
    return (On(tuple(EVENTS_BY_TYPE.values()), Desk.tell, workers=workers, name="all"),)
