"""Small pools of connections, and what each connection is told once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson

from gatepost_store.errors import StoreUnavailable
from gatepost_store.settings import StoreSettings

Record = asyncpg.Record
Pool = asyncpg.Pool
Connection = Any


class _Kept(asyncpg.Connection):
    """A connection that is not reset between uses.

    Resetting costs a round trip at each release, more than many of our reads; nothing here sets a session variable,
    listens or takes a session's advisory lock on a pooled connection, and open transactions are rolled back anyway.
    """

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


_AWAY_CLASSES = ("08", "53", "57", "58")
_AWAY_CODES = frozenset(("40001", "40P01", "55P03"))


def is_away(error: BaseException) -> bool:
    """True when trying again may help: the connection, not the statement, is at fault."""
    if isinstance(error, asyncpg.PostgresError):
        code = str(getattr(error, "sqlstate", "") or "")
        return code[:2] in _AWAY_CLASSES or code in _AWAY_CODES
    if isinstance(error, ValueError):  # asyncpg's own DataError: an argument that does not fit
        return False
    # InternalClientError: the server vanished under a statement that was being prepared
    lost = asyncpg.InterfaceError | asyncpg.InternalClientError | OSError | TimeoutError | EOFError
    return isinstance(error, lost)


@asynccontextmanager
async def as_unavailable() -> AsyncIterator[None]:
    """What is temporary leaves as StoreUnavailable."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        if is_away(error):
            raise StoreUnavailable(type(error).__name__) from error
        raise


async def speak_json(connection: Connection) -> None:
    """JSONB values are Python objects on this connection."""
    for kind in ("jsonb", "json"):
        await connection.set_type_codec(
            kind,
            encoder=lambda value: orjson.dumps(value, default=str).decode(),
            decoder=orjson.loads,
            schema="pg_catalog",
        )


async def open_pool(url: str, name: str, size: int, settings: StoreSettings) -> Pool:
    """A pool whose statements cannot hang for ever."""
    pool = asyncpg.create_pool(
        url, min_size=1, max_size=size, connection_class=_Kept,
        command_timeout=settings.command_timeout_s, timeout=settings.connect_timeout_s,
        statement_cache_size=settings.statement_cache, init=speak_json, max_inactive_connection_lifetime=300,
        server_settings={"application_name": name, "lock_timeout": f"{int(settings.lock_timeout_s * 1000)}ms"},
    )  # fmt: skip
    async with as_unavailable():
        return await pool


async def connect(url: str, name: str, settings: StoreSettings) -> Connection:
    """One connection of our own, without codecs: the writer hands over text."""
    return await asyncpg.connect(
        url, command_timeout=settings.command_timeout_s, timeout=settings.connect_timeout_s,
        statement_cache_size=settings.statement_cache,
        server_settings={"application_name": name, "lock_timeout": f"{int(settings.lock_timeout_s * 1000)}ms"},
    )  # fmt: skip
