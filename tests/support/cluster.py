"""One Postgres for a test run, and databases in it: each is a copy of one that was migrated once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from gatepost_embedded.postgres import Postgres
from gatepost_store.migrate import ROLES, migrate

PASSWORD = "secret"
"""Of every service's role."""


@dataclass(frozen=True)
class Database:
    """The schema of this release, with rows of its own."""

    server: Postgres
    name: str

    def url(self, user: str = "gatepost", password: str | None = None) -> str:
        """How a client reaches it: as the owner, or as a role."""
        return self.server.url(user, password, self.name)

    def psql(self, sql: str) -> str:
        """Run SQL as the owner and give its rows, one a line, columns parted by `|`."""
        return self.server.psql(sql, database=self.name)


@dataclass(frozen=True)
class Cluster:
    """A running Postgres whose first database is the model of the others."""

    server: Postgres
    numbers: Iterator[int] = field(default_factory=count)

    def database(self) -> Database:
        """A new one; a copy takes a tenth of the time that a server of its own does."""
        name = f"test{next(self.numbers)}"
        self.server.psql(f"CREATE DATABASE {name} TEMPLATE gatepost", database="postgres")
        return Database(self.server, name)


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster with the schema and the roles in place, ended by pid."""
    server = Postgres(folder, sync_new_files=False, settings={"fsync": "off"})
    server.start()
    try:
        asyncio.run(migrate(server.url(), passwords=dict.fromkeys(ROLES, PASSWORD)))
        yield Cluster(server)
    finally:
        server.stop()
