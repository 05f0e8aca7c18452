"""Which mail is of a category: every condition holds, the first rule decides, and what nobody knows loosens nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gatepost_oversight.category import (
    CategoryRule,
    Conditions,
    Inbound,
    ModeGrant,
    first_match,
    granted,
    inbound_of,
    matches,
    rules_of,
)  # fmt: skip
from gatepost_oversight.mode import Mode

MAIL = Inbound(
    sender="ada@customer.example", to=("support+orders@shop.example",), is_proven=True, tags=frozenset({"vip", "kind=b2b"}),
    subject="Where is my parcel?", text="It should have come on Monday.",
)  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "mail", "holds"),
    [
        ({"plus_address": "orders"}, {}, True),
        ({"plus_address": "Orders"}, {}, True),
        ({"plus_address": "order"}, {}, False),
        ({"plus_address": "orders"}, {"to": ("support@shop.example",)}, False),
        ({"sender_domain": "customer.example"}, {}, True),
        ({"sender_domain": "customer.example"}, {"is_proven": False}, False),
        ({"sender_domain": "customer.example"}, {"sender": "ada@evil-customer.example"}, False),
        ({"sender_domain": "customer.example"}, {"sender": "ada@customer.example.evil.example"}, False),
        ({"tag": "vip"}, {}, True),
        ({"tag": "kind=b2b"}, {}, True),
        ({"tag": "kind=b2c"}, {}, False),
        ({"words": ["parcel"]}, {}, True),
        ({"words": ["refund", "MONDAY"]}, {}, True),
        ({"words": ["refund"]}, {}, False),
        ({"words": ["mond"]}, {}, False),
        ({"words": ["where is my"]}, {"subject": "Where  is\nmy stuff"}, True),
        ({"words": ["parcel"]}, {"subject": "par\u200bcel"}, True),
        ({"no_attachment": True}, {}, True),
        ({"no_attachment": True}, {"has_attachments": True}, False),
        ({"words": ["parcel"], "tag": "none"}, {}, False),
    ],
)
def test_every_condition_must_hold(conditions: dict[str, Any], mail: dict[str, Any], holds: bool) -> None:
    from dataclasses import replace

    assert holds == Conditions.model_validate(conditions).hold(replace(MAIL, **mail))


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"words": []},
        {"words": [" "]},
        {"words": ["\u200b"]},
        {"no_attachment": False},
        {"from": "x"},
        {"sender_domain": "*"},
    ],
)
def test_a_rule_that_would_match_everything_is_none(conditions: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Conditions.model_validate(conditions)


def test_the_first_rule_by_priority_decides() -> None:
    """Then by name, so that the order never depends on the database."""
    rules = [
        CategoryRule("b", 1, 0, Conditions(words=("parcel",))),
        CategoryRule("a", 1, 0, Conditions(words=("parcel",))),
        CategoryRule("c", 7, 5, Conditions(words=("monday",))),
        CategoryRule("d", 1, 9, Conditions(words=("refund",))),
    ]

    assert ("c", 7) == ((found := first_match(rules, MAIL)) and (found.name, found.revision))
    assert "a" == first_match(rules[:2], MAIL).name  # type: ignore[union-attr]
    assert first_match(rules[3:], MAIL) is None


def test_conditions_of_a_later_release_loosen_nothing() -> None:
    row = {"name": "faq", "revision": 1, "priority": 0, "conditions": {"moon": "full"}}

    assert () == rules_of([row])


def test_what_a_rule_reads_of_a_row() -> None:
    row = {
        "header_from": "Ada@Customer.example", "envelope_to": "support+x@shop.example", "to_addresses": [], "auth": {"dmarc": "fail"},
        "subject": None, "text": "all", "reply_text": "own", "has_attachments": True,
    }  # fmt: skip
    mail = inbound_of(row, ["vip"])

    assert ("own", False, True, {"vip"}) == (mail.text, mail.is_proven, mail.has_attachments, mail.tags)
    assert inbound_of(row | {"auth": None}, []).is_proven is False


@pytest.mark.parametrize(
    ("address", "pattern", "is_listed"),
    [
        ("a@b.c", "A@B.c", True), ("a@b.c", "*@b.c", True), ("a@x.b.c", "*@b.c", False), ("a@xb.c", "*@b.c", False), ("a@b.c", "*", False),
    ],
)  # fmt: skip
def test_patterns_of_addresses(address: str, pattern: str, is_listed: bool) -> None:
    assert is_listed == matches(address, pattern)


def test_listed_recipients_are_all_listed_or_none_is() -> None:
    entries = [
        ModeGrant("1", "allowlist", "*@b.c", Mode.AUTONOMOUS),
        ModeGrant("2", "allowlist", "x@y.z", Mode.MONITORED),
    ]

    def found(*recipients: str) -> Mode | None:
        grant = granted(entries, category=None, labels=(), recipients=recipients, mailbox=Mode.GATED_SEND)
        return grant.mode if grant else None

    assert Mode.AUTONOMOUS == found("a@b.c")
    assert Mode.MONITORED == found("a@b.c", "x@y.z")
    assert found("a@b.c", "who@else.example") is None
    assert found() is None
