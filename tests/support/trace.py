"""After a test: do the audit records of its database lead to its rows?

Every fixture that gives a test a real database calls it. A test that edits rows by hand says so with the marker `by_hand`.
Rows that a fixture planted without records are left out: nothing is said of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import pytest

from gatepost_store.audit.trace import deviations


def _is_planted(subject: str, records: Sequence[Mapping[str, Any]]) -> bool:
    """Its first record is not a birth, so its row was not made by a step; mailboxes are the fixtures' own to change."""
    return subject.startswith("mbx_") or not records or records[0].get("seq") != 1 or records[0].get("from") is not None


_EDITED: set[str] = set()
"""Mails that a test marked `by_hand` has left broken in a database that others use after it."""


async def trace_holds(url: str, request: pytest.FixtureRequest | None = None, *, is_live: bool = False) -> None:
    """Fail the test whose steps the table does not allow, or whose rows its steps do not lead to."""
    connection = await asyncpg.connect(url)
    try:
        broken = [one async for one in deviations(connection, is_live=is_live, leave_out=_is_planted)]
    finally:
        await connection.close()
    if request is not None and request.node.get_closest_marker("by_hand") is not None:
        _EDITED.update(one.subject for one in broken)
    found = [str(one) for one in broken if one.subject not in _EDITED]
    if found:
        pytest.fail(f"{len(found)} subjects leave the table, or their rows the log:\n" + "\n".join(found[:10]))


def check_trace(url: str, request: pytest.FixtureRequest | None = None, *, is_live: bool = False) -> None:
    """The same for fixtures without a loop."""
    asyncio.run(trace_holds(url, request, is_live=is_live))
