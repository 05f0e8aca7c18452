"""SPF, DKIM, ARC and DMARC, answered from tables of records; dkimpy is the oracle for signatures."""

from __future__ import annotations

import base64
from typing import Any

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_mail import arc, authentication, dkim, dkim_verify, dmarc, spf
from gatepost_mail.dkim_verify import Letter
from gatepost_mail.lookups import Answer, Question, converse
from gatepost_mail.mime import split
from support.dkimpy import dkimpy_says

RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PEM = RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
ED = ed25519.Ed25519PrivateKey.generate()
ED_B64 = base64.b64encode(
    ED.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
)


def record(key: Any = RSA) -> str:
    return dkim.DkimKey("d", "s", key).public_record()


KEYS = {f"s._domainkey.{d}": record() for d in ("sender.net", "mail.sender.net", "list.org", "other.com", "fwd.org")}
KEYS["ed._domainkey.sender.net"] = record(ED)
RAW = b"From: Ada <ada@sender.net>\r\nTo: support@demo.test\r\nSubject: hello\r\n\r\nWords.\r\n"


def answers(table: dict[str, Any]) -> Any:
    """`name` or `name KIND` to a text or texts; a missing name does not exist, None is a timeout."""

    def answer(question: Question) -> Answer:
        key = question.name if question.kind == "TXT" else f"{question.name} {question.kind}"
        if key not in table:
            return Answer("nxdomain")
        found = table[key]
        if found is None:
            return Answer("temperror")
        return Answer("ok", (found,) if isinstance(found, str) else tuple(found))

    return answer


def signed(raw: bytes = RAW, domain: str = "sender.net", **more: Any) -> bytes:
    more.setdefault("canonicalize", (b"relaxed", b"relaxed"))
    return dkimpy.sign(raw, b"s", domain.encode(), PEM, **more) + raw


def verdicts(raw: bytes, table: dict[str, Any] | None = None, now: float = 0) -> list[tuple[str, str]]:
    letter = Letter.of(raw)
    look = answers(KEYS if table is None else table)
    keys = {q: look(q) for q in authentication.signed_questions(letter)}
    return [(c.result, c.detail) for c in authentication.check_signed(letter, keys, now).dkim]


