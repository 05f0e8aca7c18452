"""The checker of compatibility is checked: every kind of breakage is planted and must be found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from gatepost_contracts.compatibility import breaks
from gatepost_contracts.email import EmailHeld
from gatepost_contracts.schemas import schemas

Schema = dict[str, Any]


class Inner(BaseModel):
    code: int = Field(ge=200, le=599)
    word: Literal["yes", "no"] = "no"


class Outer(BaseModel):
    name: str = Field(min_length=1, max_length=10, pattern="^[a-z]+$")
    many: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    either: int | str = 0
    counts: dict[str, int] = Field(default_factory=dict)
    at: str = Field("x", json_schema_extra={"format": "date-time"})


OLD: Schema = Outer.model_json_schema()


def inner(schema: Schema) -> Schema:
    found: Schema = schema["$defs"]["Inner"]
    return found


def change(path: str, value: Any) -> Callable[[Schema], None]:
    def do(schema: Schema) -> None:
        *parents, last = path.split("/")
        for part in parents:
            schema = schema[int(part)] if isinstance(schema, list) else schema[part]
        if value is None:
            del schema[last]
        else:
            schema[int(last) if isinstance(schema, list) else last] = value

    return do


def require(name: str) -> Callable[[Schema], None]:
    def do(schema: Schema) -> None:
        schema.setdefault("required", []).append(name)

    return do


def unrequire(name: str) -> Callable[[Schema], None]:
    return lambda schema: schema["required"].remove(name)


BREAKAGES: dict[str, tuple[Callable[[Schema], None], str]] = {
    "a field is gone": (change("properties/many", None), "many: the field is gone"),
    "a field became required": (require("maybe"), "maybe: it may be missing"),
    "a required field may be missing": (unrequire("name"), "name: it may be missing"),
    "another type": (change("properties/name/type", "integer"), "name: string is not integer"),
    "a value is gone, behind $ref": (
        change("$defs/Inner/properties/word/enum", ["yes"]),
        "word: 'no' is not one of ['yes']",
    ),
    "a value is new, behind $ref": (
        change("$defs/Inner/properties/word/enum", ["yes", "no", "perhaps"]),
        "word: 'perhaps' is not one of",
    ),
    "a bound is tighter, behind $ref": (change("$defs/Inner/properties/code/maximum", 500), "code: maximum 599 is above"),
    "a bound is looser": (change("$defs/Inner/properties/code/minimum", 100), "code: minimum 100 is below 200"),
    "a bound is gone": (change("properties/name/maxLength", None), "name: maxLength None is above 10"),
    "a bound is new": (change("properties/many/maxItems", 3), "many: maxItems None is above 3"),
    "shorter": (change("properties/name/minLength", 2), "name: minLength 1 is below 2"),
    "another pattern": (change("properties/name/pattern", "^[a-f]+$"), "name: pattern"),
    "another format": (change("properties/at/format", "date"), "at: format"),
    "another default": (change("properties/either/default", 1), "either: the default was 0 and is 1"),
    "no default any more": (change("properties/either/default", None), "either: the default was 0"),
    "null is no longer allowed": (
        change("properties/maybe/anyOf", [{"$ref": "#/$defs/Inner"}]),
        "maybe: null is not object",
    ),
    "an alternative is new": (
        change("properties/either/anyOf", [{"type": "integer"}, {"type": "string"}, {"type": "boolean"}]),
        "either: boolean is not",
    ),
    "another $ref": (change("properties/maybe/anyOf/0", {"$ref": "#/$defs/Other"}), "maybe"),
    "values of a map": (change("properties/counts/additionalProperties/type", "string"), "counts{}: integer is not string"),
    "unknown fields are refused": (change("additionalProperties", False), "extra: it is refused as unknown"),
    "a field inside is required": (change("$defs/Inner/required", ["code", "word"]), "many[].word: it may be missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_planted_breakage_is_found(name: str) -> None:
    """A checker that never fails proves nothing."""
    do, expected = BREAKAGES[name]
    old, new = copy.deepcopy(OLD), copy.deepcopy(OLD)
    new["$defs"]["Other"] = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
    if name == "unknown fields are refused":
        old["properties"]["extra"] = {"type": "string", "default": ""}
    do(new)

    found = breaks(old, new)

    assert any(expected in reason for reason in found), found


HARMLESS: dict[str, Callable[[Schema], None]] = {
    "a new field with a default": change("properties/fresh", {"type": "string", "default": ""}),
    "another description": change("properties/name/description", "other words"),
    "other examples": change("properties/name/examples", ["abc"]),
    "another title": change("title", "Renamed"),
    "the order of alternatives": change("properties/either/anyOf", [{"type": "string"}, {"type": "integer"}]),
    "the order of values": change("$defs/Inner/properties/word/enum", ["no", "yes"]),
    "an alternative written in place": change("properties/maybe/anyOf/0", copy.deepcopy(inner(OLD))),
    "one alternative wrapped in allOf": change("properties/maybe/anyOf/0", {"allOf": [{"$ref": "#/$defs/Inner"}]}),
    "types as a list": change("properties/either", {"type": ["integer", "string"], "default": 0}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_breaks_nobody_is_let_through(name: str) -> None:
    """Else nothing could ever be added, and the checker would be switched off."""
    new = copy.deepcopy(OLD)
    HARMLESS[name](new)

    assert breaks(OLD, new) == ()


@pytest.mark.parametrize("name", schemas())
def test_every_contract_is_compatible_with_itself(name: str) -> None:
    """The real schemas hold nothing that the checker misreads."""
    assert breaks(schemas()[name], schemas()[name]) == ()


def test_a_new_reason_to_hold_breaks_nobody_but_a_new_mode_does() -> None:
    """Reasons are open words; modes are a closed list."""
    new = copy.deepcopy(EmailHeld.model_json_schema())
    modes = next(choice for choice in new["properties"]["mode"]["anyOf"] if "enum" in choice)
    modes["enum"].append("reckless")

    assert any("'reckless' is not one of" in reason for reason in breaks(EmailHeld.model_json_schema(), new))
