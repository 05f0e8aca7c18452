"""By which words an event may be subscribed to, and by which word each subscriber hears it.

An event is named by the word the subscriber used. Who subscribed by `*`, by a pattern or by a mailbox's own URL used no
word of ours, so they get both: `event` is the `message.*` or `oversight.*` alias, `type` is the `email.*` one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RELEASED_BY_DECISION = "email.released by a decision"
QUARANTINED_BY_GATING = "email.quarantined by gating"

# kind of event -> its words; the first is the email.* word, the second the alias that `*` subscribers see as `event`.
WORDS: dict[str, tuple[str, ...]] = {
    "email.received": ("email.received", "message.received", "inbound", "check_inbox"),
    "email.held": ("email.pending_approval", "message.pending", "oversight.pending", "email.held"),
    "email.quarantined": ("email.quarantined", "message.quarantined"),
    QUARANTINED_BY_GATING: ("email.quarantined", "oversight.pending", "message.quarantined"),
    RELEASED_BY_DECISION: ("email.approved", "message.approved", "oversight.approved", "email.released"),
    "email.released": ("email.released",),
    "email.rejected": ("email.rejected", "message.rejected", "oversight.rejected"),
    "email.delivered": ("email.delivered", "message.delivered", "message.sent", "delivery"),
    "email.bounced": ("email.bounced", "message.bounced", "bounce"),
    "email.complained": ("email.complained", "message.complained", "complaint"),
    "email.unsubscribed": ("email.unsubscribed", "message.unsubscribed", "unsubscribe"),
    "email.cancelled": ("email.cancelled", "message.cancelled"),
    "email.expired": ("email.expired", "message.expired", "oversight.expired"),
    "email.refused": ("email.refused", "message.refused"),
    "email.superseded": ("email.superseded", "message.superseded"),
    "email.deferred": ("email.deferred", "message.deferred"),
    "email.uncertain": ("email.uncertain", "message.uncertain"),
    "email.drafted": ("email.drafted", "message.drafted"),
    "email.reported": ("email.reported",),
    "mailbox.mode_changed": ("mailbox.mode_changed",),
    "mailbox.paused": ("mailbox.paused",),
    "mailbox.resumed": ("mailbox.resumed",),
    "endpoint.disabled": ("endpoint.disabled",),
    "endpoint.exhausted": ("endpoint.exhausted",),
}
# The word shown as `event` where held mail goes to somebody who named no word: reviewers' pages know this one.
_SHOWN: dict[str, str] = {"email.held": "oversight.pending", RELEASED_BY_DECISION: "oversight.approved",
                          "email.rejected": "oversight.rejected", "email.expired": "oversight.expired"}  # fmt: skip

MAILBOX_WORDS = ("email.received",)
OVERSIGHT_WORDS = ("email.held", "email.approved", "email.rejected", "email.expired")
# A subscriber to one of these words may see the text of inbound mail that a person has not let through yet.
OVERSIGHT_SEEN = frozenset({"oversight.pending", "email.held", "email.pending_approval", "message.pending"})


@dataclass(frozen=True, order=True)
class Naming:
    """What one subscriber hears: the word that makes its delivery distinct, and the two names in the payload."""

    alias: str
    event: str
    type: str


def known_words() -> tuple[str, ...]:
    """Every word that may be subscribed to, patterns apart."""
    return tuple(sorted({word for words in WORDS.values() for word in words}))


def kind_of(event_type: str, *, decided: bool = False, gated: bool = False) -> str:
    """Which row of the table an event is."""
    if event_type == "email.released" and decided:
        return RELEASED_BY_DECISION
    if event_type == "email.quarantined" and gated:
        return QUARANTINED_BY_GATING
    return event_type


def kind_named(word: str) -> str | None:
    """The kind of event that this word names; None for a word that names none."""
    return next((kind for kind, words in WORDS.items() if word in words), None)


def namings(kind: str, subscribed: Iterable[str]) -> tuple[Naming, ...]:
    """How a subscriber with these words hears this kind of event; empty: not at all. Two aliases are two deliveries."""
    words = WORDS.get(kind, (kind,))
    used = tuple(dict.fromkeys(subscribed))
    exact = tuple(Naming(word, word, word) for word in used if word in words)
    if exact:
        return exact
    canonical = kind if kind in WORDS and not kind.startswith("email.released by") else words[-1]
    for pattern in used:
        if pattern == "*" or (pattern.endswith(".*") and _covers(pattern, canonical, words)):
            return (Naming("*", _shown(kind), words[0]),)
    return ()


def by_mailbox_url(kind: str, words: Iterable[str]) -> tuple[Naming, ...]:
    """How a mailbox's own URL hears it: it named no word, so it gets both names."""
    return (Naming("*", _shown(kind), WORDS[kind][0]),) if namings(kind, words) else ()


def _covers(pattern: str, canonical: str, words: tuple[str, ...]) -> bool:
    prefix = pattern[:-1]
    return canonical.startswith(prefix) or any(word.startswith(prefix) for word in words)


def _shown(kind: str) -> str:
    words = WORDS.get(kind, (kind,))
    return _SHOWN.get(kind) or (words[1] if len(words) > 1 else words[0])
