"""May this schema take the place of that one? Read from JSON Schema, so that it sees what others see.

Two questions are asked of every event type. Recorded events: does everything the old schema let through still parse? Running
consumers: does everything the new one lets through parse for those who still have the old one? A new field with a default is
all that passes both; anything else is a `.v2` beside the old one. Descriptions, titles and examples may change freely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_MISSING = object()


def breaks(old: Schema, new: Schema) -> tuple[str, ...]:
    """Every reason why `new` may not take the place of `old`; empty when it may."""
    found = [f"recorded events: {reason}" for reason in narrower(old, new)]
    found += [f"running consumers: {reason}" for reason in narrower(new, old)]
    found += [f"both: {reason}" for reason in _lost(old, new)]
    return tuple(dict.fromkeys(found))


def narrower(wide: Schema, narrow: Schema) -> Iterator[str]:
    """Why something that fits `wide` might not fit `narrow`."""
    yield from _fits(wide, narrow, wide, narrow, "")


def _lost(old: Schema, new: Schema) -> Iterator[str]:
    """What a schema alone would allow and a contract does not: a field taken away, a default that means something else."""
    for name, was in old.get("properties", {}).items():
        is_now = new.get("properties", {}).get(name)
        if is_now is None:
            yield f"{name}: the field is gone"
        elif was.get("default", _MISSING) != is_now.get("default", _MISSING):
            yield f"{name}: the default was {was.get('default')!r} and is {is_now.get('default')!r}"


def _fits(a: Schema, b: Schema, a_root: Schema, b_root: Schema, path: str) -> Iterator[str]:
    """Each alternative of `a` must fit into one of `b`."""
    choices = list(_alternatives(b, b_root))
    for one in _alternatives(a, a_root):
        refusals = [list(_one(one, choice, a_root, b_root, path)) for choice in choices]
        if all(refusals):
            yield from min(refusals, key=len)


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """The schema without `$ref`, `anyOf`, `oneOf`, `allOf` of one, and lists of types."""
    while "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            rest = {key: value for key, value in schema.items() if key != word}
            for choice in schema[word]:
                yield from _alternatives({**rest, **choice}, root)
            return
    if len(schema.get("allOf", ())) == 1:
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        yield from _alternatives({**rest, **schema["allOf"][0]}, root)
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield {**schema, "type": kind}
    else:
        yield schema


def _one(a: Schema, b: Schema, a_root: Schema, b_root: Schema, path: str) -> Iterator[str]:
    where = path or "the event"
    kind, wanted = _kind(a), _kind(b)
    if wanted is not None and kind != wanted and (kind, wanted) != ("integer", "number"):
        yield f"{where}: {kind or 'anything'} is not {wanted}"
        return
    yield from _values(a, b, where)
    yield from _bounds(a, b, where)
    for word in ("pattern", "format", "multipleOf", "uniqueItems"):
        if word in b and a.get(word) != b[word]:
            yield f"{where}: {word} {a.get(word)!r} is not {b[word]!r}"
    if "items" in b:
        yield from _fits(a.get("items", {}), b["items"], a_root, b_root, f"{path}[]")
    if isinstance(b.get("additionalProperties"), Mapping):
        own = a.get("additionalProperties", {})
        yield from _fits(
            own if isinstance(own, Mapping) else {}, b["additionalProperties"], a_root, b_root, f"{path}{{}}"
        )
    if a.get("properties") or b.get("properties"):
        yield from _fields(a, b, a_root, b_root, path)


def _fields(a: Schema, b: Schema, a_root: Schema, b_root: Schema, path: str) -> Iterator[str]:
    for name in b.get("required", ()):
        if name not in a.get("required", ()):
            yield f"{_below(path, name)}: it may be missing, and is required"
    for name, wanted in b.get("properties", {}).items():
        if name in a.get("properties", {}):
            yield from _fits(a["properties"][name], wanted, a_root, b_root, _below(path, name))
    if b.get("additionalProperties") is False:
        for name in sorted(set(a.get("properties", {})) - set(b.get("properties", {}))):
            yield f"{_below(path, name)}: it is refused as unknown"


def _values(a: Schema, b: Schema, where: str) -> Iterator[str]:
    allowed = _enum(b)
    if allowed is None:
        return
    said = _enum(a)
    if said is None:
        yield f"{where}: any value is not one of {sorted(map(str, allowed))}"
        return
    for value in sorted(map(str, set(said) - set(allowed))):
        yield f"{where}: {value!r} is not one of {sorted(map(str, allowed))}"


def _bounds(a: Schema, b: Schema, where: str) -> Iterator[str]:
    for word in _LOWER:
        if word in b and (word not in a or a[word] < b[word]):
            yield f"{where}: {word} {a.get(word)} is below {b[word]}"
    for word in _UPPER:
        if word in b and (word not in a or a[word] > b[word]):
            yield f"{where}: {word} {a.get(word)} is above {b[word]}"


def _kind(schema: Schema) -> str | None:
    """Its type, or that of its values."""
    if "type" in schema:
        return str(schema["type"])
    values = _enum(schema)
    if not values:
        return None
    kinds = {_NAMES.get(type(value), "object") for value in values}
    return kinds.pop() if len(kinds) == 1 else None


_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _enum(schema: Schema) -> tuple[Any, ...] | None:
    if "const" in schema:
        return (schema["const"],)
    return tuple(schema["enum"]) if "enum" in schema else None


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
