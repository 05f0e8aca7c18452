"""The lifecycle table as data: well formed, every name explained, every expression closed."""

from __future__ import annotations

import dataclasses
import itertools
import random
from typing import Any

import pytest

from gatepost_contracts.catalogue import CATALOGUE, EVENTS_BY_TYPE
from gatepost_oversight.credential import Role, allows, roles_of, scope_conflict
from gatepost_oversight.digest import policy_digest
from gatepost_oversight.evaluate import failed_conjuncts
from gatepost_oversight.expr import OPERATORS, Values, evaluate, names
from gatepost_oversight.lifecycle import BY_ID, MOVES, SENTENCES
from gatepost_oversight.mode import Mode, effective
from gatepost_oversight.move import On
from gatepost_oversight.sql import SERVICES, render_functions, rows_of, statements
from gatepost_oversight.sql_parts import ARGUMENT_NAMES, to_sql
from gatepost_oversight.states import DELIVERY_STATES, ENDED, State, derive
from gatepost_oversight.terms import EFFECTIVE
from gatepost_oversight.vocabulary import unexplained


def _expressions():
    for row in MOVES:
        yield from ((row, condition) for _, condition in row.guard)
        yield from ((row, value) for _, value in row.set)


def _operators(expr):
    yield expr[0]
    if expr[0] not in {"var", "arg", "const", "role", "principal"}:
        for part in expr[1:]:
            yield from _operators(part)


def test_ids_are_unique_and_none_is_reused() -> None:
    assert len(BY_ID) == len(MOVES)
    assert "T23" not in BY_ID
    wanted = (
        {f"T{n:02}" for n in range(1, 35)} - {"T15", "T23"} | {"T15a", "T15b", "R1"} | {f"W{n}" for n in range(1, 10)}
    )
    assert wanted <= set(BY_ID)


def test_only_fourteen_operators() -> None:
    assert 14 == len(OPERATORS)
    assert {operator for _, expr in _expressions() for operator in _operators(expr)} <= OPERATORS


def test_every_conjunct_has_its_sentence() -> None:
    assert set() == {name for row in MOVES for name in row.guard_names} - set(SENTENCES)


def test_every_event_is_in_the_catalogue_and_its_owners_run_the_row() -> None:
    owners = {entry.model.type: set(entry.owners) for entry in CATALOGUE}
    for row in MOVES:
        for kind in row.emits:
            assert kind in EVENTS_BY_TYPE
            assert set(row.services) <= owners[kind] or row.id == "T33"


def test_every_variable_has_its_place_in_the_database() -> None:
    """SQL can be written for every expression, and every argument is one that a command may carry."""
    for row, expr in _expressions():
        assert to_sql(expr, row.on)
        assert set(names(expr, "arg")) <= ARGUMENT_NAMES | {"actor", "actor_key"}


def test_every_service_has_its_function() -> None:
    text = render_functions()
    assert all(f"CREATE FUNCTION step_{service}(" in text for service in SERVICES)
    assert {row.id for row in MOVES} == {row.id for service in SERVICES for row in rows_of(service)}
    assert "SECURITY DEFINER" not in text


def test_nothing_leaves_an_end_but_a_late_report() -> None:
    out = {(row.id, state) for row in MOVES for state in row.src & ENDED}
    assert {("T30", State.DELIVERED)} == out


def test_every_word_of_the_table_is_explained() -> None:
    """The prover takes sorts from the vocabulary; a word that is not there would have none."""
    assert frozenset() == unexplained(MOVES)
    stranger = dataclasses.replace(BY_ID["T09"], guard=(("STATE", ("eq", ("var", "moon"), ("arg", "tide"))),))
    assert {"moon", "arg tide"} == unexplained((stranger,))