# -- SPF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more", "expected"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", {}, "pass"),
        ("v=spf1 ip4:198.51.100.0/24 -all", {}, "fail"),
        ("v=spf1 ~all", {}, "softfail"),
        ("v=spf1 ?all", {}, "neutral"),
        ("v=spf1", {}, "neutral"),
        ("v=spf10 -all", {}, "none"),
        ("v=spf1 a -all", {"sender.net A": "192.0.2.7"}, "pass"),
        ("v=spf1 a/24 -all", {"sender.net A": "192.0.2.99"}, "pass"),
        ("v=spf1 a:out.sender.net -all", {"out.sender.net A": ["10.0.0.1", "192.0.2.7"]}, "pass"),
        ("v=spf1 mx -all", {"sender.net MX": "mx.sender.net", "mx.sender.net A": "192.0.2.7"}, "pass"),
        ("v=spf1 mx//64 -all", {"sender.net MX": "mx.sender.net", "mx.sender.net A": "192.0.2.8"}, "fail"),
        ("v=spf1 include:p.org -all", {"p.org": "v=spf1 ip4:192.0.2.7 ~all"}, "pass"),
        ("v=spf1 include:p.org -all", {"p.org": "v=spf1 -all"}, "fail"),
        ("v=spf1 include:p.org -all", {}, "permerror"),
        ("v=spf1 redirect=p.org", {"p.org": "v=spf1 ip4:192.0.2.7 -all"}, "pass"),
        ("v=spf1 redirect=p.org", {}, "permerror"),
        ("v=spf1 redirect=p.org ip4:192.0.2.7", {"p.org": "v=spf1 -all"}, "pass"),
        ("v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d2} -all", {"7.2.0.192.ada._spf.sender.net A": "127.0.0.2"}, "pass"),
        ("v=spf1 exists:%{i}.x -all", {"192.0.2.7.x A": "127.0.0.2"}, "pass"),
        ("v=spf1 ptr -all", {"7.2.0.192.in-addr.arpa PTR": "m.sender.net", "m.sender.net A": "192.0.2.7"}, "pass"),
        ("v=spf1 ptr -all", {"7.2.0.192.in-addr.arpa PTR": "m.sender.net", "m.sender.net A": "10.9.9.9"}, "fail"),
        ("v=spf1 foo:bar -all", {}, "permerror"),
        ("v=spf1 ip4:300.1.1.1 -all", {}, "permerror"),
        ("v=spf1 a:%{x} -all", {}, "permerror"),
        ("v=spf1 all:x", {}, "permerror"),
        ("v=spf1 redirect=a.b redirect=c.d", {}, "permerror"),
        ("v=spf1 unknown=x ip4:192.0.2.7", {}, "pass"),
        ("v=spf1 a:v1.x a:v2.x a:v3.x ip4:192.0.2.7", {}, "permerror"),
        ("v=spf1 a:v1.x a:v2.x ip4:192.0.2.7", {}, "pass"),
        ("v=spf1 include:p.org -all", {"p.org": None}, "temperror"),
        (["v=spf1 -all", "v=spf1 ~all"], {}, "permerror"),
        (["other", "v=spf1 ip4:192.0.2.7"], {}, "pass"),
        ("v=spf1 include:sender.net -all", {}, "permerror"),
    ],
)  # fmt: skip
def test_spf(text: Any, more: dict[str, Any], expected: str) -> None:
    found = converse(spf.check("192.0.2.7", "ada@sender.net", "h.sender.net"), answers({"sender.net": text} | more))

    assert found == (expected, "sender.net")


def test_spf_of_a_null_sender_is_that_of_the_greeting() -> None:
    table = answers({"mx.sender.net": "v=spf1 ip6:2001:db8::/32 -all"})

    assert converse(spf.check("2001:db8::1", "", "mx.sender.net"), table) == ("pass", "mx.sender.net")
    assert converse(spf.check("::ffff:192.0.2.7", "", "mx.sender.net"), table) == ("fail", "mx.sender.net")
    assert converse(spf.check("192.0.2.7", "", "localhost"), table)[0] == "none"
    assert converse(spf.check("", "a@b.c", "x.y"), table)[0] == "none"


def test_spf_asks_a_bounded_number_of_questions() -> None:
    """A record that includes itself, or ten thousand names, costs ten terms."""
    asked = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return Answer("ok", (f"v=spf1 include:x{len(asked)}.net include:y{len(asked)}.net",))

    assert converse(spf.check("192.0.2.7", "a@sender.net", "h"), answer)[0] == "permerror"
    assert len(asked) <= 12


# -- DKIM -----------------------------------------------------------------------------------------------------------

FIELDS = st.lists(
    st.sampled_from(
        [b"Subject: a", b"Subject:  a \t b ", b"To: a@b.c,\r\n\td@e.f", b"Cc: x@y.z", b"X-O: 1", b"Subject:"]
    ),
    max_size=5,
)
LINES = st.lists(
    st.sampled_from([b"", b" ", b"\t", b"a", b"a  b ", b"\xff\xfe", b"x" * 1200, b".", b"\x00"]), max_size=8
)
WAYS = st.sampled_from([b"simple", b"relaxed"])


