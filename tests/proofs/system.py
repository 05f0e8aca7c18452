"""One step of the whole as formulas: a mail, two of its deliveries, all its others in sum, and the world around them.

A row's guard and effects come from the table itself. What a statement does beside the row's own settings is written
here once, after the generator of the SQL: deliveries made at release or taken back, the mail's state that follows them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from gatepost_oversight.expr import NOTHING as EMPTY
from gatepost_oversight.move import Move, On
from gatepost_oversight.states import DERIVABLE
from gatepost_oversight.vocabulary import ARGUMENTS, VARIABLES, Kind, Of
from gatepost_oversight.world import EFFECTS
from proofs.symbols import NOTHING, Bool, Symbolic, Term, both, choose, code, either, free, no, same
from proofs.wholes import BORN, GIVEN, GRANT, MAIL, RANK, Delivery, Rest, Whole, state_of


@dataclass
class Step:
    """One row, fired: what was, what is, who acted with what, and all that is then true."""

    row: Move
    before: Whole
    after: Whole
    algebra: Symbolic
    fires: Bool  # the row's whole guard
    effects: Bool  # what binds the free choices of its effects
    moved: Delivery | None = None  # for a delivery's row: the one it moves, before
    moved_after: Delivery | None = None
    extra: dict[str, Term] = field(default_factory=dict)

    @property
    def role(self) -> Term:
        """As what the actor acts."""
        return self.algebra.actor_role

    @property
    def principal(self) -> Term:
        """Who acts."""
        return self.algebra.actor_principal

    def is_role(self, *roles: str) -> Bool:
        """The actor has one of these roles."""
        return self.role.among(*roles)

    @property
    def begins(self) -> Bool:
        """An attempt begins: the delivery enters `sending` from elsewhere."""
        if self.moved is None or self.moved_after is None:
            return False
        return both(no(self.moved["st_delivery"].is_("sending")), self.moved_after["st_delivery"].is_("sending"))


def algebra(row: Move, whole: Whole, moved: Delivery | None = None) -> Symbolic:
    """How this row reads the whole."""
    known: dict[str, Term] = dict(whole.mail)
    known |= {name: term for name, term in whole.facts.items() if name != "box_covers"}
    known |= {"attempted": Term(whole.attempted), "claimed": Term(whole.claimed)}
    known |= {"granted_mode": whole.granted_mode, "covers_ask": whole.covers_ask}
    known |= {
        w.name: free(w.name, w.kind, may_be_missing=w.may_be_missing)
        for w in VARIABLES
        if w.of in {Of.REVISION, Of.BIRTH}
    }
    if moved is not None:
        known |= dict(moved.at) | {"suppressed": moved.suppressed}
    if row.on is On.WORLD:
        known["covers_ask"] = whole.facts["box_covers"]
        known |= {
            w.name: free(w.name, w.kind, may_be_missing=w.may_be_missing)
            for w in VARIABLES
            if w.of is Of.WORLD and w.name not in GRANT
        }
        mode, granted = whole.facts["mode"], whole.granted_mode
        known["grant_now"] = Term(choose(granted.missing, mode.value, granted.value))
    told = {w.name: free(f"told.{w.name}", w.kind, may_be_missing=w.may_be_missing) for w in ARGUMENTS}
    return Symbolic(known, told, Term(z3.Int("actor.role")), free("actor.principal", Kind.TEXT, may_be_missing=True))


def enabled(row: Move, a: Symbolic, *, state: Term | None) -> Bool:
    """The row's source states, roles and guard."""
    parts = [a.actor_role.among(*row.roles)]
    if state is not None and row.src:
        parts.append(state.among(*row.src))
    return both(*parts, *(a.of(condition).true for _, condition in row.guard))


def fires(row: Move, step: Step) -> Bool:
    """The guard of a row with the same effects as this step's."""
    if row.on in {On.NEW, On.WORLD}:
        return enabled(row, step.algebra, state=None)
    if step.moved is not None:
        return both(step.moved.exists, enabled(row, step.algebra, state=step.moved["st_delivery"]))
    return enabled(row, step.algebra, state=step.before["st"])


