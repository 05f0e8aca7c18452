"""The same expression means the same in Python and in Postgres, missing values included."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from gatepost_oversight.expr import Expr, Values, evaluate, names
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.mode import LEVELS
from gatepost_oversight.move import On
from gatepost_oversight.sql_parts import SqlText
from gatepost_oversight.vocabulary import ARGUMENTS, VARIABLES, Kind

KINDS = {word.name: word.kind for word in (*VARIABLES, *ARGUMENTS)}
MODE_NAMES, NUMBERS, FLAGS = (
    frozenset(name for name, kind in KINDS.items() if kind is wanted) for wanted in (Kind.MODE, Kind.NUMBER, Kind.FLAG)
)


def _value(generator: random.Random, name: str) -> Any:
    if generator.random() < 0.2:
        return None
    if name in MODE_NAMES:
        return generator.choice(list(LEVELS))
    if name in NUMBERS:
        return generator.randint(0, 3)
    if name in FLAGS:
        return generator.random() < 0.5
    return generator.choice(("a", "b", "held", "released", "drafted", "uncertain", "draft", "claimed"))


def _literal(name: str, value: Any) -> str:
    kind = "integer" if name in NUMBERS else "boolean" if name in FLAGS else "text"
    text = "NULL" if value is None else str(value).lower() if kind != "text" else f"'{value}'"
    return f"({text})::{kind}"


@dataclass(frozen=True)
class Literals(SqlText):
    """SQL with values in the places of columns."""

    known: dict[str, Any]
    told: dict[str, Any]
    actor: tuple[str, str | None]

    def var(self, name: str) -> str:
        return _literal(name, self.known[name])

    def arg(self, name: str) -> str:
        return _literal(name, self.told[name])

    def role(self, credential: Expr) -> str:
        return f"'{self.actor[0]}'"

    def principal(self, credential: Expr) -> str:
        return _literal("principal", self.actor[1])


async def test_python_and_postgres_agree(world) -> None:
    """Random worlds with gaps, every conjunct of every row."""
    generator = random.Random(20261124)
    expressions = sorted({condition for row in MOVES for _, condition in row.guard}, key=repr)
    checked = 0
    for _ in range(60):
        wanted: list[bool] = []
        texts: list[str] = []
        for expr in expressions:
            known = {name: _value(generator, name) for name in names(expr, "var")}
            told = {name: _value(generator, name) for name in names(expr, "arg")}
            actor = (generator.choice(("agent", "reviewer", "operator", "system")), generator.choice((None, "a", "b")))
            values: Values[Any] = Values(known, told, *actor)
            wanted.append(evaluate(expr, values) is True)
            texts.append(f"({evaluate(expr, Literals(On.MESSAGE, known, told, actor))}) IS TRUE")
        found = await world.owner.fetchval(f"SELECT ARRAY[{', '.join(texts)}]")
        wrong = [texts[n] for n, (a, b) in enumerate(zip(wanted, found, strict=True)) if a != b]
        assert [] == wrong[:1]
        checked += len(texts)
    assert checked > 2000
