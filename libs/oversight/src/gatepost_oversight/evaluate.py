"""A step in plain Python: the same rows and the same evaluator as the services' SQL, for proofs, tests and buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatepost_oversight.expr import Values, evaluate
from gatepost_oversight.lifecycle import BY_ID
from gatepost_oversight.move import Move, On


@dataclass(frozen=True)
class Stepped:
    """What a row would do. `failed` empty: it fires, and `changes` holds what it sets, `st` or `st_delivery` included."""

    failed: tuple[str, ...]
    changes: Mapping[str, Any]

    @property
    def moved(self) -> bool:
        """True when every conjunct held."""
        return not self.failed


def state_variable(row: Move) -> str:
    """The variable that holds the state which the row moves."""
    return "st_delivery" if row.on is On.DELIVERY else "st"


def failed_conjuncts(
    row: Move | str, variables: Mapping[str, Any], arguments: Mapping[str, Any], role: str, principal: str | None
) -> tuple[str, ...]:
    """The names of the conjuncts that do not hold, in the table's order."""
    row = BY_ID[row] if isinstance(row, str) else row
    values: Values[Any] = Values(variables, arguments, role, principal)
    failed = [] if not row.src or variables[state_variable(row)] in row.src else ["STATE"]
    version = arguments.get("version")
    if row.on is On.MESSAGE and (version is not None or row.must_name_version) and version != variables.get("version"):
        failed.append("VERSION")
    if role not in row.roles:
        failed.append("ROLE")
    failed += [name for name, condition in row.guard if evaluate(condition, values) is not True]
    return tuple(failed)


def step(
    row: Move | str,
    variables: Mapping[str, Any],
    arguments: Mapping[str, Any],
    role: str,
    principal: str | None,
    *,
    explain: bool = True,
) -> Stepped:
    """Evaluate one row; without `explain` only the first conjunct that fails is named."""
    row = BY_ID[row] if isinstance(row, str) else row
    values: Values[Any] = Values(variables, arguments, role, principal)
    if not explain:
        first = next((name for name, condition in row.guard if evaluate(condition, values) is not True), None)
        if first is not None:
            return Stepped((first,), {})
    failed = failed_conjuncts(row, variables, arguments, role, principal)
    if failed:
        return Stepped(failed, {})
    changes = {name: evaluate(value, values) for name, value in row.set}
    if row.dst is not None:
        changes[state_variable(row)] = row.dst.value
    return Stepped((), changes)
