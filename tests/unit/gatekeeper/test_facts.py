"""From rows to facts to a verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.gatekeeper.conftest import ADA, MESSAGE, ORIGINAL, THREAD, case_of, draft

from gatepost_gatekeeper.case import Case
from gatepost_gatekeeper.facts import Limits, facts_of, true_names
from gatepost_gatekeeper.rerender import renders_alike
from gatepost_oversight.category import CategoryRule, Conditions, ModeGrant
from gatepost_oversight.mode import Mode
from gatepost_oversight.policy import Verdict, decide


def judge(case: Case, limits: Limits | None = None) -> tuple[Verdict, list[str]]:
    judgement = decide(facts_of(case, limits or Limits(), renders_alike=renders_alike(case)))
    return judgement.verdict, [rule.name for rule in judgement.reasons]


def test_an_ordinary_reply_is_released(case: Case) -> None:
    """Nothing speaks against it."""
    assert judge(case)[0] == Verdict.RELEASE


@pytest.mark.parametrize(
    ("markdown", "reason"),
    [
        ("Your number is [REVIEWER: number?]", "placeholder"),
        ("You get $25 from us.", "unsupported_commitment"),
        ("We refund everything.", "unsupported_commitment"),
        ("It comes by tomorrow.", "unsupported_commitment"),
        ("Click https://evil.example/login", "new_link"),
        ("Write to [us](mailto:x@evil.example)", "new_link"),
    ],
)
@pytest.mark.parametrize("mode", ["monitored", "autonomous", "gated_send"])
def test_is_held_in_every_mode(markdown: str, reason: str, mode: str) -> None:
    """These are always held, however much autonomy there is."""
    verdict, reasons = judge(case_of(draft(markdown), message=MESSAGE | {"mode": mode}))

    assert (Verdict.HOLD, reason) == (verdict, reasons[0])


@pytest.mark.parametrize(
    "markdown", ["You paid $20.", "See https://customer.example/photo", "See https://help.shop.example/x"]
)
def test_what_the_thread_named_is_fine(markdown: str) -> None:
    """And so are our own pages."""
    assert judge(case_of(draft(markdown)))[0] == Verdict.RELEASE


def test_knowledge_supports_a_promise() -> None:
    """An article that says so."""
    assert judge(case_of(draft("It takes 5 days."), knowledge=("Delivery takes 5 days.",)))[0] == Verdict.RELEASE


@pytest.mark.parametrize("newest", [["new_on_thread"], []], ids=["with the first mail", "with a second one at once"])
def test_the_first_answer_to_somebody_whom_others_brought_in_is_held(newest: list[str]) -> None:
    """Until one of ours went to them; a second mail of theirs does not make them known."""
    bob = ORIGINAL | {"header_from": "bob@customer.example", "flags": newest}
    earlier = THREAD | {"header_from": "bob@customer.example", "flags": ["new_on_thread"], "direction": "inbound"}
    ours = THREAD | {"direction": "outbound", "recipients": ["Bob@customer.example"]}

    assert judge(case_of(draft(), original=bob, thread=(earlier,)))[1] == ["newcomer"]
    assert judge(case_of(draft(), original=bob, thread=(ours, earlier)))[0] == Verdict.RELEASE


def test_a_recipient_nobody_named_is_held() -> None:
    """A reply goes to those on the thread."""
    assert judge(case_of(draft(to=(ADA, "x@evil.example"))))[1] == ["new_recipient"]


@pytest.mark.parametrize(
    ("more", "verdict", "reason"),
    [
        ({"suppressed": frozenset({ADA})}, Verdict.REFUSE, "suppressed"),
        ({"message": MESSAGE | {"mode": "read_only"}}, Verdict.REFUSE, "read_only"),
        ({"message": MESSAGE | {"ceiling": "read_only"}}, Verdict.REFUSE, "read_only"),
        ({"message": MESSAGE | {"mailbox_block": True}}, Verdict.REFUSE, "blocked"),
        ({"original": ORIGINAL | {"header_from": MESSAGE["address"]}}, Verdict.REFUSE, "loop"),
        ({"stops": frozenset({"agent"})}, Verdict.HOLD, "paused"),
        ({"owners": frozenset({"bob@other.example"})}, Verdict.HOLD, "foreign_content"),
        ({"original": ORIGINAL | {"flags": ["hidden_text"]}}, Verdict.HOLD, "suspected_injection"),
        ({"thread": (THREAD | {"flags": ["suspected_injection"]},)}, Verdict.HOLD, "suspected_injection"),
        ({"original": ORIGINAL | {"automatic": ["auto-submitted"]}}, Verdict.HOLD, "loop_risk"),
        ({"answered_in_hour": 10}, Verdict.HOLD, "loop_risk"),
        ({"written_in_hour": 20}, Verdict.HOLD, "loop_risk"),
        ({"is_duplicate": True}, Verdict.HOLD, "possible_duplicate"),
        ({"message": MESSAGE | {"mode": "gated_send"}}, Verdict.HOLD, "gated"),
        ({"message": MESSAGE | {"ceiling": "gated_send"}}, Verdict.HOLD, "gated"),
        ({"message": MESSAGE | {"ask": "gated_all"}}, Verdict.HOLD, "gated_all"),
    ],
)
def test_the_world_decides_too(more: dict[str, Any], verdict: Verdict, reason: str) -> None:
    """Each live fact has its rule."""
    assert (verdict, reason) == (judge(case_of(draft(), **more))[0], judge(case_of(draft(), **more))[1][0])


def test_over_the_rate_limit() -> None:
    """Only where a limit is set."""
    assert judge(case_of(draft(), sent_in_hour=5), Limits(hourly=5))[1] == ["rate_limited"]
    assert judge(case_of(draft(), sent_in_hour=5))[0] == Verdict.RELEASE


@pytest.mark.parametrize(("mode", "verdict"), [("monitored", Verdict.HOLD), ("autonomous", Verdict.RELEASE)])
def test_first_contact_is_held_where_monitored(mode: str, verdict: Verdict) -> None:
    """A new thread to somebody never written to."""
    row = draft()
    new = case_of(
        row, message=MESSAGE | {"mode": mode, "answers": None}, original=None, thread=(), strangers=frozenset({ADA})
    )

    assert verdict == judge(new)[0]


def test_all_reasons_are_listed_the_deciding_one_first() -> None:
    """A reviewer wants to see everything at once."""
    case = case_of(draft("[REVIEWER: x] $25 https://evil.example"), message=MESSAGE | {"mode": "gated_send"})

    assert judge(case)[1] == ["placeholder", "unsupported_commitment", "new_link", "gated"]


def granted(
    *grants: ModeGrant, rules: tuple[CategoryRule, ...] = (), row: dict[str, Any] | None = None, **more: Any
) -> Case:
    message = MESSAGE | {"mode": "gated_send"} | more
    return case_of(row or draft(), message=message, grants=grants, rules=rules)


def mode_of(case: Case) -> Mode:
    return facts_of(case, Limits(), renders_alike=True).mode


LISTED = ModeGrant("mgr_1", "allowlist", "*@customer.example", Mode.MONITORED)
FAQ = ModeGrant("mgr_2", "category", "faq", Mode.MONITORED)
LEGAL = ModeGrant("mgr_3", "category", "legal", Mode.GATED_ALL)
ASKS_WHERE = CategoryRule("faq", 4, 0, Conditions(words=("where is it",)))


def test_an_allowlist_loosens_up_to_the_ceiling() -> None:
    """A person granted it; the ceiling still counts."""
    assert Mode.MONITORED == mode_of(granted(LISTED))
    assert Mode.GATED_SEND == mode_of(granted(LISTED, ceiling="gated_send"))
    assert Mode.GATED_SEND == mode_of(granted(LISTED, row=draft(to=(ADA, "x@other.example"))))


def test_an_ask_only_tightens_unless_it_is_covered() -> None:
    """Agents in the field pass gated_send on every call."""
    assert Mode.GATED_SEND == mode_of(granted(LISTED, ask="gated_send"))
    assert Mode.MONITORED == mode_of(granted(replace(LISTED, covers_ask=True), ask="gated_send"))
    assert Mode.GATED_ALL == mode_of(granted(replace(LISTED, covers_ask=True), ask="gated_all"))
    assert Mode.MONITORED == mode_of(granted(mode="monitored", mailbox_covers_ask=True, ask="gated_send"))


def test_our_own_rule_loosens_and_a_label_does_not() -> None:
    """An author who chose the label would choose its own freedom."""
    assert Mode.MONITORED == mode_of(granted(FAQ, rules=(ASKS_WHERE,)))
    assert Mode.GATED_SEND == mode_of(granted(FAQ, row=draft(category="faq")))
    assert Mode.GATED_SEND == mode_of(granted(FAQ, category="faq"))


def test_a_label_tightens() -> None:
    labelled = granted(FAQ, LEGAL, rules=(ASKS_WHERE,), row=draft(category="legal"), mode="autonomous")

    assert Mode.GATED_ALL == mode_of(labelled)
    assert "mgr_3" == (labelled.grant or FAQ).id


def test_only_the_newest_mail_of_a_thread_loosens() -> None:
    """Else an author would answer the harmless first mail with what the later one asks for."""
    assert Mode.GATED_SEND == mode_of(granted(FAQ, rules=(ASKS_WHERE,), head="msg_" + "9" * 26))


def test_of_category_and_list_the_stricter_holds() -> None:
    """A category that was demoted stays demoted for listed recipients too."""
    demoted = replace(FAQ, mode=Mode.GATED_SEND)

    assert Mode.GATED_SEND == mode_of(granted(LISTED, demoted, rules=(ASKS_WHERE,)))


def test_a_sample_of_what_was_loosened_is_held() -> None:
    """By the mail it answers: writing the draft again draws no new lot."""
    loosened, key = granted(FAQ, rules=(ASKS_WHERE,)), b"k" * 32

    def sampled(case: Case, rate: float) -> bool:
        return facts_of(case, Limits(sample_key=key, sample_rate=rate), renders_alike=True).sampled

    assert sampled(loosened, 1.0)
    assert not sampled(loosened, 0.0)
    assert not sampled(granted(LISTED), 1.0)
    lots = {sampled(granted(FAQ, rules=(ASKS_WHERE,), id=f"msg_{n:026}"), 0.5) for n in range(40)}
    assert 1 == len(lots)


def test_the_record_names_the_facts_that_hold() -> None:
    facts = facts_of(granted(row=draft("[REVIEWER: x]")), Limits(), renders_alike=True)

    assert ["placeholder"] == true_names(facts)


@pytest.mark.parametrize(
    "more",
    [
        {"markdown": "Something else."},
        {"content_sha256": "0" * 64},
        {"recipients": ["x@evil.example"]},
        {"subject": "Other"},
    ],
)
def test_content_nobody_wrote_is_held(more: dict[str, Any]) -> None:
    """The gatekeeper renders again and compares."""
    assert "render_mismatch" in judge(case_of(draft() | more))[1]


def test_a_changed_signature_is_a_mismatch() -> None:
    """What leaves must be what the mailbox says now."""
    assert judge(case_of(draft(), message=MESSAGE | {"signature_block": "New"}))[1] == ["render_mismatch"]
