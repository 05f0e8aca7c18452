"""Every named statement of every service is one that the schema understands, for the role that runs it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import asyncpg
import pytest

from gatepost_embedded.postgres import Postgres
from gatepost_store import Queries
from gatepost_store.migrate import ROLES, migrate

PACKAGES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("statements"), sync_new_files=False)
    server.start()
    yield server
    server.stop()


def test_there_is_something_to_check() -> None:
    assert all(importlib.util.find_spec(f"gatepost_{name}") for name in PACKAGES)


@pytest.mark.parametrize("service", [*PACKAGES, "cli"])
async def test_the_schema_understands_every_statement(postgres: Postgres, service: str) -> None:
    """Prepared and planned as the service's own role, so that a missing right shows too."""
    await migrate(postgres.url(), passwords=dict.fromkeys(ROLES, "x"))
    queries = Queries.of(f"gatepost_{service}")
    url = postgres.url() if service == "cli" else postgres.url(f"gp_{service}", "x")
    connection = await asyncpg.connect(url)
    wrong: dict[str, str] = {}
    try:
        for name in list(queries):
            try:
                statement = await connection.prepare(queries[name])
                blanks = ", ".join("NULL" for _ in statement.get_parameters())
                if queries[name].lstrip("- ").split()[0].upper() != "LISTEN":
                    await connection.execute(f'PREPARE "{name}" AS {queries[name]}')
                    await connection.execute(f'EXPLAIN EXECUTE "{name}"' + (f"({blanks})" if blanks else ""))
            except asyncpg.PostgresError as error:
                wrong[name] = f"{type(error).__name__}: {error}"
    finally:
        await connection.close()

    assert wrong == {}
    assert len(list(queries)) > 0
