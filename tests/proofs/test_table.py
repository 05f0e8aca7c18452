"""Everything that `make prove` proves, and that its proofs can fail."""

from __future__ import annotations

import pytest

from gatepost_oversight.lifecycle import BY_ID
from gatepost_oversight.terms import SENTENCES
from proofs import report
from proofs.controls import CONTROLS, without
from proofs.engine import ALIVE, prove

BY_SEARCH = report.reachable  # test_promises.py runs it, with its own controls


@pytest.mark.parametrize("part", [p for p in report.PARTS if p is not BY_SEARCH], ids=lambda part: part.__name__)
def test_every_claim_holds(part) -> None:
    """A broken claim comes with the step that breaks it."""
    done = part()

    assert [] == list(report.failures(done))
    assert done.tally.total > 0


def test_a_broken_claim_is_told_in_words() -> None:
    """Who did what, from where to where: a person can follow it without knowing the solver."""
    broken = prove([without("RELEASABLE")(BY_ID["T24"])], about="1.", stop=True).broken

    assert ["1. gated means approved"] == [b.claim for b in broken]
    story = broken[0].story
    assert story[0].startswith("row T24 claim, by system")
    assert any("sending" in line and "->" in line for line in story)


def test_a_dead_row_is_noticed() -> None:
    """A guard that nothing meets would keep every promise."""
    never = BY_ID["T24"]
    dead = type(never)(**{**never.__dict__, "guard": (*never.guard, ("STATE", ("const", False)))})

    assert [ALIVE] == [b.claim for b in prove([dead]).broken]


def test_a_failed_part_makes_the_exit_code_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part() -> report.Part:
        return report.Part("one row", prove([without("RELEASABLE")(BY_ID["T24"])], about="1."), 0.0)

    monkeypatch.setattr(report, "run", lambda: iter([part()]))

    assert 1 == report.main()
    said = capsys.readouterr().out
    assert "BROKEN  1. gated means approved  [T24]" in said
    assert "FAILED" in said


def test_there_are_enough_controls_and_each_names_a_row() -> None:
    assert len(CONTROLS) >= 20
    assert {c.row for c in CONTROLS} <= set(BY_ID)
    assert all(SENTENCES[name] for row in BY_ID.values() for name in row.guard_names)
