"""Who hears which event under which name (reference: the aliases table of the webhook page)."""

from __future__ import annotations

import pytest

from gatepost_contracts.webhook_words import (
    QUARANTINED_BY_GATING,
    RELEASED_BY_DECISION,
    WORDS,
    by_mailbox_url,
    kind_of,
    known_words,
    namings,
)

PUBLISHED = {
    "email.received": ["message.received", "inbound", "check_inbox"],
    "email.held": ["email.pending_approval", "oversight.pending", "message.pending"],
    QUARANTINED_BY_GATING: ["oversight.pending"],
    RELEASED_BY_DECISION: ["email.approved", "oversight.approved", "message.approved", "email.released"],
    "email.released": ["email.released"],
    "email.rejected": ["oversight.rejected", "message.rejected"],
    "email.delivered": ["message.delivered", "message.sent", "delivery"],
    "email.bounced": ["message.bounced", "bounce"],
    "email.complained": ["message.complained", "complaint"],
    "email.unsubscribed": ["message.unsubscribed", "unsubscribe"],
    "email.cancelled": ["message.cancelled"],
    "email.expired": ["message.expired", "oversight.expired"],
    "email.refused": ["message.refused"],
    "email.superseded": ["message.superseded"],
    "email.deferred": ["message.deferred"],
    "email.uncertain": ["message.uncertain"],
    "email.drafted": ["message.drafted"],
}


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in PUBLISHED.items() for word in words])
def test_every_published_word_names_its_event(kind: str, word: str) -> None:
    """Callers subscribe by the words of the guides and look for exactly that word in the payload."""
    (naming,) = namings(kind, [word])

    assert (word, word, word) == (naming.alias, naming.event, naming.type)


@pytest.mark.parametrize("kind", [k for k in WORDS if not k.startswith(("email.released by", "email.quarantined by"))])
def test_every_canonical_name_may_be_subscribed_to(kind: str) -> None:
    """The event types of the design are words too."""
    assert [kind] == [n.event for n in namings(kind, [kind])]


def test_two_aliases_of_one_event_are_two_deliveries() -> None:
    """Each has its own stable id, so each needs its own naming."""
    assert [n.alias for n in namings("email.received", ["inbound", "check_inbox", "bounce"])] == [
        "inbound",
        "check_inbox",
    ]


def test_a_release_without_a_decision_is_not_called_approved() -> None:
    """Nobody approved it."""
    assert not namings(kind_of("email.released"), ["email.approved", "oversight.approved", "message.approved"])
    assert namings(kind_of("email.released", decided=True), ["email.approved"])


@pytest.mark.parametrize(
    ("kind", "event", "type_"),
    [
        ("email.received", "message.received", "email.received"),
        ("email.held", "oversight.pending", "email.pending_approval"),
        ("email.delivered", "message.delivered", "email.delivered"),
        (RELEASED_BY_DECISION, "oversight.approved", "email.approved"),
        ("email.rejected", "oversight.rejected", "email.rejected"),
        ("mailbox.paused", "mailbox.paused", "mailbox.paused"),
    ],
)
def test_a_star_hears_both_names(kind: str, event: str, type_: str) -> None:
    """Both guides' handlers work for one who named no word."""
    pattern = kind.split(".", maxsplit=1)[0] + ".*"

    assert [("*", event, type_)] == [(n.alias, n.event, n.type) for n in namings(kind, ["*"])]
    assert [("*", event, type_)] == [(n.alias, n.event, n.type) for n in namings(kind, [pattern])]
    assert not namings(kind, ["endpoint.*"])


def test_the_mailbox_url_hears_received_mail_and_nothing_else() -> None:
    """The guide's inbound handler looks at no event name and would answer a delivery event."""
    assert [(n.event, n.type) for n in by_mailbox_url("email.received", ["email.received"])] == [
        ("message.received", "email.received")
    ]
    assert not any(by_mailbox_url(kind, ["email.received"]) for kind in WORDS if kind != "email.received")


def test_known_words_are_listed_once() -> None:
    """The list goes into the refusal of an unknown word."""
    assert len(set(known_words())) == len(known_words())
    assert {"email.received", "bounce", "oversight.pending", "mailbox.paused"} <= set(known_words())
