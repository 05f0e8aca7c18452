"""Postgres for Gatepost: steps in group commits, an outbox, named SQL, migrations."""

from __future__ import annotations

from gatepost_store.errors import SchemaError, StepRefused, StoreError, StoreUnavailable
from gatepost_store.pool import Record
from gatepost_store.queries import Queries
from gatepost_store.settings import StoreSettings
from gatepost_store.step import Actor, Inserted, Moved, Stayed
from gatepost_store.store import Store

__all__ = [
    "Actor", "Inserted", "Moved", "Queries", "Record", "SchemaError", "Stayed", "StepRefused", "Store", "StoreError",
    "StoreSettings", "StoreUnavailable",
]  # fmt: skip