def test_only_what_sets_the_grant_of_a_mode_reads_it_from_the_command() -> None:
    """A claim that names somebody else's grant would loosen its own mode."""
    for row in MOVES:
        if row.on in {On.MESSAGE, On.DELIVERY}:
            takes = any(name == "mode_grant_id" for name, _ in row.set)
            text = " ".join(statements(row, row.services[0]))
            assert takes or "coalesce(c.mode_grant_id, m.mode_grant_id) AND" not in text


def test_the_digest_is_stable() -> None:
    assert policy_digest() == policy_digest()
    assert 64 == len(policy_digest())


@pytest.mark.parametrize("present", list(itertools.combinations_with_replacement(DELIVERY_STATES, 2)))
def test_the_least_finished_delivery_names_the_mail(present) -> None:
    assert DELIVERY_STATES[min(DELIVERY_STATES.index(s) for s in present)] == derive(present)


def test_the_effective_mode_is_one_and_the_same() -> None:
    """The function that services show and the expression that steps run agree on every input."""
    modes: list[Any] = list(Mode)
    for mode, ceiling, granted, ask, covers in itertools.product(
        modes, modes, [None, *modes], [None, *modes], (False, True)
    ):
        values: Values[Any] = Values(
            {"mode": mode, "ceiling": ceiling, "granted_mode": granted, "ask": ask, "covers_ask": covers}, {}
        )
        assert effective(mode, ceiling, ask, granted=granted, covers_ask=covers) == evaluate(EFFECTIVE, values)


def test_asking_only_tightens() -> None:
    modes = list(Mode)
    for mode, ceiling, granted, ask in itertools.product(modes, modes, modes, modes):
        found = effective(mode, ceiling, ask, granted=granted)
        assert found.level <= min(granted.level, ceiling.level, ask.level)


def test_refusals_name_what_failed() -> None:
    variables = {name: None for row, expr in _expressions() for name in names(expr, "var")}
    variables |= {"st": "held", "version": 3, "drafter": "prn_a", "content": "x", "two_person": False}
    failed = failed_conjuncts("T11", variables, {"version": 3, "seen_hash": "y"}, "reviewer", "prn_a")
    assert ("NOT_AUTHOR", "SEEN", "UNFINISHED") == failed
    assert "VERSION" in failed_conjuncts("T11", variables, {}, "reviewer", "prn_b")


def test_nothing_counts_as_false() -> None:
    """Random environments with gaps never raise and never let a missing fact pass as true."""
    generator = random.Random(1)
    for row in MOVES:
        wanted = {name for r, expr in _expressions() if r is row for name in names(expr, "var")} | {
            "st",
            "st_delivery",
            "version",
        }
        for _ in range(20):
            variables = {name: generator.choice([None, None, True, False, "held", "gated_send", 1]) for name in wanted}
            failed_conjuncts(row, {n: v if not isinstance(v, str) or n not in {"rounds"} else 1 for n, v in variables.items()} |  # noqa: FURB171
                             {"rounds": 1, "attempts": 1, "rounds_max": 3, "revision": 1, "rev_n": 2, "release": 1, "of_release": 1}, {}, "system", None)  # fmt: skip


def test_roles_and_scopes() -> None:
    assert {Role.REVIEWER} == roles_of({"read", "oversight"}, "person")
    assert {Role.OPERATOR} == roles_of({"admin"}, "person")
    assert {Role.AGENT} == roles_of({"admin"}, "agent")
    assert {Role.AGENT} == roles_of({"read", "send"}, "person")
    assert scope_conflict({"send", "oversight"})
    assert scope_conflict({"fly"})
    assert scope_conflict({"read", "send", "oversight_read"}) is None
    assert allows({"oversight"}, "oversight_read")
    assert not allows({"read"}, "send")


def test_birth_and_world_rows_touch_no_mail() -> None:
    for row in MOVES:
        assert (row.on in {On.NEW, On.WORLD}) == (not row.src)
        if row.on is On.WORLD:
            assert row.dst is None
            assert {name for name, _ in row.set} <= {
                "mode", "ceiling", "two_person", "policy_block", "covers_ask",
            }  # fmt: skip
