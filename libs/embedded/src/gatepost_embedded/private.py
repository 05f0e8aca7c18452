"""A NATS or a Postgres for the length of a `with`, for tests: free ports, a folder of its own, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatepost_embedded.nats import Nats
from gatepost_embedded.postgres import Postgres


@contextmanager
def private_nats(folder: Path, *, users_conf: str = "", max_payload: int = 1_048_576) -> Iterator[Nats]:
    """A running NATS with JetStream in `folder`/nats."""
    server = Nats(folder / "nats", users_conf=users_conf, max_payload=max_payload)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def private_postgres(folder: Path, *, settings: dict[str, str] | None = None) -> Iterator[Postgres]:
    """A running Postgres in `folder`/postgres, made without syncing its new files."""
    server = Postgres(folder / "postgres", sync_new_files=False, settings=settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
