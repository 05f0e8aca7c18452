"""The closed language of guards and effects: nested tuples, one evaluator, and SQL compiled from the same tuples.

`eq` and `ne` treat null as a value (IS [NOT] DISTINCT FROM); a guard's conjunct holds only when it is true, never null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gatepost_oversight.mode import LEVELS

Expr = tuple[Any, ...]


def var(name: str) -> Expr:
    """A column of the mail, or a live fact."""
    return ("var", name)


def arg(name: str) -> Expr:
    """What the step was given."""
    return ("arg", name)


def const(value: str | int | bool | None) -> Expr:
    """A value of the table itself."""
    return ("const", value)


def eq(a: Expr, b: Expr) -> Expr:
    """Equal, null included."""
    return ("eq", a, b)


def ne(a: Expr, b: Expr) -> Expr:
    """Different, null included."""
    return ("ne", a, b)


def both(*parts: Expr) -> Expr:
    """All hold."""
    return ("and", *parts)


def either(*parts: Expr) -> Expr:
    """At least one holds."""
    return ("or", *parts)


def no(a: Expr) -> Expr:
    """Not true."""
    return ("not", a)


def le(a: Expr, b: Expr) -> Expr:
    """At most; null when a side is null."""
    return ("le", a, b)


def ite(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    """If, then, else; a null condition is false."""
    return ("ite", condition, then, otherwise)


def add(a: Expr, b: Expr) -> Expr:
    """The sum."""
    return ("add", a, b)


def level(a: Expr) -> Expr:
    """How loose a mode is; 0 is the strictest."""
    return ("level", a)


def evaluate(expr: Expr, variables: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
    """The value in this world. A name that is missing is null."""
    match expr:
        case ("var", name):
            return variables.get(name)
        case ("arg", name):
            return arguments.get(name)
        case ("const", value):
            return value
        case ("ite", condition, then, otherwise):
            chosen = then if evaluate(condition, variables, arguments) is True else otherwise
            return evaluate(chosen, variables, arguments)
    values = [evaluate(part, variables, arguments) for part in expr[1:]]
    return _OPERATORS[expr[0]](*values)


def _both(*values: Any) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _either(*values: Any) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


_OPERATORS: dict[str, Callable[..., Any]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "and": _both,
    "or": _either,
    "not": lambda a: a is not True,
    "le": lambda a, b: None if a is None or b is None else a <= b,
    "add": lambda a, b: None if a is None or b is None else a + b,
    "level": LEVELS.get,
}


def to_sql(expr: Expr, variables: Mapping[str, str]) -> str:
    """The same value in SQL; `variables` says where each variable stands, arguments are columns of `c`."""
    match expr:
        case ("var", name):
            return variables[name]
        case ("arg", name):
            return f"c.{name}"
        case ("const", None):
            return "NULL"
        case ("const", bool() as value):
            return "true" if value else "false"
        case ("const", int() as value):
            return str(value)
        case ("const", value):
            return "'" + str(value).replace("'", "''") + "'"
    parts = [to_sql(part, variables) for part in expr[1:]]
    match expr[0]:
        case "eq":
            return f"({parts[0]} IS NOT DISTINCT FROM {parts[1]})"
        case "ne":
            return f"({parts[0]} IS DISTINCT FROM {parts[1]})"
        case "and":
            return "(" + " AND ".join(parts) + ")"
        case "or":
            return "(" + " OR ".join(parts) + ")"
        case "not":
            return f"({parts[0]} IS NOT TRUE)"
        case "le":
            return f"({parts[0]} <= {parts[1]})"
        case "add":
            return f"({parts[0]} + {parts[1]})"
        case "ite":
            return f"(CASE WHEN {parts[0]} THEN {parts[1]} ELSE {parts[2]} END)"
        case "level":
            whens = " ".join(f"WHEN '{name}' THEN {number}" for name, number in LEVELS.items())
            return f"(CASE {parts[0]} {whens} END)"
    raise ValueError(f"no such operator: {expr[0]}")
