"""Verdicts, threads and reports, judged on what is known, without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost_ingest.arrived import Arrived, Mailbox, Recipient
from gatepost_ingest.judge import Verdict, judge
from gatepost_ingest.reports import find, opted_out_by_header
from gatepost_ingest.threads import named_by, place
from gatepost_mail import tokens
from gatepost_mail.authentication import Identity
from gatepost_mail.dmarc import Verdict as DmarcVerdict
from gatepost_mail.dsn import Report
from gatepost_mail.parse import Parsed, parse

KEY = b"k" * 32
BOX = Mailbox("mbx_1", "ten_1", "support@demo.test", "gated_send", 10**6)
OURS, THREAD = "msg_" + "A" * 26, "thr_" + "B" * 26


def mail(*headers: str, text: str = "hi") -> Parsed:
    return parse(("\r\n".join(("To: support@demo.test", *headers)) + f"\r\n\r\n{text}\r\n").encode())


def arrived(sender: str = "ada@c.example") -> Arrived:
    return Arrived(b"", sender, (), False, "", "", False, datetime.now(UTC))


def verdict_on(parsed: Parsed, sender: str = "ada@c.example", dmarc: str = "none") -> Verdict:
    identity = Identity(dmarc=DmarcVerdict(dmarc, "reject", "c.example"))
    return judge(parsed, arrived(sender), Recipient(BOX.address, BOX), identity)


def known(thread: str = THREAD, message: str | None = OURS, rfc: str | None = None, *people: str) -> dict[str, Any]:
    return {"message_id": message, "rfc": rfc, "thread_id": thread, "participants": list(people or ("ada@c.example",)),
            "writers": ["ada@c.example"], "names": ["Ada Customer"]}  # fmt: skip


def test_an_ordinary_mail_is_fine_and_may_be_answered() -> None:
    verdict = verdict_on(mail("From: ada@c.example"))

    assert verdict.is_fine
    assert (verdict.automatic, verdict.flags) == ((), ())


def test_without_an_author_it_is_never_answered() -> None:
    """Whom should the answer reach?"""
    assert "no_sender" in verdict_on(mail("Subject: x")).automatic


def test_a_null_sender_is_never_answered() -> None:
    assert "null_sender" in verdict_on(mail("From: ada@c.example"), "").automatic


def test_the_nearest_reference_counts_first() -> None:
    """A forwarded chain names several threads."""
    parsed = mail("From: ada@c.example", "References: <old@x> <new@x>", "In-Reply-To: <new@x>")
    rows = [known("thr_old", "msg_o", "<old@x>"), known("thr_new", "msg_n", "<new@x>")]

    assert place(parsed, named_by(parsed, "support@demo.test", KEY), rows, BOX.address).thread_id == "thr_new"


def test_a_signed_reference_counts_before_a_known_one() -> None:
    ours = tokens.message_id_for(KEY, OURS, THREAD, "demo.test")
    parsed = mail("From: ada@c.example", f"References: {ours} <new@x>", "In-Reply-To: <new@x>")
    rows = [known("thr_new", "msg_n", "<new@x>"), known()]

    assert place(parsed, named_by(parsed, "support@demo.test", KEY), rows, BOX.address).thread_id == THREAD


def test_our_own_address_is_no_participant() -> None:
    """Whoever claims to be us joins nothing by it."""
    parsed = mail("From: support+x@demo.test", "In-Reply-To: <new@x>")
    rows = [known("thr_new", "msg_n", "<new@x>", "support@demo.test", "support+x@demo.test")]

    assert place(parsed, named_by(parsed, "support@demo.test", KEY), rows, BOX.address).thread_id is None


def test_somebody_who_was_addressed_joins_and_is_marked() -> None:
    parsed = mail("From: carl@c.example", "In-Reply-To: <new@x>")
    where = place(
        parsed, named_by(parsed, "support@demo.test", KEY), [known("t", "m", "<new@x>", "carl@c.example")], BOX.address
    )

    assert (where.thread_id, where.flags) == ("t", ("new_on_thread",))


def sent(recipient: str = "ada@c.example", state: str = "delivered", n: int = 1) -> dict[str, str]:
    return {"message_id": OURS, "delivery_id": f"{OURS}.1.{n}", "recipient": recipient, "state": state}


@pytest.mark.parametrize(
    ("report", "rows", "proven", "suppress"),
    [
        (Report("dsn", "failed", "5.1.1", "ada@c.example"), [sent()], True, None),
        (Report("dsn", "failed", "5.1.1", None), [sent()], True, None),
        (Report("dsn", "failed", "5.1.1", None), [sent(), sent("b@c.example", n=2)], False, None),
        (Report("dsn", "failed", "5.1.1", "ada@c.example"), [sent(state="held")], False, None),
        (Report("dsn", "failed", "5.1.1", "ada@c.example"), [], False, None),
        (Report("arf"), [sent()], True, "ada@c.example"),
        (Report("arf"), [], False, None),
        (Report("opt_out"), [sent()], True, "ada@c.example"),
        (Report("opt_out"), [sent("b@c.example")], False, None),
        (Report("auto_reply"), [sent()], False, None),
    ],
)
def test_only_mail_that_left_proves_anything(
    report: Report, rows: list[Any], proven: bool, suppress: str | None
) -> None:
    """A vacation note never counts, and nobody can stop somebody else's mail."""
    finding = find(report, "ada@c.example", rows)

    assert (finding.proven, finding.suppress) == (proven, suppress)


def test_an_unsubscribe_token_counts_in_its_own_mailbox_only() -> None:
    token = tokens.unsubscribe_token(KEY, "mbx_1", "Gone@c.example")
    finding = opted_out_by_header(f" Unsubscribe {token}", "mbx_1", KEY)

    assert finding is not None
    assert (finding.suppress, finding.how) == ("gone@c.example", "header")
    assert opted_out_by_header(f"unsubscribe {token}", "mbx_2", KEY) is None
    assert opted_out_by_header(f"unsubscribe {token}x", "mbx_1", KEY) is None
    assert opted_out_by_header("unsubscribe", "mbx_1", KEY) is None