@settings(max_examples=100, deadline=None)
@given(FIELDS, LINES, WAYS, WAYS, st.integers(0, 3))
def test_what_dkimpy_signs_we_verify_and_what_is_changed_both_refuse(
    fields: list[bytes], lines: list[bytes], head: bytes, body: bytes, change: int
) -> None:
    raw = (
        b"From: ada@sender.net\r\n"
        + b"".join(f + b"\r\n" for f in fields)
        + b"\r\n"
        + b"".join(line + b"\r\n" for line in lines)
    )
    mail = signed(raw, canonicalize=(head, body))
    if change:
        mail = (
            mail + b"more",
            mail.replace(b"\r\n\r\n", b"\r\n\r\nz", 1),
            mail.replace(b"\r\nFrom: ada", b"\r\nFrom: eve"),
        )[change - 1]

    assert dkimpy_says(mail, KEYS) == [result == "pass" for result, _ in verdicts(mail)]
    assert (verdicts(mail)[0][0] == "pass") is (change == 0)


def test_ed25519_of_dkimpy() -> None:
    mail = dkimpy.sign(RAW, b"ed", b"sender.net", ED_B64, signature_algorithm=b"ed25519-sha256") + RAW

    assert verdicts(mail) == [("pass", "")]


def test_a_bad_signature_before_a_good_one_harms_nothing() -> None:
    mail = signed(signed(RAW, "other.com").replace(b"bh=", b"bh=A", 1), "sender.net")

    assert [result for result, _ in verdicts(mail)] == ["pass", "fail"]


def test_a_signature_with_a_length_does_not_count() -> None:
    """Anybody may append to it."""
    assert verdicts(signed(length=True)) == [("policy", "length")]
    assert verdicts(signed(length=True) + b"appended\r\n")[0][0] != "pass"


def test_at_most_ten_signatures_are_checked() -> None:
    mail = RAW
    for _ in range(14):
        mail = signed(mail)
    assert len(verdicts(mail)) == 10


@pytest.mark.parametrize(
    ("old", "new", "table", "expected"),
    [
        (b"v=1", b"v=2", KEYS, "permerror"),
        (b"a=rsa-sha256", b"a=rsa-sha1", KEYS, "policy"),
        (b"d=sender.net", b"d=", KEYS, "permerror"),
        (b"c=relaxed/relaxed", b"c=odd", KEYS, "permerror"),
        (b"i=@sender.net", b"i=@other.net", KEYS, "permerror"),
        (b"", b"", {}, "permerror"),
        (b"", b"", {"s._domainkey.sender.net": None}, "temperror"),
        (b"", b"", {"s._domainkey.sender.net": "v=DKIM1; p="}, "permerror"),
        (b"", b"", {"s._domainkey.sender.net": "v=DKIM1; p=%%%"}, "permerror"),
        (b"", b"", {"s._domainkey.sender.net": record().replace("k=rsa", "k=rsa; s=web")}, "permerror"),
    ],
)
def test_what_is_wrong_with_a_signature_is_said(old: bytes, new: bytes, table: dict[str, Any], expected: str) -> None:
    assert verdicts(signed(identity=b"@sender.net").replace(old, new, 1), table)[0][0] == expected


def test_an_expired_signature_fails() -> None:
    mail = dkim.sign(RAW, [dkim.DkimKey("sender.net", "s", RSA)], timestamp=100).replace(b" t=100;", b" t=100; x=200;")
    letter = Letter.of(mail)

    assert dkim_verify._malformed(dkim_verify.signatures(letter)[0], 300) == "expired"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_signature_field_makes_it_raise(value: bytes) -> None:
    for name in (b"DKIM-Signature: ", b"ARC-Seal: i=1; ", b"ARC-Message-Signature: i=1; a=rsa-sha256; h=from; "):
        verdicts(name + value.replace(b"\r\n\r\n", b"") + b"\r\n" + RAW)


# -- ARC ------------------------------------------------------------------------------------------------------------


def sealed(raw: bytes, domain: str, said: str = "spf=pass smtp.mailfrom=sender.net") -> bytes:
    raw = f"Authentication-Results: mx.{domain}; {said}\r\n".encode() + raw
    sets = dkimpy.arc_sign(
        raw, b"s", domain.encode(), PEM, f"mx.{domain}".encode(), include_headers=[b"from", b"subject", b"to"]
    )
    return b"".join(sets) + raw


