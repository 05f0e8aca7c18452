"""Which thread does an inbound mail belong to? Only somebody who is on a thread joins it.

A Message-ID can be copied, so naming one proves nothing: our own signed token or a known Message-ID must come together
with a sender who wrote on the thread or was addressed in it, and whose domain does not disown the mail. Anyone else
opens a new thread that remembers the other. A subject alone never joins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

How = Literal["token", "plus_address", "reference", "provider"]
"""How a mail names a thread, the surest first: a Message-ID that we signed, an address of ours that names the thread,
the Message-ID of a mail that we hold, the id that a provider gave to a mail of ours on its way out."""
_RANK: dict[How, int] = {"token": 0, "plus_address": 1, "reference": 2, "provider": 3}
Refusal = Literal["", "not_a_participant", "author_unproven"]


@dataclass(frozen=True)
class Candidate:
    """A thread that the mail names, and how."""

    thread_id: str
    participants: frozenset[str]
    message_id: str | None = None
    how: How = "reference"


@dataclass(frozen=True)
class ThreadChoice:
    """Join this thread, or open a new one, perhaps beside the one that a stranger named."""

    thread_id: str | None
    answers: str | None = None
    related_thread_id: str | None = None
    how: How | None = None
    refused: Refusal = ""

    @property
    def why(self) -> dict[str, str]:
        """For the record: by what it was named, and what became of it."""
        if self.how is None:
            return {"thread": "new", "named_by": "nothing"}
        outcome = "joined" if self.thread_id is not None else "new"
        return {"thread": outcome, "named_by": self.how} | ({"refused": self.refused} if self.refused else {})


def choose_thread(candidates: Iterable[Candidate], sender: str, *, is_disowned: bool = False) -> ThreadChoice:
    """The surest candidate on which the sender is a participant.

    `is_disowned`: the author's domain asks receivers not to trust this mail (DMARC fails under quarantine or reject).
    """
    ordered = sorted(candidates, key=lambda candidate: _RANK[candidate.how])
    for candidate in ordered:
        if sender and sender.lower() in candidate.participants:
            if is_disowned:
                return ThreadChoice(
                    None, related_thread_id=candidate.thread_id, how=candidate.how, refused="author_unproven"
                )
            return ThreadChoice(candidate.thread_id, answers=candidate.message_id, how=candidate.how)
    if not ordered:
        return ThreadChoice(None)
    return ThreadChoice(None, related_thread_id=ordered[0].thread_id, how=ordered[0].how, refused="not_a_participant")
