"""The states of mail and of deliveries, and how a mail's state follows from its deliveries."""

from __future__ import annotations

from collections.abc import Iterable

INBOUND = ("received", "quarantined", "discarded")
OPEN = ("drafting", "drafted", "held", "revising", "released", "sending", "deferred", "uncertain")
ENDED = ("delivered", "bounced", "rejected", "refused", "cancelled", "expired", "superseded", "discarded")
DELIVERY = ("released", "sending", "deferred", "uncertain", "delivered", "bounced", "refused", "held")

DERIVED = ("sending", "uncertain", "deferred", "released", "held", "delivered", "bounced", "refused")
"""The least finished first: a mail is what the first of these is that one of its deliveries is in."""

FOLLOWS_DELIVERIES = ("released", "sending", "deferred", "uncertain", "delivered", "bounced")
"""While a mail is in one of these, each delivery step derives its state anew; else the gatekeeper took it back."""


def derive(deliveries: Iterable[str]) -> str:
    """The state of a mail whose deliveries of the present release are in these states."""
    present = set(deliveries)
    return next(state for state in DERIVED if state in present)
