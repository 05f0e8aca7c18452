"""The page about the proofs says what the proofs say."""

from __future__ import annotations

from gatepost_oversight.lifecycle import BY_ID
from proofs.controls import CONTROLS
from proofs.mutation import SURVIVORS, reviewed
from proofs.protocol_controls import CONTROLS as FAULTS
from proofs.report import ASSUMPTIONS
from support.documents import ROOT

PAGE = (ROOT / "docs/proofs.md").read_text("utf-8")


def test_every_printed_assumption_stands_on_the_page() -> None:
    assert [] == [text for text in ASSUMPTIONS if f"* {text}" not in PAGE]


def test_the_page_counts_what_there_is() -> None:
    assert f"{len(CONTROLS) + 14} named broken tables" in PAGE
    assert {10: "ten"}[len(FAULTS)] + " faults" in PAGE


def test_every_survivor_names_a_row_and_stands_under_a_reason() -> None:
    """A list that nobody reviewed would be a list of holes."""
    text = SURVIVORS.read_text("utf-8")
    first_reason = text.index("[")

    assert {name.split()[0] for name in reviewed()} <= set(BY_ID)
    assert all(text.index(f"\n{name}\n") > first_reason for name in reviewed())