def arc_of(raw: bytes, table: dict[str, Any] | None = None) -> arc.Checked:
    letter = Letter.of(raw)
    look = answers(KEYS if table is None else table)
    return authentication.check_signed(letter, {q: look(q) for q in authentication.signed_questions(letter)}, 0).arc


def test_a_chain_of_two_servers_holds() -> None:
    one = sealed(signed(), "list.org")
    two = sealed(one.replace(b"Authentication-Results: mx.list.org", b"X-Old: x"), "fwd.org", "arc=pass; spf=none")
    found = arc_of(two)

    assert arc_of(one).result == "pass"
    assert (found.result, found.sealers) == ("pass", ("list.org", "fwd.org"))
    assert "spf=pass" in found.said


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"hello", b"hallo"), (b"Words.", b"Wards."), (b"cv=none", b"cv=pass"), (b"ARC-Seal: i=1", b"ARC-Seal: i=2"),
     (b"spf=pass", b"spf=fail"), (b"ARC-Seal", b"X-Seal")],
)  # fmt: skip
def test_a_touched_chain_fails(old: bytes, new: bytes) -> None:
    mail = sealed(RAW, "list.org")
    assert old in mail
    assert arc_of(mail.replace(old, new)).result == "fail"


def test_without_seals_there_is_no_chain_and_without_keys_nobody_knows() -> None:
    assert arc_of(RAW).result == "none"
    assert arc_of(sealed(RAW, "list.org"), {"s._domainkey.list.org": None}).result == "temperror"


# -- DMARC ----------------------------------------------------------------------------------------------------------


def judged(
    table: dict[str, Any], author: str = "sender.net", spf_: tuple[str, str] = ("none", ""), *dkims: tuple[str, str]
) -> dmarc.Verdict:
    return converse(dmarc.evaluate(author, spf_, dkims), answers(table))


REJECT = {"_dmarc.sender.net": "v=DMARC1; p=reject; sp=quarantine; np=reject"}


@pytest.mark.parametrize(
    ("table", "author", "spf_", "dkims", "expected"),
    [
        (REJECT, "sender.net", ("pass", "sender.net"), (), ("pass", "reject")),
        (REJECT, "sender.net", ("pass", "mail.sender.net"), (), ("pass", "reject")),
        (REJECT, "sender.net", ("pass", "evil.net"), (), ("fail", "reject")),
        (REJECT, "sender.net", ("fail", "sender.net"), (("pass", "sender.net"),), ("pass", "reject")),
        (REJECT, "sender.net", ("fail", "sender.net"), (("pass", "evil.net"),), ("fail", "reject")),
        (REJECT, "sender.net", ("temperror", "sender.net"), (), ("temperror", "reject")),
        (REJECT, "sender.net", ("fail", "sender.net"), (("temperror", "sender.net"),), ("temperror", "reject")),
        (REJECT | {"a.sender.net A": "10.0.0.1"}, "a.sender.net", ("pass", "sender.net"), (), ("pass", "quarantine")),
        (REJECT | {"a.sender.net A": "10.0.0.1"}, "a.sender.net", ("none", ""), (), ("fail", "quarantine")),
        (REJECT, "gone.sender.net", ("none", ""), (), ("fail", "reject")),
        ({"_dmarc.sender.net": "v=DMARC1; p=reject; adkim=s; aspf=s"}, "sender.net", ("pass", "mail.sender.net"), (), ("fail", "reject")),
        ({"_dmarc.sender.net": "v=DMARC1; p=reject; t=y"}, "sender.net", ("none", ""), (), ("fail", "quarantine")),
        ({"_dmarc.sender.net": "v=DMARC1; rua=mailto:x@y.z"}, "sender.net", ("none", ""), (), ("fail", "none")),
        ({"_dmarc.sender.net": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}, "sender.net", ("none", ""), (), ("none", "none")),
        ({"_dmarc.sender.net": "v=spf1"}, "sender.net", ("pass", "sender.net"), (), ("none", "none")),
        ({"_dmarc.sender.net": None}, "sender.net", ("none", ""), (), ("temperror", "none")),
        ({}, "sender.net", ("none", ""), (), ("none", "none")),
        # the tree: psd=y makes the name below it the organization, psd=n ends it
        ({"_dmarc.gov.xx": "v=DMARC1; p=reject; psd=y"}, "a.tax.gov.xx", ("pass", "b.tax.gov.xx"), (), ("pass", "reject")),
        ({"_dmarc.gov.xx": "v=DMARC1; p=reject; psd=y"}, "a.tax.gov.xx", ("pass", "health.gov.xx"), (), ("fail", "reject")),
        ({"_dmarc.a.corp.com": "v=DMARC1; p=none; psd=n", "_dmarc.corp.com": "v=DMARC1; p=reject"}, "a.corp.com", ("pass", "corp.com"), (), ("fail", "none")),
        ({"_dmarc.a.corp.com": "v=DMARC1; p=none", "_dmarc.corp.com": "v=DMARC1; p=reject"}, "a.corp.com", ("pass", "b.corp.com"), (), ("pass", "none")),
    ],
)  # fmt: skip
def test_dmarc(table: Any, author: str, spf_: Any, dkims: Any, expected: tuple[str, str]) -> None:
    found = judged(table, author, spf_, *dkims)

    assert (found.result, found.policy) == expected


