"""Which thread a mail joins, from what it names and from what we know of that.

A mail names threads by Message-IDs of ours (they carry a signature), by the Message-IDs of mail we hold in the same
mailbox, and by a plus-address. Naming is not enough: the sender must be on the thread (gatepost_mail.threading).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatepost_mail import tokens
from gatepost_mail.parse import Parsed
from gatepost_mail.threading import Candidate, How, choose_thread

MOST_NAMED = 60
"""Message-IDs looked up for one mail: the newest count."""


@dataclass(frozen=True)
class Named:
    """What a mail refers to, the nearest first."""

    rfc_message_ids: tuple[str, ...]
    message_ids: tuple[str, ...]  # ours, proven by their signature
    thread_id: str | None  # of a plus-address of ours
    delivery_id: str | None = None  # of a return path of ours: a report on exactly this one
    remote_ids: tuple[str, ...] = ()  # as providers write the ids they give

    @property
    def is_empty(self) -> bool:
        """It refers to nothing."""
        return not self.rfc_message_ids and not self.message_ids and self.thread_id is None


@dataclass(frozen=True)
class Place:
    """Where the mail goes."""

    thread_id: str | None  # None: a new thread
    in_reply_to_id: str | None
    related_thread_id: str | None
    flags: tuple[str, ...]
    why: Mapping[str, str] = field(default_factory=lambda: {"thread": "new", "named_by": "nothing"})


def named_by(parsed: Parsed, address: str, key: bytes, more: Sequence[str] = ()) -> Named:
    """The references of a mail; `more` are those that a report inside it names."""
    ids = tuple(dict.fromkeys((*reversed(parsed.in_reply_to), *reversed(parsed.references), *more)))[:MOST_NAMED]
    ours = tuple(found[0] for found in (tokens.read_message_id(key, rfc_id) for rfc_id in ids) if found)
    message_id, delivery_id = tokens.read_return_path(key, address) or (None, None)
    if message_id is not None and message_id not in ours:
        ours += (message_id,)
    return Named(ids, ours, tokens.read_plus(key, address), delivery_id, _remote_ids(ids))


def _remote_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """A Message-ID as the sender may have noted it: SES tells the local part, Exchange the whole."""
    whole = [rfc_id.strip("<>") for rfc_id in ids]
    return tuple(dict.fromkeys([*(name.partition("@")[0] for name in whole if "amazonses" in name), *whole]))


def _how(row: Mapping[str, Any], named: Named) -> How:
    if row["message_id"] in named.message_ids:
        return "token"
    if row["message_id"] is None:
        return "plus_address"
    return "reference" if row["rfc"] in named.rfc_message_ids else "provider"


def place(
    parsed: Parsed, named: Named, known: Sequence[Mapping[str, Any]], own_address: str, *, is_disowned: bool = False
) -> Place:
    """Join or open. `known` are rows of the statement `named_threads`."""
    rank = {rfc_id: n for n, rfc_id in enumerate(named.rfc_message_ids)}
    ours = {message_id: n for n, message_id in enumerate(named.message_ids)}
    candidates = []
    for row in sorted(known, key=lambda r: min(ours.get(r["message_id"], MOST_NAMED), rank.get(r["rfc"], MOST_NAMED))):
        people = frozenset(a for a in row["participants"] if tokens.base_address(a) != own_address)
        candidates.append(Candidate(row["thread_id"], people, row["message_id"], _how(row, named)))
    choice = choose_thread(candidates, parsed.from_address, is_disowned=is_disowned)
    flags = []
    joined = next((row for row in known if row["thread_id"] == choice.thread_id), None)
    if joined is not None and parsed.from_address not in joined["writers"]:
        flags.append("new_on_thread")
    if choice.thread_id is None and _imitates(parsed, known):
        flags.append("lookalike")
    return Place(choice.thread_id, choice.answers, choice.related_thread_id, tuple(flags), choice.why)


def _imitates(parsed: Parsed, known: Sequence[Mapping[str, Any]]) -> bool:
    """A display name of somebody on the thread, from another address."""
    name = " ".join(parsed.from_name.casefold().split())
    if not name:
        return False
    for row in known:
        if parsed.from_address not in row["writers"] and name in {" ".join(n.casefold().split()) for n in row["names"]}:
            return True
    return False
