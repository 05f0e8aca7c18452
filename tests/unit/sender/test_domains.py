"""What is said of a domain's records."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gatepost_sender import domains

KEY = "v=DKIM1; k=rsa; p=MIIBabcd"


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        ([KEY], "ok", "there"),
        (["v=DKIM1;k=rsa;p=MIIB abcd;"], "ok", "there"),
        (["p=MIIBabcd"], "ok", "there"),
        (["v=DKIM1; k=rsa; t=y; p=MIIBabcd"], "ok", "tested"),
        ([], "missing", "no such record"),
        (["hello"], "missing", "no such record"),
        (["v=DKIM1; p="], "wrong", "revoked"),
        (["v=DKIM1; p=MIIBother"], "wrong", "another key"),
        (["v=DKIM1; p=MIIB"], "wrong", "cut off"),
        (["v=DKIM1; k=ed25519; p=MIIBabcd"], "wrong", "key type"),
        ([KEY, "v=DKIM1; p=x"], "wrong", "several"),
        (None, "unknown", "later"),
    ],
)
def test_the_key(found: Sequence[str] | None, status: str, word: str) -> None:
    check = domains.dkim("gp1._domainkey.there.test", KEY, found)

    assert (status, True) == (check.status, word in check.words)


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (["v=spf1 a:mail.here.test ~all"], "ok", "names"),
        (["other", "V=SPF1 +a:mail.here.test -all"], "ok", "names"),
        ([], "missing", "no SPF"),
        (["v=spf1 ~all"], "wrong", "add a:mail.here.test"),
        (["v=spf1 a:mail.here.test +all"], "wrong", "anybody"),
        (["v=spf1 a:mail.here.test ~all", "v=spf1 mx ~all"], "wrong", "two"),
        (["v=spf1 a:mail.here.test " + "include:x.test " * 10 + "~all"], "wrong", "ten"),
        (["v=spf10 a:mail.here.test ~all"], "missing", "no SPF"),
        (None, "unknown", "later"),
    ],
)
def test_spf(found: Sequence[str] | None, status: str, word: str) -> None:
    check = domains.spf("there.test", "a:mail.here.test", found)

    assert (status, True) == (check.status, word in check.words)


@pytest.mark.parametrize(
    ("found", "status", "word"),
    [
        (["v=DMARC1; p=reject"], "ok", "p=reject"),
        (["v=DMARC1;p=none;rua=mailto:x@y.z"], "ok", "only watches"),
        (["v=DMARC1; p=maybe"], "wrong", "none of"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "wrong", "two"),
        (["v=DMARC12; p=none"], "missing", "no DMARC"),
        ([], "missing", "no DMARC"),
        (None, "unknown", "later"),
    ],
)
def test_dmarc(found: Sequence[str] | None, status: str, word: str) -> None:
    check = domains.dmarc("there.test", found)

    assert (status, True) == (check.status, word in check.words)


def test_where_answers_go() -> None:
    right, back = domains.mx("there.test", "mail.here.test", ["mail.here.test"])
    other, _ = domains.mx("there.test", "mail.here.test", ["mx.elsewhere.test"])
    none, lost = domains.mx("there.test", "mail.here.test", [])

    assert ["ok", "ok", "wrong", "missing", "missing"] == [c.status for c in (right, back, other, none, lost)]


def test_a_domain_is_active_by_its_keys_and_spf() -> None:
    key = domains.dkim("gp1._domainkey.there.test", KEY, [KEY])
    good, bad = (domains.spf("there.test", "mx", found) for found in (["v=spf1 mx ~all"], []))

    assert domains.is_active([key, good, domains.dmarc("there.test", [])])
    assert not domains.is_active([key, bad])
    assert not domains.is_active([])
