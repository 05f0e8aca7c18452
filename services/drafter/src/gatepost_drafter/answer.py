"""What a model's words amount to: a draft, or a failure that a person sees.

A model may wrap its JSON in prose or in a code fence, so the first whole object is taken. Whatever is empty, cut or of
the wrong shape fails: half an answer is never a draft.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from gatepost_drafter.provider import DraftFailed, DraftResult, Support, Usage

LONGEST_ANSWER = 400_000
"""Characters of a model's answer that are looked at; more is no mail."""
LONGEST_BODY = 100_000

_MARK = re.compile(r"\[REVIEWER:\s*([^\]\n]*)\]?", re.IGNORECASE)


def read_answer(text: str, *, given: Collection[str], usage: Usage) -> DraftResult:
    """The draft in a model's answer; raises DraftFailed."""
    if not text.strip():
        raise DraftFailed("empty", "the model answered nothing", usage=usage)
    if len(text) > LONGEST_ANSWER:
        raise DraftFailed("too_large", "the model answered more than any mail holds", usage=usage)
    content = _object(text, usage)
    body = content.get("body")
    if not isinstance(body, str):
        raise DraftFailed("invalid", "the answer has no body", usage=usage)
    body = _clean(body)
    if not body:
        raise DraftFailed("empty", "the body is empty", usage=usage)
    if len(body) > LONGEST_BODY:
        raise DraftFailed("too_large", "the body is longer than a mail should be", usage=usage)
    return DraftResult(
        markdown=body,
        category=category_of(content.get("category")),
        evidence=_evidence(content.get("evidence"), given),
        placeholders=placeholders_in(body),
        commitments=_words(content.get("commitments")),
        usage=usage,
    )


def placeholders_in(body: str) -> tuple[str, ...]:
    """What the marks in a text ask a reviewer for."""
    return tuple(found.strip()[:300] for found in _MARK.findall(body))


def category_of(value: Any) -> str | None:
    """A category as a short lower-case word, or none."""
    if not isinstance(value, str):
        return None
    return re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_")[:40] or None


def _object(text: str, usage: Usage) -> dict[str, Any]:
    decoder = json.JSONDecoder()
    start = text.find("{")
    is_open = False
    for _ in range(20):
        if start < 0:
            break
        try:
            content, _end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            is_open = is_open or not text.rstrip().endswith(("}", "```"))
        else:
            if isinstance(content, dict) and "body" in content:
                return content
        start = text.find("{", start + 1)
    if is_open:
        raise DraftFailed("cut", "the answer ends in the middle", usage=usage)
    raise DraftFailed("invalid", "the answer is not the JSON object that was asked for", usage=usage)


def _clean(body: str) -> str:
    """Text that Postgres and mail can hold: no NUL, no lone surrogates, line ends as LF."""
    whole = body.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    return whole.replace("\r\n", "\n").replace("\r", "\n").strip()


def _evidence(value: Any, given: Collection[str]) -> tuple[Support, ...]:
    """Only ids that the model was given count; an invented one supports nothing."""
    if not isinstance(value, list):
        return ()
    found = []
    for item in value[:200]:
        if isinstance(item, dict) and isinstance(item.get("sentence"), str) and isinstance(item.get("ids"), list):
            ids = tuple(i for i in item["ids"] if isinstance(i, str) and i in given)
            found.append(Support(_clean(item["sentence"])[:1000], ids))
    return tuple(found)


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(_clean(item)[:500] for item in value[:50] if isinstance(item, str) and item.strip())
