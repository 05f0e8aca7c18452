"""An installation held still: what lies in its tables and streams while none of its services can do anything.

Whoever works meanwhile is the only one who can have changed what differs afterwards. So every table counts, also those
that timers write.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import nats

from support.installation import Installation

SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'gp\\_%' AND xact_start IS NOT NULL"
_DIGEST = "SELECT format('%s rows %s', count(*), sum(hashtextextended(t.xmin::text || t::text, 0)::numeric)) FROM {} t"


@contextmanager
def standing_still(installation: Installation, services: Sequence[str] = SERVICES) -> Iterator[None]:
    """These services stop where they are, with no transaction open, and go on at the end."""
    pids = [installation.pids[name] for name in services]
    until = time.monotonic() + 30
    while not _stopped(installation, pids):
        _send(pids, signal.SIGCONT)
        assert time.monotonic() < until, "there is always a transaction open"
        time.sleep(0.05)
    try:
        yield
    finally:
        _send(pids, signal.SIGCONT)


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def _stopped(installation: Installation, pids: Sequence[int]) -> bool:
    _send(pids, signal.SIGSTOP)
    for _ in range(20):
        if asyncio.run(_ask(installation, _OPEN)) == 0:
            return True
        time.sleep(0.05)
    return False


async def _ask(installation: Installation, question: str) -> Any:
    owner = await asyncpg.connect(installation.info["database_url"])
    try:
        return await owner.fetchval(question)
    finally:
        await owner.close()


def everything(installation: Installation) -> dict[str, Any]:
    """A digest of every table, rewritten rows included, and the state of both streams with their durables."""
    return asyncio.run(_tables(installation)) | asyncio.run(_streams(installation))


async def _tables(installation: Installation) -> dict[str, Any]:
    owner = await asyncpg.connect(installation.info["database_url"])
    try:
        names = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return {name: await owner.fetchval(_DIGEST.format(name)) for (name,) in map(tuple, names)}
    finally:
        await owner.close()


async def _streams(installation: Installation) -> dict[str, Any]:
    client = await nats.connect(installation.info["nats_url"])
    try:
        js, found = client.jetstream(), dict[str, Any]()
        for stream in ("EVENTS", "DEAD"):
            state = (await js.stream_info(stream)).state
            found[stream] = (state.messages, state.bytes, state.first_seq, state.last_seq)
            for durable in await js.consumers_info(stream):
                found[f"{stream} {durable.name}"] = (durable.num_pending, durable.num_ack_pending, durable.ack_floor)
        return found
    finally:
        await client.close()


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What differs, with both values."""
    return {n: (before.get(n), after.get(n)) for n in {*before, *after} if before.get(n) != after.get(n)}
