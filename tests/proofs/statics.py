"""Claims about the tables as a whole: well formed, deterministic, never stuck, the effective mode, the policy, the doors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import z3

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_oversight.expr import OPERATORS, Expr
from gatepost_oversight.lifecycle import BY_ID, SENTENCES
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql_facts import FACTS
from gatepost_oversight.states import DERIVABLE, ENDED, State
from gatepost_oversight.terms import EFFECTIVE, GATED, READ_ONLY
from gatepost_oversight.vocabulary import expressions, unexplained
from gatepost_oversight.world import EFFECTS
from proofs import ownership
from proofs.claims import base_level, effective_level, gated
from proofs.engine import Broken, Tally, whole
from proofs.symbols import Bool, Symbolic, Term, both, implies, level, no
from proofs.system import algebra, enabled

FAMILIES = (
    ("T01", "T02", "T01r", "T02r"),
    ("T08", "T09", "T10"),
    ("T11", "T12", "T13"),
    ("T15a", "T15b"),
    ("T17", "T18"),
    ("T24", "T25"),
)
"""Rows among which a service chooses: no two may fire for the same actor and arguments."""
_TWINS = frozenset(
    {frozenset({"T01", "T01r"}), frozenset({"T02", "T02r"})}
)  # chosen by what the mail is: a report or not
MOVED = ("st", "st_delivery")


def lint(moves: Sequence[Move]) -> Iterator[str]:
    """What is malformed in the table, in words."""
    if len({m.id for m in moves}) != len(moves):
        yield "two rows have one id"
    if words := unexplained(moves):
        yield f"words that the vocabulary does not explain: {', '.join(sorted(words))}"
    for m in moves:
        if strange := {op for expr in expressions(m) for op in _operators(expr)} - OPERATORS:
            yield f"{m.id} uses operators that are not of the language: {sorted(strange)}"
        if silent := set(m.guard_names) - set(SENTENCES):
            yield f"{m.id} has conditions without a sentence: {sorted(silent)}"
        if unknown := set(m.emits) - set(EVENTS_BY_TYPE):
            yield f"{m.id} emits events that are not in the catalogue: {sorted(unknown)}"
        if not m.roles or not m.services or not m.doc:
            yield f"{m.id} lacks who, where or why"
        if (m.on in {On.NEW, On.WORLD}) != (not m.src):
            yield f"{m.id} has source states that fit no row of its kind"
        if m.does and m.does not in EFFECTS:
            yield f"{m.id} does what no effect describes: {m.does}"
        if m.on is On.WORLD and (m.dst or m.releases or m.takes_back or m.then):
            yield f"{m.id} is a world row and moves a mail"
        if {name for name, _ in m.set} & set(MOVED):
            yield f"{m.id} sets a state beside its own target"


def _operators(expr: Expr) -> Iterator[str]:
    yield expr[0]
    if expr[0] not in {"var", "arg", "const", "role", "principal"}:
        for part in expr[1:]:
            yield from _operators(part)


def _valid(claim: Bool, given: Bool = True) -> str | None:
    """None where the claim always holds; else a world in which it does not."""
    solver = z3.SolverFor("QF_LIA")
    solver.add(z3.BoolVal(given) if isinstance(given, bool) else given)
    negated = no(claim)
    solver.add(z3.BoolVal(negated) if isinstance(negated, bool) else negated)
    answer = solver.check()
    if answer == z3.unsat:
        return None
    return "the solver does not know" if answer == z3.unknown else str(solver.model())[:600]


def deterministic(moves: Sequence[Move], about: str | None = None) -> Iterator[tuple[str, str | None]]:
    """15. No two rows fire for one event, nor two of a family that services choose from."""
    world, known = whole()
    by_id = {m.id: m for m in moves}
    events: dict[str, list[str]] = {}
    for m in moves:
        events.setdefault(m.event, []).append(m.id)
    groups = [tuple(ids) for ids in events.values() if len(ids) > 1] + [f for f in FAMILIES if set(f) <= set(by_id)]
    for pair in sorted({frozenset(p) for g in groups for p in itertools.combinations(g, 2)} - _TWINS, key=sorted):
        if about is not None and about not in pair:
            continue
        first, second = (by_id[i] for i in sorted(pair))
        fires: list[Bool] = []
        for row in (first, second):
            moved = world.one if row.on is On.DELIVERY else None
            state = None if row.on in {On.NEW, On.WORLD} else moved["st_delivery"] if moved else world["st"]
            fires.append(enabled(row, algebra(row, world, moved), state=state))
        drafted = world["st"].is_("drafted") if pair & {"T08", "T09"} else True
        yield f"{first.id} and {second.id}", _valid(no(both(*fires, drafted)), known if first.src else True)


def ranks(moves: Sequence[Move]) -> Iterator[str]:
    """16. Every system step that ends waiting goes towards an end; there is one from each open state."""
    height = {state: n for n, state in enumerate((
        *sorted(ENDED), State.RECEIVED, State.UNCERTAIN, State.DEFERRED, State.SENDING, State.RELEASED, State.HELD,
        State.REVISING, State.DRAFTED, State.DRAFTING, State.QUARANTINED,
    ))}  # fmt: skip
    for state in set(State) - ENDED - {State.RECEIVED, State.UNCERTAIN}:
        down = [
            m
            for m in moves
            if state in m.src and "system" in m.roles and m.dst is not None and height[m.dst] < height[state]
        ]
        if not down:
            yield f"no system step leads from {state} towards an end"
    for state in ENDED & DERIVABLE:
        ways = {m.id for m in moves if m.on is On.DELIVERY and state in m.src}
        if ways - {"T30"}:
            yield f"{state} has a way out beside a late report: {sorted(ways - {'T30'})}"


def modes(effective: Expr = EFFECTIVE, gate: Expr = GATED, off: Expr = READ_ONLY) -> Iterator[tuple[str, str | None]]:
    """27. The table's own terms for the effective mode, judged by the definition written anew."""
    world, known = whole()
    a: Symbolic = algebra(BY_ID["T16"], world)
    own = a.of(effective)
    is_mode = both(own.there, own.among("read_only", "gated_all", "gated_send", "monitored", "autonomous"))
    ask = world["ask"]
    yield (
        "it is the strictest of base, ceiling and what was asked",
        _valid(both(is_mode, level(own) == effective_level(world)), known),
    )
    yield "it is never looser than base and ceiling", _valid(
        both(level(own) <= base_level(world), level(own) <= level(world.facts["ceiling"])), known)  # fmt: skip
    yield "without covers_ask it is never looser than the ask", _valid(
        implies(both(ask.there, no(world.covers_ask.value)), level(own) <= level(ask)), known)  # fmt: skip
    yield "an ask of gated_all is always gated", _valid(implies(ask.is_("gated_all"), a.of(gate).true), known)
    yield "gated means what it says", _valid(_same(a.of(gate), gated(world)), known)
    off_means = both(
        no(world.facts["mode"].is_("read_only")),
        no(world.facts["ceiling"].is_("read_only")),
        effective_level(world) > 0,
    )
    yield "read_only of mailbox, ceiling or ask is read_only", _valid(_same(a.of(off), no(off_means)), known)