def test_the_walk_asks_at_most_eight_times() -> None:
    asked = []

    def answer(question: Question) -> Answer:
        asked.append(question.name)
        return Answer("nxdomain")

    converse(dmarc.walk(".".join(f"l{n}" for n in range(20)) + ".com"), answer)

    assert len(asked) == 8
    assert asked[1].count(".") == 7
    assert asked[-1] == "_dmarc.com"


# -- all together ---------------------------------------------------------------------------------------------------

TABLE = KEYS | {"_dmarc.sender.net": "v=DMARC1; p=reject", "sender.net": "v=spf1 ip4:192.0.2.7 -all"}


def identity(
    raw: bytes, authors: list[str], ip: str = "192.0.2.7", table: dict[str, Any] = TABLE
) -> authentication.Identity:
    letter, look = Letter.of(raw), answers(table)
    envelope = authentication.Envelope(ip, "mx.sender.net", "bounce@sender.net")
    found = authentication.check_signed(letter, {q: look(q) for q in authentication.signed_questions(letter)}, 0)
    said = converse(authentication.check_spf(envelope), look)
    foreign = authentication.foreign_results(split(raw, []).raw("authentication-results"), "mx.demo.test")
    return converse(authentication.judge(authors, envelope, said, found, foreign), look)


def test_a_proven_author_is_named() -> None:
    found = identity(signed(), ["ada@sender.net"]).as_object()

    assert (found["spf"], found["dkim"], found["dmarc"], found["verified_domain"]) == (
        "pass",
        "pass",
        "pass",
        "sender.net",
    )
    assert found["aligned"] == ["spf", "dkim"]


def test_a_forged_author_is_not_verified_although_others_signed() -> None:
    found = identity(signed(RAW, "other.com"), ["ada@sender.net"], ip="198.51.100.1").as_object()

    assert (found["dkim"], found["dmarc"], found["verified_domain"]) == ("pass", "fail", None)


def test_two_authors_prove_nothing() -> None:
    found = identity(signed(), ["ada@sender.net", "eve@other.com"])

    assert (found.dmarc.result, found.verified_domain) == ("permerror", None)


def test_results_of_others_are_shown_as_theirs_and_ours_are_not_believed() -> None:
    raw = (
        b"Authentication-Results: MX.demo.test; dmarc=pass\r\nAuthentication-Results: mx.other.org;\r\n spf=pass\r\n"
        + RAW
    )

    assert identity(raw, ["ada@sender.net"], ip="198.51.100.1").foreign == ("mx.other.org; spf=pass",)
