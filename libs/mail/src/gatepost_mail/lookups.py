"""What a check asks of DNS, and what it hears. The checks are dialogues: they yield questions and are sent answers.

So they stay pure, whoever drives them decides about caches, time limits and threads, and a test answers from a table.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

Kind = Literal["TXT", "A", "AAAA", "MX", "PTR"]
Status = Literal["ok", "none", "nxdomain", "temperror"]
T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """A name (lower case, no dot at the end) and the kind of record."""

    name: str
    kind: Kind = "TXT"


@dataclass(frozen=True)
class Answer:
    """Texts joined, addresses and names as text; `none`: the name has no such record; `temperror`: nobody knows."""

    status: Status = "none"
    records: tuple[str, ...] = ()


NOTHING, UNKNOWN = Answer("nxdomain"), Answer("temperror")
Dialogue: TypeAlias = "Generator[tuple[Question, ...], tuple[Answer, ...], T]"


def converse(dialogue: Dialogue[T], answer: Callable[[Question], Answer]) -> T:
    """Drive a dialogue with a function that knows every answer at once."""
    try:
        asked = next(dialogue)
        while True:
            asked = dialogue.send(tuple(answer(question) for question in asked))
    except StopIteration as done:
        result: T = done.value
        return result


def host(name: str) -> str:
    """A domain name as it is asked for: lower case, A-labels, no dot at the end; empty when it cannot be one."""
    name = name.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return ""
    labels = name.split(".")
    if len(name) > 253 or not all(0 < len(label) <= 63 for label in labels):
        return ""
    return name if all(33 <= ord(char) < 127 for char in name) else ""
