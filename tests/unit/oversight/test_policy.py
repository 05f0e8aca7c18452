"""The policy table by plain enumeration: every mode times every fact."""

from __future__ import annotations

from gatepost_oversight.mode import LEVELS, Mode
from gatepost_oversight.policy import FACT_NAMES, POLICY, RULES, Facts, Rule, Verdict, decide

HARSH = {Verdict.RELEASE: 0, Verdict.HOLD: 1, Verdict.REFUSE: 2}
ALWAYS_HELD = frozenset(rule.fact for rule in POLICY[:15] if rule.verdict is Verdict.HOLD and rule.fact)
REFUSED = frozenset(rule.fact for rule in POLICY if rule.verdict is Verdict.REFUSE and rule.fact)
BITS = {name: 1 << n for n, name in enumerate(FACT_NAMES)}


def _first(mode: Mode, bits: int) -> Rule:
    for rule in POLICY:
        if (not rule.modes or mode in rule.modes) and (rule.fact is None or bits & BITS[rule.fact]):
            return rule
    raise AssertionError("the table is not total")


# Facts of one verdict and of one place in the order act alike, so the middle of the always-held ones stands for all of them.
_REPRESENTED = [
    name
    for name in FACT_NAMES
    if name not in ALWAYS_HELD or name in {"draft_failed", "placeholder", "possible_duplicate", "new_link"}
]
_SETS = [
    sum(BITS[name] for n, name in enumerate(_REPRESENTED) if mask & 1 << n) for mask in range(1 << len(_REPRESENTED))
]  # fmt: skip


def test_the_table_and_the_function_agree() -> None:
    """The quick walk used below is the one that services use."""
    for mode in Mode:
        for name in FACT_NAMES:
            for other in FACT_NAMES:
                facts = Facts(mode=mode, **{name: True, other: True})
                assert _first(mode, BITS[name] | BITS[other]) is decide(facts).rule


def test_total_and_monotone() -> None:
    """A verdict for everything; a worse fact or a stricter mode never loosens it, but for our own templates."""
    modes = list(Mode)
    for bits in _SETS:
        harshness = [HARSH[_first(mode, bits).verdict] for mode in modes]
        if not bits & BITS["system_template"]:
            assert harshness == sorted(harshness, reverse=True)
        for mode, now in zip(modes, harshness, strict=True):
            for name in _REPRESENTED:
                if name != "system_template" and not bits & BITS[name]:
                    assert now <= HARSH[_first(mode, bits | BITS[name]).verdict]


def test_what_is_always_held_never_leaves_unseen() -> None:
    for mode in Mode:
        for bits in _SETS:
            verdict = _first(mode, bits).verdict
            if bits & sum(BITS[name] for name in REFUSED):
                assert Verdict.REFUSE is verdict
            elif any(bits & BITS[name] for name in ALWAYS_HELD) or (
                LEVELS[mode] <= LEVELS[Mode.GATED_SEND] and not bits & BITS["system_template"]
            ):
                assert verdict is not Verdict.RELEASE


def test_no_rule_is_dead() -> None:
    """Each rule decides something."""
    deciding = {_first(mode, bits).name for mode in Mode for bits in _SETS}
    alone = {_first(Mode.AUTONOMOUS, BITS[name]).name for name in FACT_NAMES}

    assert set(RULES) == deciding | alone
    assert all(rule.why for rule in POLICY)


def test_every_reason_is_told_the_deciding_one_first() -> None:
    judgement = decide(Facts(mode=Mode.GATED_SEND, placeholder=True, new_link=True))

    assert ["placeholder", "new_link", "gated"] == [rule.name for rule in judgement.reasons]
