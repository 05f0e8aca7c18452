"""The policy table: every mode times every set of facts, in formulas instead of one by one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import z3

from gatepost_oversight.mode import LEVELS, Mode
from gatepost_oversight.policy import FACT_NAMES, POLICY, Facts, Rule, Verdict, decide
from proofs.engine import Broken, Tally
from proofs.symbols import Bool, both, either, implies, no

HARSH = {Verdict.RELEASE: 0, Verdict.HOLD: 1, Verdict.REFUSE: 2}
REFUSING = frozenset({"suppressed", "blocked", "loop"})
ALWAYS_HELD = frozenset({
    "draft_failed", "placeholder", "render_mismatch", "unsupported_commitment", "foreign_content", "new_link", "new_recipient",
    "newcomer", "suspected_injection", "loop_risk", "rate_limited", "paused", "possible_duplicate",
})  # fmt: skip
"""What DESIGN and the reference say is held in every mode; written anew, so that a rule that falls out is missed."""


def _facts(suffix: str = "") -> dict[str, z3.BoolRef]:
    return {name: z3.Bool(name + suffix) for name in FACT_NAMES}


def _applies(rule: Rule, mode: z3.ArithRef, facts: dict[str, z3.BoolRef]) -> Bool:
    in_mode = either(*(mode == LEVELS[m] for m in sorted(rule.modes))) if rule.modes else True
    return both(facts[rule.fact] if rule.fact else True, in_mode)


def _verdict(rules: Sequence[Rule], mode: z3.ArithRef, facts: dict[str, z3.BoolRef]) -> z3.ArithRef:
    found: z3.ArithRef = z3.IntVal(-1)
    for rule in reversed(rules):
        applies = _applies(rule, mode, facts)
        found = (
            z3.IntVal(HARSH[rule.verdict]) if applies is True else z3.If(applies, z3.IntVal(HARSH[rule.verdict]), found)
        )
    return found


def theorems(rules: Sequence[Rule]) -> Iterator[tuple[str, str, str | None]]:
    """Name, what it was asked of, and a counterexample if there is one."""
    mode, facts = z3.Int("mode"), _facts()
    in_range = z3.And(mode >= 0, mode < len(LEVELS))
    verdict = _verdict(rules, mode, facts)

    def valid(claim: Bool, *given: Bool) -> str | None:
        solver = z3.Solver()
        solver.add(in_range, *(g for g in given if g is not True))
        solver.add(z3.Not(claim) if not isinstance(claim, bool) else z3.BoolVal(not claim))
        return None if solver.check() == z3.unsat else str(solver.model())

    yield "total: there is a verdict for everything", "table", valid(verdict >= 0)
    for n, rule in enumerate(rules):
        earlier = either(*(_applies(r, mode, facts) for r in rules[:n]))
        lives = valid(no(both(_applies(rule, mode, facts), no(earlier)))) is not None
        yield "no rule is dead", rule.name, None if lives else "an earlier rule decides whenever it applies"
        yield "each rule has a name and a reason", rule.name, None if rule.name and rule.why else "it has none"
    for name in sorted(REFUSING):
        yield "what refuses always refuses", name, valid(implies(facts[name], verdict == HARSH[Verdict.REFUSE]))
    yield "what refuses always refuses", "read_only", valid(implies(mode == 0, verdict == HARSH[Verdict.REFUSE]))
    for name in sorted(ALWAYS_HELD):
        yield (
            "what is always held never leaves unseen",
            name,
            valid(implies(facts[name], verdict >= HARSH[Verdict.HOLD])),
        )
    is_gated = mode <= LEVELS[Mode.GATED_SEND]
    yield "gated modes release nothing but our own templates", "mode", valid(
        implies(both(is_gated, no(facts["system_template"])), verdict >= HARSH[Verdict.HOLD]))  # fmt: skip
    yield "a first contact is held in monitored", "mode", valid(implies(
        both(facts["first_contact"], mode == LEVELS[Mode.MONITORED], no(facts["system_template"])), verdict >= HARSH[Verdict.HOLD]))  # fmt: skip
    yield "the sample stays looked at", "sampled", valid(
        implies(both(facts["sampled"], no(facts["system_template"])), verdict >= HARSH[Verdict.HOLD]))  # fmt: skip
    stricter, worse = z3.Int("stricter"), _facts("'")
    harder = _verdict(rules, stricter, facts)
    yield "a stricter mode never loosens the verdict", "mode", valid(
        implies(no(facts["system_template"]), harder >= verdict), stricter >= 0, stricter <= mode)  # fmt: skip
    for name in FACT_NAMES:
        if name != "system_template":
            more = {**facts, name: z3.BoolVal(True)}
            yield "a worse fact never loosens the verdict", name, valid(_verdict(rules, mode, more) >= verdict)
    del worse


def function_agrees() -> Iterator[tuple[str, str, str | None]]:
    """The function that the service calls walks the table as the formulas do: every pair of facts in every mode."""
    for mode in Mode:
        wrong = None
        for name in FACT_NAMES:
            for other in FACT_NAMES:
                facts = Facts(mode=mode, **{name: True, other: True})
                first = next(r for r in POLICY if r.applies(facts))
                found = decide(facts)
                if found.rule is not first or (found.verdict is not Verdict.RELEASE and first not in found.reasons):
                    wrong = f"{name} and {other}: {found.rule.name}"
        yield "the service's function is the table", mode, wrong


def check(rules: Sequence[Rule] = POLICY) -> Tally:
    """All of it."""
    tally = Tally()
    began = time.perf_counter()
    for source in (theorems(rules), function_agrees()):
        for name, part, problem in source:
            tally.asked[f"policy: {name}"] += 1
            now = time.perf_counter()
            tally.seconds[f"policy: {name}"] += now - began
            began = now
            if problem is not None:
                tally.broken.append(Broken(f"policy: {name}", part, (problem,)))
    return tally
