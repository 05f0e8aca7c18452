"""What a reply, or none, means for the mail: delivered, again later, bounced, or unknowable.

The class of the code decides (RFC 5321 4.2.1), the enhanced status (RFC 3463) says whether a bounce concerns the
address itself. Only that is a hard bounce, after which nobody writes to the address again; a refusal of policy, size or
content says nothing about the address. What is refused before the recipient was named (greeting, TLS, login) speaks of
the way, not of the mail, and is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gatepost_sender.driver import Ended, Stage

_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\ufffc]+")
_QUEUE_ID = re.compile(
    r"(?:queued as|queued? id[:=]?|\bid[=:])\s*<?([A-Za-z0-9._-]{5,64})"
    r"|\bok ([0-9a-f]{16}-[0-9a-f-]{20,60})"  # SES: the local part of the Message-ID it will write
    r"|<([^<>\s@]{1,100}@[^<>\s@]{1,100})>\s*\[(?:internalid|hostname)",  # Exchange: the Message-ID it wrote
    re.IGNORECASE,
)
_UNKNOWN_USER = re.compile(
    r"\b(?:user|mailbox|recipient|address|account)\b.{0,40}"
    r"\b(?:unknown|not found|does(?:n't| not) exist|no longer|invalid|unavailable)\b"
    r"|\b(?:no such|unknown|invalid)\b.{0,20}\b(?:user|mailbox|recipient|address|person|account)\b",
    re.IGNORECASE,
)
_GREY = re.compile(r"gr[ae]y[- ]?list|try again in \d+ (?:sec|min)|please retry later", re.IGNORECASE)
_SENDER_AT_FAULT = {"5.1.7", "5.1.8", "5.1.9"}  # of our own address, not of the recipient's
_WAY = {Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.TLS, Stage.AUTH}
_WORDS = 300


class Verdict(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    UNCERTAIN = "uncertain"


ROW = {Verdict.DELIVERED: "T28", Verdict.DEFERRED: "T29", Verdict.BOUNCED: "T30", Verdict.UNCERTAIN: "T31"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to record."""

    verdict: Verdict
    stage: Stage
    code: int | None = None
    enhanced: str | None = None
    words: str = ""
    remote_id: str | None = None
    is_hard: bool = False
    is_greylisted: bool = False

    @property
    def row(self) -> str:
        """The row of the lifecycle table."""
        return ROW[self.verdict]


def judge(ended: Ended) -> Outcome:
    """The meaning of an attempt's end."""
    reply, stage = ended.reply, ended.stage
    if ended.is_unknown:
        return Outcome(Verdict.UNCERTAIN, stage, words=redact(reply.text if reply else ended.why))
    if reply is None:
        return Outcome(Verdict.DEFERRED, stage, words=redact(ended.why))
    enhanced, words = reply.enhanced, redact(reply.text)
    if reply.kind == 2 and ended.is_dot_written:
        found = _QUEUE_ID.search(reply.text)
        return Outcome(Verdict.DELIVERED, stage, reply.code, enhanced, words, _first(found))
    if reply.kind == 5 and stage not in _WAY:
        is_hard = is_address_at_fault(enhanced, reply.text, stage)
        return Outcome(Verdict.BOUNCED, stage, reply.code, enhanced, words, is_hard=is_hard)
    is_grey = stage in {Stage.RCPT, Stage.DATA, Stage.DOT} and _GREY.search(reply.text) is not None
    return Outcome(Verdict.DEFERRED, stage, reply.code, enhanced, words, is_greylisted=is_grey)


def is_address_at_fault(enhanced: str | None, text: str, stage: Stage) -> bool:
    """The refusal says that this address takes no mail, for good."""
    if enhanced is not None:
        subject = enhanced.split(".")[1]
        if subject == "1":
            return enhanced not in _SENDER_AT_FAULT
        if subject != "0":
            return False
    return stage in {Stage.RCPT, Stage.DATA, Stage.DOT} and _UNKNOWN_USER.search(text) is not None


def is_status_of_address(status: str | None) -> bool:
    """The status of a delivery report is that of a hard bounce."""
    return status is not None and is_address_at_fault(status, "", Stage.QUEUE)


def next_delay_s(attempts: int, delays_s: Sequence[float], luck: float) -> float:
    """Seconds until the next attempt after this many; luck in 0..1 spreads it by a fifth either way."""
    base = delays_s[min(max(attempts, 1), len(delays_s)) - 1]
    return base * (0.8 + 0.4 * luck)


def redact(text: str) -> str:
    """The other side's words without addresses and control characters, cut to what a log may hold."""
    return _ADDRESS.sub("[address]", _UNPRINTABLE.sub(" ", text)).strip()[:_WORDS]


def _first(found: re.Match[str] | None) -> str | None:
    return next(filter(None, found.groups()), None) if found else None
