"""The table's expressions as z3 terms: the third reader beside Python and SQL.

A value is a number and a flag that says whether it is missing. Texts, states and modes are numbers that are only ever
compared for equality, each constant one of its own, so there is no bound on people, contents or keys.
Formulas stay free of quantifiers and of products; the solver answers each in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from gatepost_oversight.expr import ACTOR, Expr, evaluate
from gatepost_oversight.mode import LEVELS
from gatepost_oversight.states import State
from gatepost_oversight.vocabulary import Kind

Bool = Any  # a Python bool or a z3 one: most "missing" flags are known, and folding them keeps formulas small

_CODES: dict[str, int] = {}


def code(text: str) -> int:
    """The number that stands for a constant text."""
    return _CODES.setdefault(text, 1000 + len(_CODES))  # away from the small numbers that the solver likes to choose


for _known in (
    *State,
    *LEVELS,
    "agent",
    "reviewer",
    "operator",
    "system",
    "none",
    "claimed",
    "announced",
    "draft",
    "edit",
    "failed",
):
    code(str(_known))


def spelled(number: int) -> str:
    """The text behind a number, or a made-up one for a value that the solver chose freely."""
    return next((text for text, n in _CODES.items() if n == number), f"value {number}")


def both(*parts: Bool) -> Bool:
    """And."""
    left = [p for p in parts if p is not True]
    if any(p is False for p in left):
        return False
    return True if not left else left[0] if len(left) == 1 else z3.And(*left)


def either(*parts: Bool) -> Bool:
    """Or."""
    left = [p for p in parts if p is not False]
    if any(p is True for p in left):
        return True
    return False if not left else left[0] if len(left) == 1 else z3.Or(*left)


def no(a: Bool) -> Bool:
    """Not."""
    return (not a) if isinstance(a, bool) else z3.Not(a)


def implies(a: Bool, b: Bool) -> Bool:
    """If a then b."""
    return either(no(a), b)


def same(a: Bool, b: Bool) -> Bool:
    """Both or neither."""
    if isinstance(a, bool):
        return b if a else no(b)
    return (a if b else no(a)) if isinstance(b, bool) else a == b


def choose(condition: Bool, then: Any, otherwise: Any) -> Any:
    """One or the other, of truth values or of numbers."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    if then is otherwise or (isinstance(then, bool) and isinstance(otherwise, bool) and then == otherwise):
        return then
    return z3.If(condition, then, otherwise)


@dataclass(frozen=True)
class Term:
    """A value that may be missing. `value` is a truth value for flags and a number for all else."""

    value: Any
    missing: Bool = False

    @property
    def true(self) -> Bool:
        """It is there and holds."""
        return both(no(self.missing), self.value)

    @property
    def there(self) -> Bool:
        """It is there."""
        return no(self.missing)

    def is_(self, text: str) -> Bool:
        """It is this constant."""
        return both(no(self.missing), self.value == code(text))

    def among(self, *texts: str) -> Bool:
        """It is one of these constants."""
        return both(no(self.missing), either(*(self.value == code(text) for text in texts)))

    def equals(self, other: Term) -> Bool:
        """The same value, or both missing."""
        if other.value is None or self.value is None:
            return both(self.missing, other.missing)
        alike = same(self.value, other.value) if _is_truth(self.value) else self.value == other.value
        return either(both(self.missing, other.missing), both(no(self.missing), no(other.missing), alike))


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, z3.ExprRef) and z3.is_bool(value))


NOTHING = Term(None, missing=True)


def free(name: str, kind: Kind, *, may_be_missing: bool) -> Term:
    """A value about which nothing is known but its kind."""
    value = z3.Bool(name) if kind is Kind.FLAG else z3.Int(name)
    return Term(value, z3.Bool(f"{name}?") if may_be_missing else False)


def domain(term: Term, kind: Kind) -> Bool:
    """What values of this kind there are."""
    if kind is Kind.STATE:
        return implies(term.there, term.among(*State))
    if kind is Kind.MODE:
        return implies(term.there, term.among(*LEVELS))
    return True


_LEVELS: dict[int, tuple[Term, Any]] = {}


def level(mode: Term) -> Any:
    """The place of a mode in the order, as a number; of what is no mode, nothing sensible."""
    known = _LEVELS.get(id(mode))
    if known is None:
        found: Any = z3.IntVal(-1)
        for name, place in LEVELS.items():
            found = choose(mode.value == code(name), z3.IntVal(place), found)
        if len(_LEVELS) > 2000:
            _LEVELS.clear()
        known = _LEVELS[id(mode)] = (mode, found)  # the term is kept, so that its id stays its own
    return known[1]


@dataclass(frozen=True)
class Symbolic:
    """The algebra of z3 terms."""

    variables: Mapping[str, Term]
    arguments: Mapping[str, Term]
    actor_role: Term
    actor_principal: Term

    def var(self, name: str) -> Term:
        """Its term; a name that is not there is a mistake, not nothing."""
        return self.variables[name]

    def arg(self, name: str) -> Term:
        """Its term."""
        return self.arguments[name]

    def const(self, value: str | int | bool | None) -> Term:
        """Itself."""
        if value is None:
            return NOTHING
        if isinstance(value, bool):
            return Term(value)
        return Term(z3.IntVal(value if isinstance(value, int) else code(value)))

    def eq(self, a: Term, b: Term) -> Term:
        """Nothing equals nothing."""
        return Term(a.equals(b))

    def ne(self, a: Term, b: Term) -> Term:
        """The opposite."""
        return Term(no(a.equals(b)))

    def conjunction(self, parts: Sequence[Term]) -> Term:
        """All."""
        return Term(both(*(p.true for p in parts)))

    def disjunction(self, parts: Sequence[Term]) -> Term:
        """Any."""
        return Term(either(*(p.true for p in parts)))

    def negation(self, a: Term) -> Term:
        """Not true."""
        return Term(no(a.true))

    def le(self, a: Term, b: Term) -> Term:
        """At most; false where a side is missing."""
        if a.value is None or b.value is None:
            return Term(False)
        return Term(both(a.there, b.there, a.value <= b.value))

    def ite(self, condition: Term, then: Term, otherwise: Term) -> Term:
        """Either."""
        if then.value is None or otherwise.value is None:
            known = otherwise if then.value is None else then
            return Term(known.value, choose(condition.true, then.missing, otherwise.missing))
        return Term(
            choose(condition.true, then.value, otherwise.value), choose(condition.true, then.missing, otherwise.missing)
        )

    def add(self, a: Term, b: Term) -> Term:
        """The sum."""
        return Term(a.value + b.value, either(a.missing, b.missing))

    def role(self, credential: Expr) -> Term:
        """Of the one who acts."""
        assert credential == ACTOR
        return self.actor_role

    def principal(self, credential: Expr) -> Term:
        """Of the one who acts."""
        assert credential == ACTOR
        return self.actor_principal

    def level(self, mode: Term) -> Term:
        """Its place, missing for what is no mode."""
        return Term(level(mode), no(mode.among(*LEVELS)))

    def of(self, expr: Expr) -> Term:
        """What an expression means here."""
        return evaluate(expr, self)