def steps(row: Move, before: Whole) -> list[Step]:
    """Every way in which the row can fire: a delivery's row moves the watched delivery, or another."""
    if row.on is On.DELIVERY:
        return [_delivery_step(row, before, first=first) for first in (True, False)]
    make = {On.MESSAGE: _message_step, On.REVISION: _revision_step, On.NEW: _birth, On.WORLD: _world_step}[row.on]
    return [make(row, before)]


def _set(mail: Mapping[str, Term], a: Symbolic, values: Mapping[str, Any]) -> dict[str, Term]:
    changed = {name: a.of(value) for name, value in values.items() if name in mail}
    return {**mail, **{n: _typed(mail[n], t) for n, t in changed.items()}}


def _typed(old: Term, new: Term) -> Term:
    return Term(old.value, missing=True) if new.value is None else new


def _approvers(before: Whole, mail: Mapping[str, Term], a: Symbolic, touched: frozenset[str]) -> tuple[Any, Any]:
    """Whoever sets an approval gave it."""
    first, second = before.approver
    return (
        choose(mail["ok1"].there, a.actor_role.value, first) if "ok1" in touched else first,
        choose(mail["ok2"].there, a.actor_role.value, second) if "ok2" in touched else second,
    )


def _message_step(row: Move, before: Whole) -> Step:
    a = algebra(row, before)
    touched = frozenset(name for name, _ in row.set)
    mail = _set(before.mail, a, dict(row.set))
    mail["st"] = Term(z3.IntVal(code(str(row.dst))))
    mail["version"] = Term(before["version"].value + 1)
    active = {f"{n}_active": Term(True) for n in ("ok1", "ok2") if n in touched}  # who acts holds a key that is active
    facts = {**before.facts, **active}
    after = dataclasses.replace(before, mail=mail, facts=facts, approver=_approvers(before, mail, a, touched))
    effects: Bool = True
    if row.takes_back is not None:
        after, effects = _taken_back(row, after)
    if row.releases:
        after, effects = _released(after, a.var("unfinished").true)
    guard = enabled(row, a, state=before["st"])
    return Step(row, before, after, a, guard, effects)


def _taken_back(row: Move, whole: Whole) -> tuple[Whole, Bool]:
    """What is released or deferred becomes what the row says; of the rest in sum, only a bound is known."""
    to = Term(z3.IntVal(code(str(row.takes_back))))

    def back(d: Delivery) -> Delivery:
        goes = both(d.exists, d["st_delivery"].among("deferred", "released"))
        return dataclasses.replace(d, at={**d.at, "st_delivery": Term(choose(goes, to.value, d["st_delivery"].value))})

    old, new = whole.rest.rank, z3.Int("rest.rank.after")
    known = either(
        both(either(old < RANK["deferred"], old > RANK["released"]), new == old),
        both(
            old >= RANK["deferred"], old <= RANK["released"], new > RANK["released"], new <= RANK[str(row.takes_back)]
        ),
    )
    rest = dataclasses.replace(whole.rest, rank=new)
    return dataclasses.replace(whole, one=back(whole.one), other=back(whole.other), rest=rest), known


def _released(whole: Whole, unfinished: Bool) -> tuple[Whole, Bool]:
    """One delivery for each recipient without an end: at least one exactly where there is one."""
    made = []

    def fresh(d: Delivery, name: str) -> Delivery:
        picked = both(no(d.exists), z3.Bool(f"{name}.made"))
        made.append(picked)
        new: dict[str, Term] = {
            "st_delivery": Term(z3.IntVal(code("released"))), "of_release": whole["release"], "used": Term(False),
            "sent_hash": NOTHING, "phase": Term(z3.IntVal(code("none"))), "owner": NOTHING, "attempts": Term(z3.IntVal(0)),
        }  # fmt: skip
        at = {
            name: Term(choose(picked, n.value if n.value is not None else t.value, t.value), choose(picked, n.missing, t.missing))
            for name, t in d.at.items() for n in (new.get(name, t),)
        }  # fmt: skip
        return dataclasses.replace(d, exists=either(d.exists, picked), at=at)

    one, other = fresh(whole.one, "delivery"), fresh(whole.other, "another")
    more = z3.Bool("rest.made")
    rest = dataclasses.replace(whole.rest, present=more, rank=z3.IntVal(RANK["released"]))
    return dataclasses.replace(whole, one=one, other=other, rest=rest), same(unfinished, either(*made, more))


