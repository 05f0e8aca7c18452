"""What another policy would have done with the past: the same facts, other modes, the same table.

The facts of each judgement are in its audit record. What they were then they are here; only what the proposal changes is
worked out anew: the category, the grant and the effective mode. Which mail the lasting sample takes is known to the
gatekeeper alone, so of the sample there is a number, and of the two-person rule how many second approvals it would ask for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gatepost_oversight.category import CategoryRule, Inbound, ModeGrant, first_match, granted
from gatepost_oversight.mode import Mode, effective
from gatepost_oversight.policy import FACT_NAMES, Facts, Verdict, decide

SHOWN = 20
_LET_GO = frozenset({"approved", "edited"})


@dataclass(frozen=True)
class Policy:
    """What an operator may set for one mailbox."""

    mode: Mode
    ceiling: Mode
    covers_ask: bool = False
    rules: tuple[CategoryRule, ...] = ()
    grants: tuple[ModeGrant, ...] = ()
    two_person: bool = False
    sample_rate: float = 0.0
    samples_mailbox: bool = False  # a person loosened its own mode


@dataclass(frozen=True)
class Judged:
    """One draft as it was judged. `mail` is the newest mail of its thread, where it answered that."""

    message_id: str
    facts: frozenset[str]
    recipients: tuple[str, ...] = ()
    ask: Mode | None = None
    labels: tuple[str, ...] = ()
    mail: Inbound | None = None
    became: str = "waits"  # approved, edited, rejected, released, refused, waits


@dataclass
class Outcome:
    """What a policy does with all of them, beside another."""

    judged: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    newly_released: Counter[str] = field(default_factory=Counter)  # by what became of it
    newly_held: int = 0
    sampled: float = 0.0  # of those let go: how many the lasting sample is expected to hold
    second_approvals: int = 0  # of those held that people let go: how many wanted a second person
    examples: list[dict[str, Any]] = field(default_factory=list)


class Ruling(NamedTuple):
    """What a policy says of one draft."""

    verdict: Verdict
    against: tuple[str, ...]
    category: str | None
    is_sampled: bool  # it is of what the lasting sample is drawn from


def verdict_under(policy: Policy, judged: Judged) -> Ruling:
    """What this policy says of one draft."""
    rule = first_match(policy.rules, judged.mail) if judged.mail is not None else None
    category = rule.name if rule is not None else None
    grant = granted(
        policy.grants, category=category, labels=judged.labels, recipients=judged.recipients, mailbox=policy.mode
    )
    mode = effective(
        policy.mode, policy.ceiling, judged.ask, granted=grant.mode if grant else None,
        covers_ask=grant.covers_ask if grant else policy.covers_ask,
    )  # fmt: skip
    if Mode.READ_ONLY in {policy.mode, policy.ceiling}:
        mode = Mode.READ_ONLY
    known: Any = {name: True for name in judged.facts if name in FACT_NAMES and name != "sampled"}
    judgement = decide(Facts(mode=mode, **known))
    against = () if judgement.verdict is Verdict.RELEASE else tuple(rule.name for rule in judgement.reasons)
    is_loose = mode.level > Mode.GATED_SEND.level
    is_drawn_from = policy.samples_mailbox if grant is None else grant.kind == "category"
    return Ruling(judgement.verdict, against, category, is_loose and is_drawn_from)


def compare(proposed: Policy, present: Policy, past: Iterable[Judged]) -> Outcome:
    """Every draft of the past under both; examples name those that the proposal would treat otherwise."""
    found = Outcome()
    for judged in past:
        new, reasons, category, is_sampled = verdict_under(proposed, judged)
        old = verdict_under(present, judged).verdict
        found.judged += 1
        found.verdicts[new.value] += 1
        found.categories[category or ""] += 1
        found.reasons.update(reasons)
        found.sampled += proposed.sample_rate if new is Verdict.RELEASE and is_sampled else 0
        found.second_approvals += proposed.two_person and new is Verdict.HOLD and judged.became in _LET_GO
        if new is old:
            continue
        if new is Verdict.RELEASE:
            found.newly_released[judged.became] += 1
        elif old is Verdict.RELEASE:
            found.newly_held += 1
        if len(found.examples) < SHOWN:
            found.examples.append(_example(judged, new, old, reasons, category))
    return found


def _example(
    judged: Judged, new: Verdict, old: Verdict, reasons: Sequence[str], category: str | None
) -> dict[str, Any]:
    return {
        "message_id": judged.message_id, "now": old.value, "proposed": new.value, "reasons": list(reasons),
        "category": category, "became": judged.became,
    }  # fmt: skip
