"""Every event type: its model, who publishes it, who listens, and the durables through which they do."""

from __future__ import annotations

from typing import NamedTuple

from gatepost_contracts import email, endpoint, mailbox
from gatepost_contracts.event import Event

SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")


class Entry(NamedTuple):
    """One event type of the system."""

    model: type[Event]
    owners: tuple[str, ...]
    consumers: tuple[str, ...]


CATALOGUE: tuple[Entry, ...] = (
    Entry(email.EmailReceived, ("ingest", "gatekeeper"), ("drafter", "gatekeeper", "notifier")),
    Entry(email.EmailQuarantined, ("ingest", "gatekeeper"), ("notifier",)),
    Entry(email.EmailReported, ("ingest",), ("sender", "notifier")),
    Entry(email.EmailComplained, ("ingest", "api"), ("gatekeeper", "notifier")),
    Entry(email.EmailUnsubscribed, ("ingest", "api"), ("gatekeeper", "notifier")),
    Entry(email.EmailDrafted, ("drafter", "api"), ("gatekeeper", "notifier")),
    Entry(email.EmailHeld, ("gatekeeper",), ("notifier",)),
    Entry(email.EmailReleased, ("gatekeeper",), ("sender", "notifier")),
    Entry(email.EmailRejected, ("gatekeeper",), ("drafter", "notifier")),
    Entry(email.EmailRefused, ("gatekeeper",), ("notifier",)),
    Entry(email.EmailCancelled, ("gatekeeper",), ("notifier",)),
    Entry(email.EmailExpired, ("gatekeeper",), ("notifier",)),
    Entry(email.EmailSuperseded, ("gatekeeper",), ("notifier",)),
    Entry(email.EmailDelivered, ("sender",), ("notifier",)),
    Entry(email.EmailDeferred, ("sender",), ("notifier",)),
    Entry(email.EmailBounced, ("sender",), ("notifier",)),
    Entry(email.EmailUncertain, ("sender",), ("notifier",)),
    Entry(mailbox.MailboxModeChanged, ("gatekeeper",), ("gatekeeper", "notifier")),
    Entry(mailbox.MailboxPaused, ("gatekeeper",), ("gatekeeper", "notifier")),
    Entry(mailbox.MailboxResumed, ("gatekeeper",), ("gatekeeper", "notifier")),
    Entry(endpoint.EndpointDisabled, ("notifier",), ("gatekeeper", "notifier")),
    Entry(endpoint.EndpointExhausted, ("notifier",), ("gatekeeper", "notifier")),
)

EVENTS_BY_TYPE: dict[str, type[Event]] = {entry.model.type: entry.model for entry in CATALOGUE}

CONSUMERS: dict[str, dict[str, tuple[str, ...]]] = {
    # service     durable                       event types
    "drafter": {
        "drafter_email_received": ("email.received",),
        "drafter_email_rejected": ("email.rejected",),
    },
    "gatekeeper": {
        "gatekeeper_email_drafted": ("email.drafted",),
        "gatekeeper_email_received": ("email.received",),
        "gatekeeper_world": (
            "mailbox.mode_changed", "mailbox.paused", "mailbox.resumed", "email.unsubscribed", "email.complained",
            "endpoint.disabled", "endpoint.exhausted",
        ),
    },
    "sender": {
        "sender_email_released": ("email.released",),
        "sender_email_reported": ("email.reported",),
    },
    "notifier": {"notifier_all": tuple(EVENTS_BY_TYPE)},
}  # fmt: skip
"""Every durable of the system. Libraries and manifests take the names from here; tests pin them."""


class Stream(NamedTuple):
    """One JetStream stream."""

    name: str
    subjects: tuple[str, ...]
    max_age_days: int
    sentence: str


STREAMS: tuple[Stream, ...] = (
    Stream("EVENTS", ("email.>", "mailbox.>", "endpoint.>"), 30, "Everything that happened."),
    Stream("DEAD", ("dead.>",), 365, "Events that could not be handled, with the reason."),
)


def publishes(service: str) -> tuple[str, ...]:
    """The event types this service owns, the only ones its NATS user may publish."""
    return tuple(entry.model.type for entry in CATALOGUE if service in entry.owners)
