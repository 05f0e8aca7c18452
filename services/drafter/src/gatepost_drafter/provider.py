"""What any writer of drafts is asked and answers: the one interface behind which models are exchanged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

FailureKind = Literal[
    "timeout", "rate_limited", "unavailable", "refused", "empty", "cut", "invalid", "too_large", "configuration"
]

RETRYABLE: frozenset[str] = frozenset({"timeout", "rate_limited", "unavailable"})
"""Failures that another try may cure; the rest would fail the same way again, at the same price."""


@dataclass(frozen=True)
class Passage:
    """A piece of knowledge that the search found."""

    id: str
    article: str
    title: str
    heading: str
    text: str
    rank: float


@dataclass(frozen=True)
class Turn:
    """One mail of the thread that participants have seen: the customer's, or ours once it was delivered."""

    message_id: str
    direction: Literal["inbound", "outbound"]
    name: str
    address: str
    at: datetime | None
    subject: str
    text: str


@dataclass(frozen=True)
class Correction:
    """What a reviewer sent back, and why."""

    revision: int
    markdown: str
    note: str


@dataclass(frozen=True)
class DraftRequest:
    """Everything a draft may be written from. All but the instructions and the note is other people's text."""

    mailbox_name: str
    mailbox_address: str
    instructions: str
    customer_name: str
    turns: tuple[Turn, ...]
    passages: tuple[Passage, ...] = ()
    correction: Correction | None = None
    attachments: tuple[str, ...] = ()

    @property
    def question(self) -> Turn:
        """The mail to be answered: the newest."""
        return self.turns[-1]

    @property
    def given(self) -> tuple[str, ...]:
        """The ids of all it was given."""
        return tuple(turn.message_id for turn in self.turns) + tuple(passage.id for passage in self.passages)


@dataclass(frozen=True)
class Usage:
    """What a call cost."""

    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: Usage) -> Usage:
        """The sum of two calls for one draft."""
        return Usage(
            other.model or self.model,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True)
class Support:
    """A sentence of the draft and the ids of the mails or passages that say so."""

    sentence: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class DraftResult:
    """A draft, and what supports it."""

    markdown: str
    category: str | None = None
    evidence: tuple[Support, ...] = ()
    placeholders: tuple[str, ...] = ()
    commitments: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)


class DraftFailed(Exception):
    """No draft came about. A person sees it as a failed revision; the customer gets nothing half done."""

    def __init__(
        self, kind: FailureKind, message: str, *, usage: Usage | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.usage = usage or Usage()
        self.retry_after_s = retry_after_s


class Provider(Protocol):
    """A writer of drafts. It holds no tools and sees nothing but the request."""

    @property
    def name(self) -> str:
        """`scripted`, `anthropic` or `openai`."""

    @property
    def prompt_version(self) -> str:
        """Which wording of ours it was asked with."""

    async def draft(self, request: DraftRequest) -> DraftResult:
        """Write one draft; raises DraftFailed."""

    async def close(self) -> None:
        """Let go of connections."""
