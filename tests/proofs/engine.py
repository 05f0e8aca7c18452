"""Runs the obligations: each lemma and each theorem times each way in which each row can fire.

An obligation holds when no step exists that meets every lemma before it and breaks the claim. What the solver cannot
decide counts as broken. One solver a row, one question an obligation.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import z3

from gatepost_oversight.move import Move, On
from gatepost_oversight.vocabulary import VARIABLE, Kind
from proofs.lemmas import LEMMAS, all_lemmas
from proofs.symbols import Bool, Term, both, no, spelled
from proofs.system import Step, fires, steps
from proofs.theorems import THEOREMS
from proofs.wholes import Whole, anything

TIMEOUT_MS = 10_000
ALIVE = "no row is dead"
_INDUCTIVE = frozenset({On.MESSAGE, On.DELIVERY, On.REVISION, On.NEW})


@dataclass(frozen=True)
class Broken:
    """A claim that some step breaks, with that step in words."""

    claim: str
    row: str
    story: tuple[str, ...]


@dataclass
class Tally:
    """What was asked, and how long it took."""

    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    broken: list[Broken] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All obligations."""
        return sum(self.asked.values())


_WHOLE, _KNOWN = anything()
_LEMMAS_BEFORE = all_lemmas(_WHOLE)


def obligations(step: Step) -> Iterator[tuple[str, Bool]]:
    """Every claim about this step."""
    if step.row.on in _INDUCTIVE:
        for name, lemma in LEMMAS.items():
            yield f"lemma: {name}", lemma(step.after)
    for theorem in THEOREMS:
        if step.row.on in theorem.on:
            yield f"{theorem.number}. {theorem.name}", theorem.claim(step)


def prove(moves: Iterable[Move], *, about: str = "", stop: bool = False) -> Tally:
    """All obligations of these rows, or those whose name begins so; `stop` at the first that fails."""
    tally = Tally()
    for row in moves:
        alive = False
        for step in steps(row, _WHOLE):
            alive = _prove_step(step, tally, about=about, stop=stop) or alive
            if stop and tally.broken:
                return tally
        tally.asked[ALIVE] += 1
        if not alive and not about:
            tally.broken.append(Broken(ALIVE, row.id, ("no whole that meets the lemmas lets it fire",)))
    return tally


def _prove_step(step: Step, tally: Tally, *, about: str, stop: bool) -> bool:
    """Ask for each claim; whether the row can fire at all."""
    solver = z3.SolverFor("QF_LIA")
    solver.set("timeout", TIMEOUT_MS)
    before = both(_KNOWN, _LEMMAS_BEFORE) if step.row.on is not On.NEW else _KNOWN
    for part in (before, step.fires, step.effects):
        _assert(solver, part)
    if not about and solver.check() == z3.unsat:
        return False
    for name, claim in obligations(step):
        if claim is True or not name.startswith(about):
            continue
        began = time.perf_counter()
        tally.asked[name] += 1
        found = _ask(solver, claim)
        tally.seconds[name] += time.perf_counter() - began
        if found is not None:
            tally.broken.append(Broken(name, step.row.id, tuple(_told(step, found))))
            if stop:
                return True
    return True


@dataclass
class Prepared:
    """A step with all that does not depend on the row's guard: asserted effects, and the claims as one formula."""

    step: Step
    solver: z3.Solver
    claims: Bool


_PREPARED: dict[tuple[Any, ...], list[Prepared]] = {}


def _prepared(row: Move) -> list[Prepared]:
    key = (row.id, row.dst, row.set, row.then, row.releases, row.takes_back, row.does)
    if key not in _PREPARED:
        if len(_PREPARED) > 4:
            _PREPARED.clear()
        _PREPARED[key] = []
        for step in steps(row, _WHOLE):
            solver = z3.SolverFor("QF_LIA")
            solver.set("timeout", TIMEOUT_MS)
            for part in (_KNOWN, _LEMMAS_BEFORE if row.on is not On.NEW else True, step.effects):
                _assert(solver, part)
            _PREPARED[key].append(Prepared(step, solver, both(*(claim for _, claim in obligations(step)))))
    return _PREPARED[key]


