"""Which deliveries an event makes: one per subscribed endpoint and word, each with an id that a repeat makes again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gatepost_contracts.event import Event
from gatepost_contracts.webhook_words import (
    MAILBOX_WORDS,
    OVERSIGHT_WORDS,
    Naming,
    by_mailbox_url,
    kind_of,
    namings,
)

SYSTEM_MAILBOX = "mbx_system"
TOLD_TO_EACH = frozenset({"mailbox.paused", "mailbox.resumed"})
GATING = frozenset({"inbound_gating"})  # why ingest keeps mail aside in a mailbox that holds everything


@dataclass(frozen=True)
class Subscription:
    """One endpoint, as far as fanning out needs it."""

    id: str
    tenant_id: str
    mailbox_id: str | None
    source: str
    events: tuple[str, ...]
    is_thin: bool
    tags: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    is_chat: bool = False

    @classmethod
    def of(cls, row: Any) -> Subscription:
        """From its row."""
        return cls(
            row["id"], row["tenant_id"], row["mailbox_id"], row["source"], tuple(row["events"]),
            row["payload"] == "thin", tuple(row["filter_tags"]), tuple(row["filter_threads"]),
            is_chat=row["payload"] == "slack",
        )  # fmt: skip

    def takes(self, message: Any, thread: Any) -> bool:
        """True for a mail that its filters let through: any of the tags, and any of the threads, by either id."""
        tags = {str(k): str(v) for k, v in (message.get("tags") or {}).items()}
        words = {*tags, *(f"{key}={value}" for key, value in tags.items())}
        ids = {thread.get("id"), thread.get("external_id")}
        return (not self.tags or not words.isdisjoint(self.tags)) and (
            not self.threads or not ids.isdisjoint(self.threads)
        )


@dataclass(frozen=True)
class Planned:
    """One delivery to be."""

    id: str
    subscription: Subscription
    naming: Naming


def kind(event: Event) -> str:
    """Which row of the table of words the event is."""
    reasons = set(getattr(event, "reasons", ()))
    gated = bool(reasons) and reasons <= GATING and not getattr(event, "discarded", False)
    return kind_of(event.type, decided=bool(getattr(event, "decided", False)), gated=gated)


def plan(event: Event, subscriptions: Iterable[Subscription]) -> tuple[Planned, ...]:
    """Every delivery this event makes."""
    what = kind(event)
    return tuple(
        Planned(delivery_id(event.event_id, subscription.id, naming.alias), subscription, naming)
        for subscription in subscriptions
        if concerns(event, subscription)
        for naming in _namings(what, subscription)
    )


def concerns(event: Event, subscription: Subscription) -> bool:
    """True when the event is of the subscriber's tenant and mailbox; what is tenant wide concerns every mailbox."""
    if event.tenant_id != subscription.tenant_id:
        return False
    if event.type.startswith("email.") and event.mailbox_id == SYSTEM_MAILBOX:
        return False  # codes and notices are nobody's business
    if event.type in TOLD_TO_EACH and event.mailbox_id == SYSTEM_MAILBOX:
        return False  # each mailbox that it covers has an event of its own
    return subscription.mailbox_id in {None, event.mailbox_id} or event.mailbox_id == SYSTEM_MAILBOX


def delivery_id(event_id: str, endpoint_id: str, alias: str) -> str:
    """The same for every repeat of this event, endpoint and word."""
    return "whd_" + hashlib.sha256(f"{event_id}\n{endpoint_id}\n{alias}".encode()).hexdigest()[:32]


def _namings(what: str, subscription: Subscription) -> tuple[Naming, ...]:
    match subscription.source:
        case "mailbox":
            return by_mailbox_url(what, MAILBOX_WORDS)
        case "mailbox_oversight":
            if what == "email.released":
                return ()  # only what a person released is news to reviewers
            return by_mailbox_url(what, (*OVERSIGHT_WORDS, "oversight.pending"))
        case _:
            return namings(what, subscription.events)
