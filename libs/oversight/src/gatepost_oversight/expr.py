"""A closed expression language of 14 operators, read alike by Python, SQL and the prover.

An expression is a nested tuple whose first item names the operator, so that it can be printed, hashed and compared.
One walker, `evaluate`, gives it meaning through an algebra. There are no loops, strings or clocks in it: a timer or
a signature check arrives as a variable or an argument.
Nothing is unknown in the end: `eq` and `ne` treat None as a value, and where a truth value is None it counts as false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from gatepost_oversight.mode import LEVELS

Expr = tuple[Any, ...]
T = TypeVar("T")

OPERATORS = frozenset(
    ("var", "arg", "const", "eq", "ne", "and", "or", "not", "le", "ite", "add", "role", "principal", "level")
)
ACTOR: Expr = ("arg", "actor")
TRUE: Expr = ("const", True)
FALSE: Expr = ("const", False)
NOTHING: Expr = ("const", None)


def var(name: str) -> Expr:
    """A variable of the mail, its delivery or the world around it."""
    return ("var", name)


def arg(name: str) -> Expr:
    """An argument of this step."""
    return ("arg", name)


def const(value: str | int | bool | None) -> Expr:
    """A constant."""
    return ("const", value if value is None or isinstance(value, bool | int) else str(value))


def eq(a: Expr, b: Expr) -> Expr:
    """Equal; nothing equals nothing."""
    return ("eq", a, b)


def ne(a: Expr, b: Expr) -> Expr:
    """Not equal."""
    return ("ne", a, b)


def all_of(*parts: Expr) -> Expr:
    """Every part holds."""
    return ("and", *parts)


def any_of(*parts: Expr) -> Expr:
    """At least one part holds."""
    return ("or", *parts)


def negate(a: Expr) -> Expr:
    """It does not hold."""
    return ("not", a)


def le(a: Expr, b: Expr) -> Expr:
    """At most; false when either is nothing."""
    return ("le", a, b)


def ite(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """One or the other."""
    return ("ite", condition, then, otherwise)


def add(a: Expr, b: Expr) -> Expr:
    """The sum."""
    return ("add", a, b)


def level(mode: Expr) -> Expr:
    """Place of a mode in the order of strictness."""
    return ("level", mode)


ROLE: Expr = ("role", ACTOR)
PRINCIPAL: Expr = ("principal", ACTOR)


class Algebra(Protocol[T]):
    """What the operators mean."""

    def var(self, name: str) -> T:
        """A variable."""

    def arg(self, name: str) -> T:
        """An argument."""

    def const(self, value: str | int | bool | None) -> T:
        """A constant."""

    def eq(self, a: T, b: T) -> T:
        """Equal."""

    def ne(self, a: T, b: T) -> T:
        """Not equal."""

    def conjunction(self, parts: Sequence[T]) -> T:
        """All."""

    def disjunction(self, parts: Sequence[T]) -> T:
        """Any."""

    def negation(self, a: T) -> T:
        """Not true."""

    def le(self, a: T, b: T) -> T:
        """At most."""

    def ite(self, condition: T, then: T, otherwise: T) -> T:
        """Either."""

    def add(self, a: T, b: T) -> T:
        """The sum."""

    def role(self, credential: Expr) -> T:
        """An actor's role."""

    def principal(self, credential: Expr) -> T:
        """An actor's principal."""

    def level(self, mode: T) -> T:
        """Place of a mode."""


def evaluate(expr: Expr, algebra: Algebra[T]) -> T:
    """What the expression means in this algebra."""
    operator = expr[0]
    if operator == "var":
        return algebra.var(expr[1])
    if operator == "const":
        return algebra.const(expr[1])
    if operator == "arg":
        return algebra.arg(expr[1])
    if operator in {"role", "principal"}:
        return algebra.role(expr[1]) if operator == "role" else algebra.principal(expr[1])
    if operator not in OPERATORS:
        raise ValueError(f"no such expression: {expr!r}")
    parts = [evaluate(part, algebra) for part in expr[1:]]
    if operator == "and":
        return algebra.conjunction(parts)
    if operator == "or":
        return algebra.disjunction(parts)
    method = algebra.negation if operator == "not" else getattr(algebra, operator)
    result: T = method(*parts)
    return result


@dataclass(frozen=True)
class Values(Generic[T]):
    """The algebra of plain values: what the services' own evaluation and the exhaustive search run on."""

    variables: Mapping[str, Any]
    arguments: Mapping[str, Any]
    role_name: str = ""
    principal_id: str | None = None

    def var(self, name: str) -> Any:
        """Its value; a name that is not there is a mistake, not nothing."""
        return self.variables[name]

    def arg(self, name: str) -> Any:
        """Its value, or nothing where it was not given."""
        return self.arguments.get(name)

    def const(self, value: str | int | bool | None) -> Any:
        """Itself."""
        return value

    def eq(self, a: Any, b: Any) -> Any:
        """As IS NOT DISTINCT FROM."""
        return a == b

    def ne(self, a: Any, b: Any) -> Any:
        """As IS DISTINCT FROM."""
        return a != b

    def conjunction(self, parts: Sequence[Any]) -> Any:
        """All true."""
        return all(p is True for p in parts)

    def disjunction(self, parts: Sequence[Any]) -> Any:
        """One true."""
        return any(p is True for p in parts)

    def negation(self, a: Any) -> Any:
        """As IS NOT TRUE."""
        return a is not True

    def le(self, a: Any, b: Any) -> Any:
        """At most."""
        return a is not None and b is not None and a <= b

    def ite(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """As CASE WHEN."""
        return then if condition is True else otherwise

    def add(self, a: Any, b: Any) -> Any:
        """The sum, or nothing."""
        return None if a is None or b is None else a + b

    def role(self, credential: Expr) -> Any:
        """Of the one who acts."""
        if credential != ACTOR:
            raise ValueError("only the actor is known")
        return self.role_name

    def principal(self, credential: Expr) -> Any:
        """Of the one who acts."""
        if credential != ACTOR:
            raise ValueError("only the actor is known")
        return self.principal_id

    def level(self, mode: Any) -> Any:
        """Its place, or nothing."""
        return LEVELS.get(mode) if mode is not None else None


def names(expr: Expr, operator: str) -> Iterator[str]:
    """The names of all variables (`var`) or arguments (`arg`) in the expression."""
    if expr[0] == operator and isinstance(expr[1], str):
        yield expr[1]
    elif expr[0] not in ("var", "arg", "const", "role", "principal"):
        for part in expr[1:]:
            yield from names(part, operator)
