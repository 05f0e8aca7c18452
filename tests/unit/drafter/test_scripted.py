"""The offline writer answers from the knowledge, cites it, and never guesses."""

from __future__ import annotations

from dataclasses import replace

from gatepost_drafter.provider import Correction, DraftRequest, Passage, Turn
from gatepost_drafter.providers.scripted import compose

DELIVERY = Passage(
    "chk_1", "kno_1", "Shipping times", "How long does delivery take",
    "Delivery within the country takes two to three working days.", 0.5,
)  # fmt: skip
ORDER = Passage(
    "chk_2", "kno_1", "Shipping times", "Where is my order",
    "You can follow your parcel with the tracking number in the shipping confirmation.", 0.4,
)  # fmt: skip
RETURNS = Passage(
    "chk_3", "kno_2", "Returns", "How to return an item", "You can return any item within 30 days.", 0.3
)  # fmt: skip


def asking(
    text: str, *, name: str = "Ada Customer", passages: tuple[Passage, ...] = (DELIVERY, ORDER, RETURNS)
) -> DraftRequest:
    turn = Turn("msg_1", "inbound", name, "ada@customer.example", None, "A question", text)
    return DraftRequest("Support", "support@demo.test", "", name, (turn,), passages)


def test_each_question_is_answered_from_its_own_article() -> None:
    """Two questions in one sentence are two answers, with their source once."""
    draft = compose(asking("Hello,\n\nhow long does delivery to Austria take, and where can I see where my order is?"))

    assert draft.markdown.startswith("Hello Ada Customer,\n")
    assert DELIVERY.text in draft.markdown
    assert ORDER.text in draft.markdown
    assert RETURNS.text not in draft.markdown
    assert draft.markdown.count("Source: Shipping times") == 1
    assert draft.placeholders == ()


def test_what_the_knowledge_does_not_hold_is_left_to_a_reviewer() -> None:
    """Nothing is invented, and the mark tells what was asked."""
    draft = compose(asking("What is the airspeed velocity of an unladen swallow?"))

    assert "[REVIEWER:" in draft.markdown
    assert "unladen swallow" in draft.placeholders[0]
    assert "Source" not in draft.markdown


def test_common_words_alone_are_no_answer() -> None:
    """`How long does ... take` shares words with the delivery article, not its subject."""
    draft = compose(asking("How long does my swallow take?"))

    assert len(draft.placeholders) == 1


def test_a_half_known_mail_is_half_answered() -> None:
    """The known part stands, the rest is marked."""
    draft = compose(asking("How do I return an item? Do you sell elephants?"))

    assert RETURNS.text in draft.markdown
    assert "elephants" in draft.placeholders[0]


def test_a_name_that_is_no_name_is_not_greeted() -> None:
    """A display name is other people's text: no links and marks come in through it."""
    for name in ("https://evil.example", "[REVIEWER: x]", "a" * 80, "", "support@demo.test"):
        assert compose(asking("How do I return an item?", name=name)).markdown.startswith("Hello,\n")


def test_quoted_questions_carry_no_links_or_brackets() -> None:
    """What is quoted inside a mark cannot close it or link anywhere."""
    draft = compose(asking("Could you look at ](https://evil.example) elephants] now?"))

    assert "evil.example" not in draft.markdown
    assert draft.markdown.count("]") == 1


def test_a_note_brings_the_knowledge_it_asks_for() -> None:
    """The reviewer's note is searched too; what it finds stands first."""
    request = replace(
        asking("How long does delivery take?"), correction=Correction(1, "old", "Mention the tracking number.")
    )
    draft = compose(request)

    assert ORDER.text in draft.markdown
    assert DELIVERY.text in draft.markdown
    assert draft.placeholders == ()


def test_a_dictated_note_is_taken_word_for_word() -> None:
    request = replace(
        asking("How long does delivery take?"), correction=Correction(1, "old", "Please add: We are sorry.")
    )

    assert "We are sorry." in compose(request).markdown


def test_a_note_that_cannot_be_followed_is_marked() -> None:
    """It is honest about what it cannot do."""
    request = replace(asking("How long does delivery take?"), correction=Correction(1, "old", "Be much friendlier"))

    assert "could not be followed" in compose(request).placeholders[0]


def test_an_empty_mail_is_left_to_a_reviewer() -> None:
    assert compose(asking("   ")).placeholders != ()
