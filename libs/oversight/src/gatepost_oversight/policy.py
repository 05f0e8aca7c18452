"""What policy says of a draft: hold, release or refuse, and every reason for it.

Facts are a mode and booleans, so the proofs can try them all. The first rule that applies decides; the last always does.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from gatepost_oversight.mode import Mode


class Verdict(StrEnum):
    """What to do with a draft, the harshest first."""

    REFUSE = "refuse"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a draft when it is judged. `mode` is the effective one, of the strictest recipient."""

    mode: Mode = Mode.GATED_SEND
    suppressed: bool = False
    blocked: bool = False
    loop: bool = False  # it would answer a mail that came from here
    draft_failed: bool = False
    placeholder: bool = False
    render_mismatch: bool = False
    unsupported_commitment: bool = False
    foreign_content: bool = False  # content whose owner is not among the recipients
    new_link: bool = False
    new_recipient: bool = False
    newcomer: bool = False  # it answers somebody whom others brought onto the thread
    suspected_injection: bool = False
    loop_risk: bool = False
    rate_limited: bool = False
    paused: bool = False
    possible_duplicate: bool = False
    system_template: bool = False
    first_contact: bool = False
    sampled: bool = False


FACT_NAMES = tuple(f.name for f in fields(Facts) if f.name != "mode")


@dataclass(frozen=True)
class Rule:
    """When `fact` holds (if one is named) in one of `modes` (if any are named), the verdict is this."""

    name: str
    verdict: Verdict
    why: str
    fact: str | None = None
    modes: frozenset[Mode] = frozenset()

    def applies(self, facts: Facts) -> bool:
        """True when the rule speaks of these facts."""
        return (self.fact is None or getattr(facts, self.fact) is True) and (not self.modes or facts.mode in self.modes)


def _in(*modes: Mode) -> frozenset[Mode]:
    return frozenset(modes)


REFUSE, HOLD, RELEASE = Verdict.REFUSE, Verdict.HOLD, Verdict.RELEASE

POLICY: tuple[Rule, ...] = (
    Rule("suppressed", REFUSE, "a recipient opted out, bounced or complained", "suppressed"),
    Rule("blocked", REFUSE, "a policy block is set", "blocked"),
    Rule("read_only", REFUSE, "this mailbox sends nothing", modes=_in(Mode.READ_ONLY)),
    Rule("loop", REFUSE, "it would answer a mail that came from here", "loop"),
    Rule("draft_failed", HOLD, "no draft came about; a person must write it", "draft_failed"),
    Rule("placeholder", HOLD, "the draft asks a reviewer to fill something in", "placeholder"),
    Rule("render_mismatch", HOLD, "the content is not what the draft renders to", "render_mismatch"),
    Rule("unsupported_commitment", HOLD, "it promises something that no source supports", "unsupported_commitment"),
    Rule("foreign_content", HOLD, "it holds content of someone who is not a recipient", "foreign_content"),
    Rule("new_link", HOLD, "it links to a place that nobody here linked to before", "new_link"),
    Rule("new_recipient", HOLD, "it goes to someone who is not part of the thread", "new_recipient"),
    Rule("newcomer", HOLD, "it answers somebody whom others brought onto the thread", "newcomer"),
    Rule("suspected_injection", HOLD, "the mail it answers may try to steer the agent", "suspected_injection"),
    Rule("loop_risk", HOLD, "the other side may be answering automatically", "loop_risk"),
    Rule("rate_limited", HOLD, "more mail than usual leaves this mailbox", "rate_limited"),
    Rule("paused", HOLD, "sending is paused", "paused"),
    Rule("possible_duplicate", HOLD, "this mail seems to be answered already", "possible_duplicate"),
    Rule("system_template", RELEASE, "a fixed template of ours to the oversight address", "system_template"),
    Rule("gated_all", HOLD, "a person sees everything of this mailbox", modes=_in(Mode.GATED_ALL)),
    Rule("gated", HOLD, "this mailbox sends nothing unseen", modes=_in(Mode.GATED_SEND)),
    Rule("first_contact", HOLD, "nobody here has written to them before", "first_contact", _in(Mode.MONITORED)),
    Rule("sampled", HOLD, "a sample of this kind is always looked at", "sampled"),
    Rule("default", RELEASE, "the mode lets the agent send"),
)  # fmt: skip

RULES: dict[str, Rule] = {rule.name: rule for rule in POLICY}


@dataclass(frozen=True)
class Judgement:
    """The verdict, the rule that gave it, and every rule that speaks against release, the deciding one first."""

    verdict: Verdict
    rule: Rule
    reasons: tuple[Rule, ...]


def decide(facts: Facts) -> Judgement:
    """Judge a draft; total, because the last rule asks nothing."""
    matching = [rule for rule in POLICY if rule.applies(facts)]
    first = matching[0]
    against = tuple(rule for rule in matching if rule.verdict is not RELEASE)
    return Judgement(first.verdict, first, (first,) if first.verdict is RELEASE else against)
