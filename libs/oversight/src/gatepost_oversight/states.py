"""The states of a mail and of a delivery, and how the first follows from the second."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class State(StrEnum):
    """Where a mail, or one delivery of it, stands."""

    RECEIVED = "received"  # inbound, agents may see it
    QUARANTINED = "quarantined"  # inbound, kept aside
    DISCARDED = "discarded"  # inbound, thrown away by a person
    DRAFTING = "drafting"  # asked for, nothing adopted yet
    DRAFTED = "drafted"  # adopted, not judged yet
    HELD = "held"  # waits for a person; of a delivery: given back
    REVISING = "revising"  # sent back to its author
    RELEASED = "released"  # may leave
    SENDING = "sending"  # a sender has claimed it
    DEFERRED = "deferred"  # will be tried again
    UNCERTAIN = "uncertain"  # nobody can know whether it was taken
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


INBOUND = frozenset({State.RECEIVED, State.QUARANTINED, State.DISCARDED})
OPEN = frozenset({State.RELEASED, State.SENDING, State.DEFERRED, State.UNCERTAIN})
ENDED = frozenset({
    State.DISCARDED, State.DELIVERED, State.BOUNCED, State.REJECTED, State.REFUSED,
    State.CANCELLED, State.EXPIRED, State.SUPERSEDED,
})  # fmt: skip

DELIVERY_STATES = (
    State.SENDING, State.UNCERTAIN, State.DEFERRED, State.RELEASED,
    State.HELD, State.DELIVERED, State.BOUNCED, State.REFUSED,
)  # fmt: skip
"""Least finished first: a message reads as the first of these that one of its deliveries is in."""

DELIVERY_ENDED = frozenset({State.DELIVERED, State.BOUNCED, State.REFUSED})

DERIVABLE = frozenset(DELIVERY_STATES) - {State.REFUSED}
"""Message states that a delivery step may recompute; from the others the gatekeeper has taken the message back."""


def derive(deliveries: Iterable[str]) -> State:
    """The state of a message whose present release has these deliveries; at least one."""
    present = {State(d) for d in deliveries}
    return next(state for state in DELIVERY_STATES if state in present)