def _same(term: Term, other: Bool) -> Bool:
    return both(implies(term.true, other), implies(other, term.true))


def turn() -> str | None:
    """C21. Read from the generated condition itself: what blocks a thread's next mail, and that uncertain does not."""
    text = FACTS[On.DELIVERY]["turn"]
    waits = (
        "o.state IN ('released', 'sending', 'deferred')" in text and "(o.queued_at, o.id) < (d.queued_at, d.id)" in text
    )
    return (
        None if waits else "an older delivery holds up the thread in another state than released, sending or deferred"
    )


def check(moves: Sequence[Move]) -> Tally:
    """All of it."""
    tally = Tally()

    def run(name: str, found: Callable[[], Iterable[tuple[str, str | None]]]) -> None:
        began = time.perf_counter()
        for part, problem in found():
            tally.asked[name] += 1
            if problem is not None:
                tally.broken.append(Broken(name, part, (problem,)))
        tally.seconds[name] += time.perf_counter() - began

    began = time.perf_counter()
    for name, row, problem in ownership.check(moves):
        tally.asked[name] += 1
        if problem is not None:
            tally.broken.append(Broken(name, row, (problem,)))
    tally.seconds["30. what happens is told, and nothing else"] += time.perf_counter() - began
    run("15. no two rows fire for one event", lambda: deterministic(moves))
    run(
        "16. nothing gets stuck: each open state leads towards an end",
        lambda: [("table", p) for p in ranks(moves)] or [("table", None)],
    )
    run("27. asking only tightens, within what a person granted", modes)
    run("C21. an older uncertain mail does not block a newer one", lambda: [("turn", turn())])
    return tally