def _delivery_step(row: Move, before: Whole, *, first: bool) -> Step:
    d = before.one if first else before.other
    a = algebra(row, before, d)
    at = _set(d.at, a, dict(row.set)) | {"st_delivery": Term(z3.IntVal(code(str(row.dst))))}
    moved = dataclasses.replace(d, at=at)
    whole = dataclasses.replace(before, **({"one": moved} if first else {"other": moved}))
    there, least = whole.derived()
    follows = both(before["st"].among(*DERIVABLE), there)
    mail = {
        **before.mail, "st": Term(choose(follows, state_of(least), before["st"].value)),
        "version": Term(before["version"].value + 1),
    }  # fmt: skip
    for state, values in row.then:
        became = mail["st"].is_(str(state))
        for name, value in _set(before.mail, a, dict(values)).items():
            if name in dict(values):
                old = mail[name]
                mail[name] = Term(choose(became, value.value, old.value), choose(became, value.missing, old.missing))
    guard = both(d.exists, enabled(row, a, state=d["st_delivery"]))
    given = frozenset(n for _, values in row.then for n, v in values if n in {"ok1", "ok2"} and v != EMPTY)
    after = dataclasses.replace(whole, mail=mail, approver=_approvers(before, mail, a, given))
    return Step(row, before, after, a, guard, True, d, moved)


def _revision_step(row: Move, before: Whole) -> Step:
    a = algebra(row, before)
    after = dataclasses.replace(before, mail={**before.mail, "version": Term(before["version"].value + 1)})
    return Step(row, before, after, a, enabled(row, a, state=before["st"]), True)


def _birth(row: Move, before: Whole) -> Step:
    """`before` lends the names of a mail that is not there yet."""
    a = algebra(row, before)
    mail: dict[str, Term] = {}
    for word in MAIL:
        default = BORN.get(word.name)
        if default is not None:
            mail[word.name] = a.const(default)
        else:
            mail[word.name] = before[word.name] if word.name in GIVEN else Term(before[word.name].value, missing=True)
    mail["st"] = Term(z3.IntVal(code(str(row.dst))))
    effects: list[Bool] = []
    if row.releases:  # its content comes with it
        mail |= {
            "content": Term(a.var("rev_content").value),
            "revision": Term(z3.IntVal(1)),
            "release": Term(z3.IntVal(1)),
        }
    mail = _set(mail, a, {n: v for n, v in row.set if n not in BORN or n == "system_template"})
    gone = dataclasses.replace(before.one, exists=False), dataclasses.replace(before.other, exists=False)
    nothing = dataclasses.replace(before, one=gone[0], other=gone[1], rest=Rest(False, False, False, z3.IntVal(0)))
    after = dataclasses.replace(nothing, mail=mail)
    if row.releases:
        after, made = _released(after, True)
        effects.append(made)
    return Step(row, nothing, after, a, enabled(row, a, state=None), both(*effects))


def _world_step(row: Move, before: Whole) -> Step:
    a = algebra(row, before)
    changes = {("box_covers" if name == "covers_ask" else name): a.of(value) for name, value in row.set}
    changes |= {name: a.of(value) for name, value in EFFECTS.get(row.does, {}).items()}
    facts = {
        **before.facts,
        **{n: _typed(before.facts[n], t) for n, t in changes.items() if n in before.facts and n != "suppressed"},
    }
    after = dataclasses.replace(before, facts=facts)
    if "suppressed" in changes:
        here = z3.Bool("about this recipient")
        hit = Term(choose(here, changes["suppressed"].true, before.one.suppressed.value))
        after = dataclasses.replace(after, one=dataclasses.replace(before.one, suppressed=hit))
    return Step(row, before, after, a, enabled(row, a, state=None), True)
