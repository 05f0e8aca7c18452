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


OURS_RFC = tokens.message_id_for(KEY, OURS, THREAD, "demo.test")
STRANGER, ADA = "From: Ada Customer <mallory@evil.example>", "From: Ada <ada@c.example>"


@pytest.mark.parametrize(
    ("headers", "address", "disowned", "why"),
    [
        ((ADA, f"In-Reply-To: {OURS_RFC}"), "", False, {"thread": "joined", "named_by": "token"}),
        ((ADA, f"In-Reply-To: {OURS_RFC.upper()}"), "", False, {"thread": "joined", "named_by": "token"}),
        ((ADA, f"References: <x@y> {OURS_RFC}"), "", False, {"thread": "joined", "named_by": "token"}),
        ((ADA, "In-Reply-To: <q@c.example>"), "", False, {"thread": "joined", "named_by": "reference"}),
        ((ADA,), tokens.plus_address(KEY, BOX.address, THREAD), False, {"thread": "joined", "named_by": "plus_address"}),
        ((ADA, "In-Reply-To: <0100018c0000aaaa-1111@eu-west-1.amazonses.com>"), "", False, {"thread": "joined", "named_by": "provider"}),
        ((ADA, f"In-Reply-To: {OURS_RFC}"), "", True, {"thread": "new", "named_by": "token", "refused": "author_unproven"}),
        ((STRANGER, f"In-Reply-To: {OURS_RFC}"), "", False, {"thread": "new", "named_by": "token", "refused": "not_a_participant"}),
        ((STRANGER, f"References: {OURS_RFC}", "In-Reply-To: <q@c.example>"), "", False, {"thread": "new", "named_by": "token", "refused": "not_a_participant"}),
        ((STRANGER,), tokens.plus_address(KEY, BOX.address, THREAD), False, {"thread": "new", "named_by": "plus_address", "refused": "not_a_participant"}),
        ((ADA, f"In-Reply-To: {OURS_RFC.replace('.', '.a', 1)}"), "", False, {"thread": "new", "named_by": "nothing"}),
        ((ADA, "Subject: Re: A question"), "", False, {"thread": "new", "named_by": "nothing"}),
    ],
)  # fmt: skip
def test_the_thread_rules_hold_on_forged_headers(
    headers: Any, address: str, disowned: bool, why: dict[str, str]
) -> None:
    """A copied Message-ID, a guessed subject or a stolen name joins nothing; the thread meant is remembered."""
    parsed = mail(*headers)
    named = named_by(parsed, address or BOX.address, KEY)
    rows = [
        row for row in (known(), known(message="msg_q", rfc="<q@c.example>"), known(message=None),
                        known(message="msg_s", rfc="0100018c0000aaaa-1111"))
        if row["message_id"] in named.message_ids or row["rfc"] in named.rfc_message_ids
        or row["rfc"] in named.remote_ids or (row["message_id"] is None and named.thread_id == THREAD)
    ]  # fmt: skip
    where = place(parsed, named, rows, BOX.address, is_disowned=disowned)

    assert dict(where.why) == why
    assert where.thread_id == (THREAD if why["thread"] == "joined" else None)
    assert where.related_thread_id == (THREAD if "refused" in why else None)


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
        (Report("dsn", "failed", "5.1.1", "b@c.example"), [sent(), sent("b@c.example", n=2)], False, None),
        (Report("arf"), [sent()], True, "ada@c.example"),
        (Report("arf", feedback="not-spam"), [sent()], True, None),
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


def test_a_return_path_proves_its_own_recipient_and_no_other() -> None:
    """One of two recipients cannot report on the other, whatever the report names."""
    rows = [sent(), sent("b@c.example", n=2)]
    finding = find(Report("dsn", "failed", "5.1.1", "b@c.example", severity="hard"), "x", rows, f"{OURS}.1.1")

    assert (finding.proven, finding.about_delivery_id, finding.severity) == (True, f"{OURS}.1.1", "hard")


def test_a_proven_author_opts_out_without_naming_a_mail() -> None:
    """An empty mail with the word as its subject names nothing; anybody could send one in another's name."""
    assert find(Report("opt_out"), "ada@c.example", [], is_proven_author=True).suppress == "ada@c.example"
    assert find(Report("opt_out"), "ada@c.example", []).suppress is None


def test_an_unsubscribe_token_counts_in_its_own_mailbox_only() -> None:
    token = tokens.unsubscribe_token(KEY, "mbx_1", "Gone@c.example")
    finding = opted_out_by_header(f" Unsubscribe {token}", "mbx_1", KEY)

    assert finding is not None
    assert (finding.suppress, finding.how) == ("gone@c.example", "header")
    assert opted_out_by_header(f"unsubscribe {token}", "mbx_2", KEY) is None
    assert opted_out_by_header(f"unsubscribe {token}x", "mbx_1", KEY) is None
    assert opted_out_by_header("unsubscribe", "mbx_1", KEY) is None