def catches(row: Move) -> bool:
    """Does any claim fail, or can the row never fire? One question for all claims together, so no names and no stories."""
    alive = False
    for each in _prepared(row):
        each.solver.push()
        _assert(each.solver, fires(row, each.step))
        fired = each.solver.check() != z3.unsat
        alive = alive or fired
        broken = fired and _ask(each.solver, each.claims) is not None
        each.solver.pop()
        if broken:
            return True
    return not alive


def _assert(solver: z3.Solver, formula: Bool) -> None:
    solver.add(z3.BoolVal(formula) if isinstance(formula, bool) else formula)


def _ask(solver: z3.Solver, claim: Bool) -> z3.ModelRef | str | None:
    """A step that breaks the claim; None where there is none."""
    solver.push()
    _assert(solver, no(claim))
    answer = solver.check()
    found: z3.ModelRef | str | None = None
    if answer == z3.sat:
        found = solver.model()
    elif answer == z3.unknown:
        found = f"the solver does not know: {solver.reason_unknown()}"
    solver.pop()
    return found


def _told(step: Step, model: z3.ModelRef | str) -> Sequence[str]:
    """The step as a person can read it: who, from what, to what."""
    if isinstance(model, str):
        return [model]
    row = step.row
    lines = [
        f"row {row.id} {row.event}, by {_value(model, step.role, Kind.TEXT)} {_value(model, step.principal, Kind.TEXT)}"
    ]
    seen = {name for _, condition in row.guard for name in _names(condition)} | {"st", "drafter", "content"}
    for name, before, after in _pairs(step, lambda exists: _shown(model, exists) == "True"):
        kind = VARIABLE[name.split(".")[-1]].kind if name.split(".")[-1] in VARIABLE else Kind.FLAG
        was, now = _value(model, before, kind), _value(model, after, kind)
        if was != now:
            lines.append(f"{name}: {was} -> {now}")
        elif name.split(".")[-1] in seen:
            lines.append(f"{name}: {was}")
    return lines


def _pairs(step: Step, told_of: Callable[[Bool], bool]) -> Iterator[tuple[str, Term, Term]]:
    before, after = step.before, step.after
    for name in before.mail:
        if VARIABLE[name].kind is not Kind.OTHER or name == "expires_at":
            yield name, before[name], after[name]
    for name in before.facts:
        yield name, before.facts[name], after.facts[name]
    for label, b, a in (("delivery", before.one, after.one), ("another", before.other, after.other)):
        if not told_of(b.exists) and not told_of(a.exists):
            continue
        for name in b.at:
            if VARIABLE[name].kind is not Kind.OTHER:
                yield f"{label}.{name}", b[name], a[name]
        yield f"{label}.suppressed", b.suppressed, a.suppressed


def _value(model: z3.ModelRef, term: Term, kind: Kind) -> str:
    if _shown(model, term.missing) == "True" or term.value is None:
        return "nothing"
    value = _shown(model, term.value)
    if kind in {Kind.NUMBER, Kind.FLAG} or not value.lstrip("-").isdigit():
        return value
    return spelled(int(value))


def _shown(model: z3.ModelRef, value: Any) -> str:
    return str(value) if isinstance(value, bool) else str(model.eval(value, model_completion=True))


def _names(expr: Any) -> Iterator[str]:
    if expr[0] == "var":
        yield expr[1]
    elif expr[0] not in {"arg", "const", "role", "principal"}:
        for part in expr[1:]:
            yield from _names(part)


def whole() -> tuple[Whole, Bool]:
    """The symbolic whole that all obligations speak of, and what is known of it: kinds and lemmas."""
    return _WHOLE, both(_KNOWN, _LEMMAS_BEFORE)
