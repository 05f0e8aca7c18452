"""What can go wrong with the database, as callers see it."""

from __future__ import annotations


class StoreError(Exception):
    """Something about the store."""


class StoreUnavailable(StoreError):
    """The database is away or too busy. Temporary: try the whole unit of work again."""


class StepRefused(StoreError):
    """The database would not run a step: a right, an edge of the table, or a value it cannot hold."""


class SchemaError(StoreError):
    """The schema is not the one this code was written for."""


class MigrationRefused(SchemaError):
    """A migration cannot be applied: its name, its first line, or a change after it had been applied."""
