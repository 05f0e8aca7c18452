"""What another policy would have done with the past: the same facts, the same table, other modes."""

from __future__ import annotations

from dataclasses import replace

from gatepost_oversight.category import CategoryRule, Conditions, Inbound, ModeGrant
from gatepost_oversight.dry_run import Judged, Policy, compare, verdict_under
from gatepost_oversight.mode import Mode
from gatepost_oversight.policy import Verdict

GATED = Policy(Mode.GATED_SEND, Mode.AUTONOMOUS)
FAQ = replace(
    GATED, rules=(CategoryRule("faq", 1, 0, Conditions(words=("parcel",))),),
    grants=(ModeGrant("mgr_1", "category", "faq", Mode.MONITORED),),
)  # fmt: skip
PARCEL = Inbound(subject="My parcel")
CLEAN = Judged("msg_1", frozenset(), ("a@b.c",), mail=PARCEL, became="approved")


def test_the_lasting_sample_and_second_approvals_are_counted() -> None:
    """A number, not which: an agent that may read a dry run must not learn which of its mails nobody looks at."""
    past = [CLEAN] * 20 + [replace(CLEAN, mail=Inbound(subject="Other"))] * 3
    loose = replace(FAQ, sample_rate=0.05, two_person=True)
    found = compare(loose, GATED, past)
    own = compare(replace(GATED, mode=Mode.AUTONOMOUS, sample_rate=0.1, samples_mailbox=True), GATED, past)
    listed = ModeGrant("mgr_2", "allowlist", "a@b.c", Mode.MONITORED)

    assert (1.0, 3) == (round(found.sampled, 6), found.second_approvals)
    assert (2.3, 0) == (round(own.sampled, 6), own.second_approvals)
    assert 0 == compare(replace(GATED, grants=(listed,), sample_rate=0.05), GATED, past).sampled


def test_nothing_changes_under_the_present_policy() -> None:
    found = compare(GATED, GATED, [CLEAN])

    assert (1, {}, 0, []) == (found.judged, found.newly_released, found.newly_held, found.examples)


def test_a_category_would_have_let_go_what_people_approved_and_what_they_did_not() -> None:
    """The number that matters is how many of those a person had changed or refused."""
    past = [
        CLEAN, CLEAN, replace(CLEAN, became="edited"), replace(CLEAN, became="rejected"),
        replace(CLEAN, mail=Inbound(subject="Other")),
    ]  # fmt: skip
    found = compare(FAQ, GATED, past)

    assert {"approved": 2, "edited": 1, "rejected": 1} == dict(found.newly_released)
    assert {"release": 4, "hold": 1} == dict(found.verdicts)
    assert {"faq": 4, "": 1} == dict(found.categories)
    assert ("hold", "release") == (found.examples[0]["now"], found.examples[0]["proposed"])


def test_what_is_always_held_stays_held() -> None:
    placeholder = replace(CLEAN, facts=frozenset({"placeholder", "sampled", "no_such_fact"}))

    assert (Verdict.HOLD, ("placeholder",), "faq") == verdict_under(FAQ, placeholder)[:3]


def test_asks_count_unless_they_are_covered() -> None:
    asked = replace(CLEAN, ask=Mode.GATED_SEND)
    covered = replace(FAQ, grants=(replace(FAQ.grants[0], covers_ask=True),))

    assert Verdict.HOLD is verdict_under(FAQ, asked)[0]
    assert Verdict.RELEASE is verdict_under(covered, asked)[0]
    assert Verdict.RELEASE is verdict_under(replace(GATED, mode=Mode.AUTONOMOUS, covers_ask=True), asked)[0]


def test_a_stricter_policy_holds_and_refuses() -> None:
    loose = replace(GATED, mode=Mode.AUTONOMOUS)

    assert 1 == compare(GATED, loose, [CLEAN]).newly_held
    assert Verdict.REFUSE is verdict_under(replace(FAQ, ceiling=Mode.READ_ONLY), CLEAN)[0]


def test_examples_are_few() -> None:
    assert 20 == len(compare(FAQ, GATED, [CLEAN] * 500).examples)
