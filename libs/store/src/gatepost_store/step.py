"""A step as callers see it: who acts, what came of it, and the command that the database function reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from typing import Any

import orjson

from gatepost_contracts.canonical import canonical
from gatepost_oversight.credential import Role
from gatepost_oversight.digest import policy_digest
from gatepost_oversight.sql_parts import ARGUMENT_NAMES
from gatepost_store.errors import StepRefused


@dataclass(frozen=True)
class Actor:
    """Who steps. The role is read from the credential by the service that decides, never taken from a caller."""

    role: Role
    principal: str | None
    actor: str  # key id, or the service's name
    door: str = "timer"


@dataclass(frozen=True)
class Moved:
    """It happened: the number of its audit record, the record's text, and the state the mail is in now."""

    seq: int
    text: str
    already: bool = False  # this very command had been done before
    state: str | None = None

    @cached_property
    def record(self) -> dict[str, Any]:
        """The audit record; few callers ask."""
        record: dict[str, Any] = orjson.loads(self.text)
        return record


@dataclass(frozen=True)
class Stayed:
    """Nothing happened. `failed` names the conjuncts; None: no such target, or the race was lost, so gather again."""

    failed: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Inserted:
    """It was made, or had been made before (`duplicate`, with the first one's id)."""

    message_id: str
    seq: int
    record: dict[str, Any] | None
    duplicate: bool = False
    request_sha256: str | None = None  # of the first request under this idempotency key


@dataclass(eq=False)
class Unit:
    """One command on its way to a batch."""

    row: str
    target: tuple[str, ...]
    command: bytes  # JSON object without its closing brace
    messages: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    blobs: Sequence[bytes | None] = ()
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.command) + sum(len(b) for b in self.blobs if b is not None)


def iso(at: datetime) -> str:
    """A moment as it stands in records."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def plain(value: Any) -> Any:
    """JSON that has one spelling: times as strings, enums as their values, tuples as lists."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return value


def command(
    by: Actor, data: Mapping[str, Any], *, fields: Mapping[str, Any], args: Mapping[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    """The command's JSON, open at the end so that the batch can number it, and its fields."""
    if not args.keys() <= _NAMED:
        raise TypeError(f"no row takes {', '.join(sorted(set(args) - _NAMED))}")
    full: dict[str, Any] = {
        **{name: value for name, value in args.items() if name in ARGUMENT_NAMES and value is not None},
        **fields,
        "actor": by.actor, "principal": by.principal, "role": str(by.role), "door": by.door,
        "at": iso(datetime.now(UTC)), "data": _one_spelling(data), "policy": policy_digest(),
    }  # fmt: skip
    try:
        text = _quickly(full)
    except (TypeError, ValueError) as error:
        raise StepRefused(f"the command is no JSON: {error}") from error
    if b"\\u0000" in text and _has_nul(full):
        raise StepRefused("text with a NUL character cannot be stored")
    return text[:-1], full


def _quickly(value: Any, option: int = 0) -> bytes:
    """The JSON of plain(value): what orjson does not know, or would spell otherwise, is made plain on the way."""
    try:
        return orjson.dumps(value, default=_plain_or_refuse, option=orjson.OPT_PASSTHROUGH_DATETIME | option)
    except TypeError:
        return orjson.dumps(plain(value), option=option)


def _plain_or_refuse(value: Any) -> Any:
    made = plain(value)
    if made is value:
        raise TypeError(f"{type(value).__name__} is no JSON")
    return made


def _one_spelling(data: Mapping[str, Any]) -> str:
    """canonical(plain(data)), in a fifth of the time where orjson can: the two spell strings, integers and maps alike."""
    try:
        return _quickly(data, orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return canonical(plain(data))


RETIRED = frozenset(
    ("eff_mode", "approved_hash", "new_hash", "recipients", "placeholder", "subject", "ask_new", "author")
)
"""Arguments that callers may still name and that are read from the database instead, where they cannot be wrong."""
_NAMED = ARGUMENT_NAMES | RETIRED


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value or ("\\u0000" in value and _has_nul_in_json(value))
    if isinstance(value, Mapping):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return any(_has_nul(v) for v in value)
    return False


def _has_nul_in_json(text: str) -> bool:
    try:
        return _has_nul(orjson.loads(text))
    except orjson.JSONDecodeError:
        return False
