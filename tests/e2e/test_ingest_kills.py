"""Promise 1 at its hardest: the process that says 250 dies at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.ingest_kills import run

from support.installation import Installation

pytestmark = pytest.mark.check  # starts processes of its own, again and again


def test_a_killed_ingest_loses_nothing_that_got_a_250(tmp_path: Path) -> None:
    """The short form of `python -m bench.ingest_kills`: each mail with a 250 is there once and whole."""
    gatepost = Installation(tmp_path / "data", "--mode", "gated_all", "--mailbox", "two@demo.test=gated_all").start()
    try:
        table = run(gatepost, kills=6, mails=60, clients=6, seed=1)
    finally:
        gatepost.stop()

    assert {name: table[name] for name in ("lost", "doubled", "half", "no event")} == {
        "lost": 0, "doubled": 0, "half": 0, "no event": 0,
    }  # fmt: skip
    assert table["broken at"]
