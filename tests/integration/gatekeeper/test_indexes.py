"""What the gate asks at each draft costs what it finds, not what there is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.gatekeeper.house import House

from gatepost_store import Queries


@pytest.mark.parametrize(
    ("name", "arguments", "index"),
    [
        (
            "surroundings",
            ("ten_x", "mbx_x", ["a@b.c"], "prn_a", "msg_0", 1, "thr_x", "msg_x", "msg_y"),
            "message_person_tags",
        ),
        ("sample_reviews", ("mbx_x", "faq", datetime(2026, 1, 1, tzinfo=UTC)), "message_sampled"),
        ("count_try", ("mbx_x",), "upgrade_request_mailbox"),
    ],
)
async def test_what_is_asked_with_every_draft_has_its_index(
    house: House, name: str, arguments: tuple[Any, ...], index: str
) -> None:
    """However long a thread or a history is, the whole of it is never read."""
    await house.owner.execute("SET enable_seqscan = off")
    rows = await house.owner.fetch("EXPLAIN " + Queries.of("gatepost_gatekeeper")[name], *arguments)

    assert index in "\n".join(row[0] for row in rows)
