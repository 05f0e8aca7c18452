"""The word a door shows for a mail's state, and back: which mails a word in a filter means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from gatepost_api.errors import Refusal

GATED = "gated_all"


class Row(Protocol):
    """What a status follows from: values by column name."""

    def __getitem__(self, column: str, /) -> Any:
        """The value of a column."""


_OUTBOUND = {
    "drafting": "pending_scan",
    "drafted": "pending_scan",
    "held": "pending_send_approval",
    "revising": "rejected",
    "sending": "queued",
    "deferred": "queued",
    "refused": "send_failed",
}
_LEFT = frozenset({"delivered", "bounced", "uncertain"})


@dataclass(frozen=True)
class Filter:
    """What a status word means in the table; None asks nothing."""

    states: tuple[str, ...] | None = None
    read: bool | None = None
    gated: bool | None = None
    scheduled: bool | None = None
    decided: bool | None = None
    archived: bool | None = None
    spam: bool | None = None
    aside: bool = False  # names mail that is kept aside, so such mail may be shown


_QUEUED = ("released", "sending", "deferred")
WORDS: dict[str, Filter] = {
    "unread": Filter(("received",), read=False, archived=False, spam=False),
    "read": Filter(("received",), read=True, archived=False, spam=False),
    "archived": Filter(("received",), archived=True),
    "received": Filter(("received",)),
    "deleted": Filter(()),
    "spam_flagged": Filter(("received", "quarantined"), spam=True, aside=True),
    "spam_quarantined": Filter(("received", "quarantined"), spam=True, aside=True),
    "pending_inbound_approval": Filter(("quarantined",), gated=True, aside=True),
    "discarded": Filter(("discarded",), aside=True),
    "pending_scan": Filter(("drafting", "drafted")),
    "pending_send_approval": Filter(("held",)),
    "pending": Filter(("held",)),
    "pending_approval": Filter(("held",)),
    "held": Filter(("held",)),
    "scheduled": Filter(("released",), scheduled=True),
    "queued": Filter(_QUEUED, scheduled=False),
    "delivered": Filter(("delivered",)),
    "sent": Filter(("delivered",)),
    "approved": Filter((*_QUEUED, "delivered"), decided=True),
    "bounced": Filter(("bounced",)),
    "uncertain": Filter(("uncertain",)),
    "rejected": Filter(("revising", "rejected")),
    "cancelled": Filter(("cancelled",)),
    "send_failed": Filter(("refused",)),
    "refused": Filter(("refused",)),
    "expired": Filter(("expired",)),
    "superseded": Filter(("superseded",)),
    "deferred": Filter(("deferred",)),
    "all": Filter(),
}
DIRECTIONS = ("inbound", "outbound")


def filter_of(word: str | None) -> Filter:
    """The mails a status word names."""
    if word is None:
        return Filter()
    found = WORDS.get(word.strip().lower())
    if found is None:
        raise Refusal(
            "invalid_request", f"status: {word[:40]!r} is unknown", known=sorted(WORDS), fields={"status": "unknown"}
        )
    return found


def status_of(mail: Row, now: datetime) -> str:
    """The published word for where a mail stands."""
    state = str(mail["state"])
    if mail["direction"] == "inbound":
        if state == "received" and mail["user_label"] == "spam":
            return "spam_quarantined"
        if state == "received":
            return "archived" if mail["archived_at"] else "read" if mail["read_at"] else "unread"
        if state == "quarantined":
            if GATED in mail["quarantined_for"]:
                return "pending_inbound_approval"
            return "spam_flagged" if mail["spam_verdict"] == "flagged" else "spam_quarantined"
        return state
    if state == "released":
        return "scheduled" if mail["send_at"] and mail["send_at"] > now else "queued"
    return _OUTBOUND.get(state, state)


def has_left(mail: Row) -> bool:
    """Has any recipient been served? Then it belongs to what the participants have seen."""
    if mail["state"] == "delivered" or mail["delivered_at"]:
        return True
    return any(d["state"] == "delivered" for d in mail["deliveries"] or ())


def is_waiting(mail: Row) -> bool:
    """Does a person have to look at it?"""
    return mail["state"] == "held" or (mail["state"] == "quarantined" and GATED in mail["quarantined_for"])
