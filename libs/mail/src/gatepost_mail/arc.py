"""What servers on the way say they had proven (ARC, RFC 8617), and whether that chain holds.

A chain proves only that these servers said so; whether they are believed is the operator's choice (`trusted_sealers`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gatepost_mail.dkim import relaxed_header
from gatepost_mail.dkim_verify import (
    Letter,
    Signature,
    blanked,
    canonical_body,
    covered_by,
    decoded,
    good,
    public_key,
    read_tags,
)
from gatepost_mail.lookups import Answer, Question

Result = Literal["none", "pass", "fail", "temperror"]
MOST_SETS = 50
MOST_VERIFIED = 10
"""Seals whose keys are looked up; a longer chain is not believed."""


@dataclass(frozen=True)
class Chain:
    """The sets of a mail in order; `wrong` when the fields do not make a chain."""

    seals: tuple[Signature, ...] = ()
    signatures: tuple[Signature, ...] = ()
    results: tuple[tuple[bytes, bytes], ...] = ()
    wrong: str = ""

    def questions(self) -> tuple[Question, ...]:
        """The keys of every seal and of the newest signature."""
        if self.wrong or not self.seals or len(self.seals) > MOST_VERIFIED:
            return ()
        asked = [seal.question for seal in self.seals] + [self.signatures[-1].question]
        return tuple(dict.fromkeys(question for question in asked if question is not None))


@dataclass(frozen=True)
class Checked:
    """What the chain is worth, who sealed it, and what its first server says it had proven."""

    result: Result
    sealers: tuple[str, ...] = ()
    said: str = ""
    detail: str = ""


def chain(letter: Letter) -> Chain:
    """Collect the sets (RFC 8617 4.2): each instance once in each of the three fields, without gaps."""
    found: dict[str, dict[int, tuple[bytes, bytes]]] = {}
    for name in ("arc-authentication-results", "arc-message-signature", "arc-seal"):
        fields = letter.named(name)
        found[name] = {_instance(field[1]): field for field in fields}
        if len(found[name]) != len(fields):
            return Chain(wrong="repeated")
    results, messages, seals = found.values()
    if not seals and not results and not messages:
        return Chain()
    count = len(seals)
    whole = set(range(1, count + 1))
    if count > MOST_SETS or not set(results) == set(messages) == set(seals) == whole:
        return Chain(wrong="gaps")
    ordered = sorted(whole)
    return Chain(
        tuple(Signature(seals[n], read_tags(seals[n][1])) for n in ordered),
        tuple(Signature(messages[n], read_tags(messages[n][1])) for n in ordered),
        tuple(results[n] for n in ordered),
    )


def _instance(value: bytes) -> int:
    found = re.match(rb"(?:[^;]*;)*?\s*i\s*=\s*(\d{1,3})\s*(?:;|$)", value[:2_000])
    return int(found[1]) if found else 0


def verify(letter: Letter, found: Chain, keys: Mapping[Question, Answer]) -> Checked:
    """Judge the chain (5.2): the newest signature over the mail, and every seal over all that came before it."""
    if found.wrong:
        return Checked("fail", detail=found.wrong)
    if not found.seals:
        return Checked("none")
    sealers = tuple(seal.domain for seal in found.seals)
    said = found.results[0][1].decode("utf-8", "replace").partition(";")[2].strip()[:2_000]
    if len(found.seals) > MOST_VERIFIED:
        return Checked("fail", sealers, detail="too_long")
    if any(keys.get(question, Answer()).status == "temperror" for question in found.questions()):
        return Checked("temperror", sealers, detail="dns")
    for n, seal in enumerate(found.seals):
        if (seal.tags or {}).get("cv", "").lower() != ("pass" if n else "none"):
            return Checked("fail", sealers, detail="cv")
    if not _is_message_good(letter, found.signatures[-1], keys):
        return Checked("fail", sealers, detail="message")
    for n in reversed(range(len(found.seals))):
        if not _is_seal_good(found, n, keys):
            return Checked("fail", sealers, detail=f"seal {n + 1}")
    return Checked("pass", sealers, said)


def _key(signature: Signature, keys: Mapping[Question, Answer]) -> object:
    question = signature.question
    answer = keys.get(question, Answer()) if question is not None else Answer()
    algorithm = (signature.tags or {}).get("a", "").lower()
    if algorithm not in {"rsa-sha256", "ed25519-sha256"}:
        return None
    return next((key for record in answer.records[:4] if (key := public_key(record, algorithm)) is not None), None)


def _is_message_good(letter: Letter, signature: Signature, keys: Mapping[Question, Answer]) -> bool:
    tags = signature.tags or {}
    header_way, _, body_way = tags.get("c", "simple/simple").lower().partition("/")
    names = tags.get("h", "").lower().split(":")
    if "l" in tags or any(name.startswith("arc-seal") for name in names):
        return False
    if decoded(tags.get("bh", "")) != hashlib.sha256(canonical_body(letter.body, body_way or "simple")).digest():
        return False
    data = covered_by(letter, names, header_way) + blanked(signature.field, header_way)
    return good(_key(signature, keys), data, decoded(tags.get("b", "")))


def _is_seal_good(found: Chain, n: int, keys: Mapping[Question, Answer]) -> bool:
    """A seal covers every set up to its own, relaxed, its own field without the signature (5.1.1)."""
    data = b""
    for i in range(n + 1):
        data += relaxed_header(*found.results[i]) + relaxed_header(*found.signatures[i].field)
        data += relaxed_header(*found.seals[i].field) if i < n else blanked(found.seals[i].field, "relaxed")
    return good(_key(found.seals[n], keys), data, decoded((found.seals[n].tags or {}).get("b", "")))
