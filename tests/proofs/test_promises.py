"""The promises hold in every reachable state, no row is dead, and broken tables are found out."""

from __future__ import annotations

import pytest

from gatepost_oversight.credential import Role
from gatepost_oversight.lifecycle import BY_ID, MOVES
from gatepost_oversight.move import On
from gatepost_oversight.states import State
from proofs.search import Found, search, without


@pytest.fixture(scope="module")
def found() -> Found:
    return search(MOVES)


def test_no_promise_is_broken(found: Found) -> None:
    assert () == found.violations[:3]
    assert found.states > 1000
    print(f"\n{found.states} states, {found.steps} steps, no violation")


def test_no_row_is_dead(found: Found) -> None:
    """T10d needs a second recipient only to be of use, so it fires here too."""
    outbound = {m.id for m in MOVES if m.on in {On.MESSAGE, On.DELIVERY}} - {"T03", "T04"}
    assert set() == outbound - found.fired


def _guard(row: str, *names: str):
    kept = tuple((name, expr) for name, expr in BY_ID[row].guard if name not in names)
    assert len(kept) < len(BY_ID[row].guard)
    return kept


def _sets(row: str, *names: str):
    return tuple((name, expr) for name, expr in BY_ID[row].set if name not in names)


CONTROLS = {
    "the author approves": ("T11", {"guard": _guard("T11", "NOT_AUTHOR")}, "the author never approves"),
    "a claim forgets the mode": ("T24", {"guard": _guard("T24", "RELEASABLE")}, "gated means approved"),
    "a retry forgets the pause": ("T25", {"guard": _guard("T25", "NOT_PAUSED")}, "off means off"),
    "a retry forgets suppression": ("T25", {"guard": _guard("T25", "NOT_SUPPRESSED")}, "the suppressed"),
    "an edit keeps approvals": ("T14", {"set": _sets("T14", "ok1", "ok1_hash", "ok2", "ok2_hash")}, "an edit drops"),
    "policy frees a rewrite": ("T19", {"dst": State.RELEASED, "releases": True}, "once held"),
    "an agent approves": ("T11", {"roles": BY_ID["T11"].roles | {Role.AGENT}, "guard": _guard("T11", "NOT_AUTHOR")}, "only reviewers"),
    "an edit after an attempt": ("T14", {"guard": _guard("T14", "NEVER_TRIED")}, "content is frozen"),
    "accepted without an intent": ("T28", {"guard": ()}, "delivered only after"),
    "a way out of rejected": ("T11", {"src": BY_ID["T11"].src | {State.REJECTED}}, "the end is the end"),
    "the same person twice": ("T13", {"guard": _guard("T13", "OTHER_PERSON")}, "what enters released"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTROLS)
def test_a_broken_table_is_found_out(name: str) -> None:
    """A search that finds nothing wrong anywhere would prove nothing."""
    row, changes, promise = CONTROLS[name]
    violations = search(without(MOVES, row, **changes), until=promise).violations

    assert any(why.startswith(promise) for why, _, _ in violations)
