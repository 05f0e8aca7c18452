"""What stands below an answer: the mail it answers, marked, harmless and bounded."""

from __future__ import annotations

import datetime as dt
import re

from gatepost_mail import content, quote, render

WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
SENDER = render.SenderIdentity("support@demo.test", "Support", operator="Acme", physical_address="1 Road, Town")
SAID = render.Said("Where is it?\n\n> <b>old</b>\n[x](https://a.b)", "ada@customer.example", 'A"da\r\nBcc: x@y.z', WHEN)


def quoting(said: render.Said | None = SAID, markdown: str = "It is here.") -> content.Content:
    draft = render.DraftText(markdown, to=("ada@customer.example",))
    return render.render(draft, SENDER, render.Answered("<q@customer.example>", (), "Question", said))


def test_a_quote_stands_below_what_is_said_now() -> None:
    """Marked line by line, so that every mail program folds it, and our own reader tells it from the answer."""
    text = quoting().text

    assert text.endswith(
        'On 2026-01-02 03:04 UTC, A"da Bcc: x@y.z <ada@customer.example> wrote:\n> Where is it?\n>\n>> <b>old</b>\n'
        "> [x](https://a.b)\n"
    )
    assert text.startswith("It is here.\n\n-- \n")
    assert quote.reply_text(text) == quote.reply_text(quoting(None).text)
    assert quoting(None).text == quoting(render.Said("")).text[: len(quoting(None).text)]


def test_what_is_quoted_is_shown_and_never_run() -> None:
    html = quoting(render.Said('<script>alert(1)</script><img src="https://t.example/x"> [a](javascript:x) & <b>')).html

    assert "<blockquote>&lt;script&gt;alert(1)&lt;/script&gt;&lt;img" in html
    assert not re.search(r"<(script|img|b)\b|<a\b", html)


def test_a_quote_is_bounded() -> None:
    """However long the mails of a thread were, answers do not grow with it."""
    long = quoting(render.Said("word\n" * 100_000, "a@b.c"))
    wide = quoting(render.Said("x" * 100_000, "a@b.c"))

    assert long.text.count("\n>") == render.QUOTED_LINES + 1
    assert long.text.endswith("> [...]\n")
    assert len(wide.text) < render.QUOTED + 500


def test_a_reply_below_the_quote_is_kept() -> None:
    assert (
        quote.reply_text("Hi,\n\nOn Mon, Jan 1, 2026 at 9 S <s@x.y> wrote:\n> Which size?\n\nLarge please.")
        == "Hi,\n\nLarge please."
    )
