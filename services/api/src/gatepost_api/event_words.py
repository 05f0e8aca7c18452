"""The words an event may be subscribed to. The notifier names each event by the word its subscriber used."""

from __future__ import annotations

from collections.abc import Iterable

from gatepost_api.errors import Refusal
from gatepost_contracts.catalogue import EVENTS_BY_TYPE

_ALIASES = (
    "message.received", "inbound", "check_inbox", "email.pending_approval", "oversight.pending", "message.pending",
    "email.approved", "oversight.approved", "message.approved", "oversight.rejected", "message.rejected",
    "message.delivered", "message.sent", "delivery", "message.bounced", "bounce", "message.complained", "complaint",
    "message.unsubscribed", "unsubscribe", "message.cancelled", "message.expired", "oversight.expired", "message.refused",
    "message.superseded", "message.deferred", "message.uncertain", "message.drafted", "message.quarantined",
)  # fmt: skip
_PATTERNS = ("*", "email.*", "mailbox.*", "message.*", "oversight.*", "endpoint.*")
KNOWN = tuple(sorted({*EVENTS_BY_TYPE, *_ALIASES}))


def checked(words: Iterable[str]) -> list[str]:
    """The words as they are; an unknown one is refused with the list of known ones."""
    given = [word.strip() for word in words]
    unknown = [word for word in given if word not in KNOWN and word not in _PATTERNS]
    if unknown:
        raise Refusal("event_unsupported", f"unknown event: {unknown[0][:60]}", known=[*KNOWN, *_PATTERNS])
    return list(dict.fromkeys(given))
