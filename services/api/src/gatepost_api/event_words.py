"""The words an event may be subscribed to. The notifier names each event by the word its subscriber used."""

from __future__ import annotations

from collections.abc import Iterable

from gatepost_api.errors import Refusal
from gatepost_contracts.webhook_words import known_words

PATTERNS = ("*", "email.*", "mailbox.*", "message.*", "oversight.*", "endpoint.*")
KNOWN = known_words()


def checked(words: Iterable[str]) -> list[str]:
    """The words as they are; an unknown one is refused with the list of known ones."""
    given = [word.strip() for word in words]
    unknown = [word for word in given if word not in KNOWN and word not in PATTERNS]
    if unknown:
        raise Refusal("event_unsupported", f"unknown event: {unknown[0][:60]}", known=[*KNOWN, *PATTERNS])
    return list(dict.fromkeys(given))
