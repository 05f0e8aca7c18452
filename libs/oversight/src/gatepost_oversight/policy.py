"""Held, released or refused? The first rule that matches decides; every reason that holds is told to the reviewer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gatepost_oversight.mode import Mode


class Verdict(StrEnum):
    """What the policy says of a draft."""

    REFUSE = "refuse"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True)
class Facts:
    """Everything the policy may know: a mode and yes-or-no answers. False is the harmless answer everywhere."""

    mode: Mode
    suppressed: bool = False
    blocked: bool = False
    loop: bool = False
    draft_failed: bool = False
    placeholder: bool = False
    render_mismatch: bool = False
    unsupported_commitment: bool = False
    foreign_content: bool = False
    new_link: bool = False
    new_recipient: bool = False
    suspected_injection: bool = False
    loop_risk: bool = False
    rate_limited: bool = False
    paused: bool = False
    possible_duplicate: bool = False
    system_template: bool = False
    first_contact: bool = False
    sampled: bool = False


@dataclass(frozen=True)
class Rule:
    """One row: a name, when it matches, what follows, and why in words a reviewer reads."""

    name: str
    matches: Callable[[Facts], bool]
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Judgement:
    """The deciding rule first, then every other rule that held."""

    verdict: Verdict
    rule: Rule
    reasons: tuple[Rule, ...]


def _fact(name: str) -> Callable[[Facts], bool]:
    return lambda facts: bool(getattr(facts, name))


_R, _H = Verdict.REFUSE, Verdict.HOLD
POLICY: tuple[Rule, ...] = (
    Rule("suppressed", _fact("suppressed"), _R, "a recipient opted out, bounced or complained"),
    Rule("blocked", _fact("blocked"), _R, "sending is blocked here"),
    Rule("read_only", lambda f: f.mode is Mode.READ_ONLY, _R, "this mailbox sends nothing"),
    Rule("loop", _fact("loop"), _R, "it would answer a mail that came from here"),
    Rule("draft_failed", _fact("draft_failed"), _H, "no draft came about; please write it"),
    Rule("placeholder", _fact("placeholder"), _H, "the draft asks a reviewer to fill something in"),
    Rule("render_mismatch", _fact("render_mismatch"), _H, "the stored content is not what its text renders to now"),
    Rule("unsupported_commitment", _fact("unsupported_commitment"), _H, "it promises something that no source here supports"),
    Rule("foreign_content", _fact("foreign_content"), _H, "it holds content whose owner is not among the recipients"),
    Rule("new_link", _fact("new_link"), _H, "it links to a place that nobody here has named"),
    Rule("new_recipient", _fact("new_recipient"), _H, "it answers to somebody who is not on the thread"),
    Rule("suspected_injection", _fact("suspected_injection"), _H, "the mail it answers may try to steer the agent"),
    Rule("loop_risk", _fact("loop_risk"), _H, "it may answer a machine"),
    Rule("rate_limited", _fact("rate_limited"), _H, "more mail than usual leaves from here"),
    Rule("paused", _fact("paused"), _H, "sending is paused"),
    Rule("possible_duplicate", _fact("possible_duplicate"), _H, "this mail seems to be answered already"),
    Rule("system_template", _fact("system_template"), Verdict.RELEASE, "a notice from a fixed template"),
    Rule("gated", lambda f: f.mode in {Mode.GATED_ALL, Mode.GATED_SEND}, _H, "this mailbox sends nothing unseen"),
    Rule("first_contact", lambda f: f.first_contact and f.mode is Mode.MONITORED, _H, "nobody here has written to them before"),
    Rule("sampled", _fact("sampled"), _H, "picked for lasting review"),
    Rule("default", lambda _: True, Verdict.RELEASE, "the mode lets the agent send"),
)  # fmt: skip
RULES: dict[str, Rule] = {rule.name: rule for rule in POLICY}


def decide(facts: Facts) -> Judgement:
    """The verdict on these facts."""
    matching = [rule for rule in POLICY if rule.matches(facts)]
    first = matching[0]
    reasons = tuple(rule for rule in matching if rule.verdict is first.verdict and rule.name != "default") or (first,)
    if first.verdict is Verdict.REFUSE:
        reasons += tuple(rule for rule in matching if rule.verdict is Verdict.HOLD)
    return Judgement(first.verdict, first, reasons)
