"""Which thread does an inbound mail belong to? Only somebody who is on a thread joins it.

A Message-ID can be copied, so naming one proves nothing: our own signed token or a known Message-ID must come together
with a sender who wrote on the thread or was addressed in it. Anyone else opens a new thread that remembers the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A thread that the mail names, and how."""

    thread_id: str
    participants: frozenset[str]
    message_id: str | None = None
    by_token: bool = False


@dataclass(frozen=True)
class ThreadChoice:
    """Join this thread, or open a new one, perhaps beside the one that a stranger named."""

    thread_id: str | None
    answers: str | None = None
    related_thread_id: str | None = None


def choose_thread(candidates: Iterable[Candidate], sender: str) -> ThreadChoice:
    """The first candidate on which the sender is a participant; signed tokens come first."""
    ordered = sorted(candidates, key=lambda candidate: not candidate.by_token)
    for candidate in ordered:
        if sender and sender.lower() in candidate.participants:
            return ThreadChoice(candidate.thread_id, answers=candidate.message_id)
    return ThreadChoice(None, related_thread_id=ordered[0].thread_id if ordered else None)
