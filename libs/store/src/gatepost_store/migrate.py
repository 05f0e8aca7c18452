"""Bring a database to the schema of this release: numbered SQL files once, generated functions and rights when they changed.

`NNNN_pre_<what>.sql` runs before the new code, `NNNN_post_<what>.sql` after it. Each file runs in one transaction under
an advisory lock, and is remembered with its checksum; a file that was changed afterwards is refused.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
from collections.abc import Mapping
from importlib import resources
from typing import Any

import asyncpg

from gatepost_oversight.sql import render_functions
from gatepost_store.errors import MigrationRefused
from gatepost_store.settings import MigrateSettings

LOCK = 0x67617465706F7374 % 2**63
ROLES = ("gp_ingest", "gp_drafter", "gp_gatekeeper", "gp_sender", "gp_notifier", "gp_api")
_TABLE = """CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


async def migrate(url: str, *, passwords: Mapping[str, str] | None = None, post: bool = True) -> list[str]:
    """Apply what is missing; says what it did. `passwords` maps role to password and lets those roles log in."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        await connection.execute("SET client_min_messages = warning")
        await connection.execute(_TABLE)
        done = await _roles(connection, passwords or {})
        done += await _files(connection, post=post)
        done += await _repeatable(connection, "generated functions", render_functions())
        done += await _repeatable(connection, "rights", _text("grants.sql"))
        return done
    finally:
        await connection.close()


async def pending(url: str) -> list[str]:
    """The files of this release that the database has not seen; raises MigrationRefused for one that changed."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
            return [name for name, _ in files()]
        return [name for name, _ in await _unseen(connection)]
    finally:
        await connection.close()


def files() -> list[tuple[str, str]]:
    """The migrations of this release in order: (name, SQL)."""
    folder = resources.files("gatepost_store") / "migrations"
    found = sorted((item.name, item.read_text("utf-8")) for item in folder.iterdir() if item.name.endswith(".sql"))
    for name, text in found:
        if not re.fullmatch(r"\d{4}_(pre|post)_[a-z0-9_]+\.sql", name) or not text.startswith("-- migrate:up"):
            raise MigrationRefused(f"{name}: name it NNNN_pre_what.sql and begin it with -- migrate:up")
    return found


async def schema_version(url: str) -> str | None:
    """The newest migration that the database has seen."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('schema_migration') IS NULL"):
            return None
        name: str | None = await connection.fetchval("SELECT max(name) FROM schema_migration WHERE name LIKE '%.sql'")
        return name
    finally:
        await connection.close()


def newest_pre() -> str:
    """The migration that this release needs at the least."""
    return [name for name, _ in files() if "_pre_" in name][-1]


async def _files(connection: Any, *, post: bool) -> list[str]:
    done = []
    for name, text in await _unseen(connection):
        if "_post_" in name and not post:
            continue
        async with connection.transaction():
            await connection.execute(text)
            await connection.execute("INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)", name, _sha256(text))
        done.append(f"applied {name}")
    return done


async def _unseen(connection: Any) -> list[tuple[str, str]]:
    seen = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM schema_migration")}
    for name, text in files():
        if name in seen and seen[name] != _sha256(text):
            raise MigrationRefused(f"{name} was changed after it had been applied; write a new file instead")
    return [(name, text) for name, text in files() if name not in seen]


async def _repeatable(connection: Any, what: str, text: str) -> list[str]:
    digest = _sha256(text)
    if await connection.fetchval("SELECT sha256 FROM schema_migration WHERE name = $1", what) == digest:
        return []
    async with connection.transaction():
        await connection.execute(text)
        await connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES ($1, $2) "
            "ON CONFLICT (name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()",
            what,
            digest,
        )
    return [f"applied {what}"]


async def _roles(connection: Any, passwords: Mapping[str, str]) -> list[str]:
    """Make the roles that are missing. Names are ours, and passwords are quoted by Postgres itself."""
    done = []
    known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
    for role in ROLES:
        if role not in known:
            await connection.execute(f"CREATE ROLE {role} NOLOGIN")
            done.append(f"made role {role}")
        if role in passwords:
            quoted = await connection.fetchval("SELECT quote_literal($1)", passwords[role])
            await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD {quoted}")
    return done


def _text(name: str) -> str:
    return (resources.files("gatepost_store") / name).read_text("utf-8")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    """`gatepost-migrate`: for operators without the whole command."""
    argparse.ArgumentParser(
        prog="gatepost-migrate", description="Apply the schema; reads GATEPOST_DATABASE_URL[_FILE]."
    ).parse_args()
    url = MigrateSettings().database_url_text()
    if url is None:
        sys.stderr.write("set GATEPOST_DATABASE_URL or GATEPOST_DATABASE_URL_FILE\n")
        return 2
    for line in asyncio.run(migrate(url)) or ["nothing to do"]:
        sys.stdout.write(line + "\n")
    return 0
