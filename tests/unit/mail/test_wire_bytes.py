"""What leaves: composed so that nothing on the way changes it, and signed as the reference implementation reads it."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost_mail import compose, dkim, parse
from gatepost_mail.content import Content, File

WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


KEYS = [
    dkim.DkimKey.load(pem(RSA), "demo.test", "gp1"),
    dkim.DkimKey.load(pem(ed25519.Ed25519PrivateKey.generate()), "demo.test", "gp2"),
]
RECORDS = {f"{key.selector}._domainkey.demo.test": key.public_record() for key in KEYS}


def letter(**changes: object) -> Content:
    usual: dict[str, object] = {
        "from_": "s@demo.test", "from_name": "Support", "to": ("ada@customer.example",), "subject": "Hi", "text": "Hello\n",
        "html": "<p>Hello</p>\n",
    }  # fmt: skip
    return Content(**(usual | changes))


def wire(content: Content, **more: object) -> bytes:
    return compose.compose(content, rfc_message_id="<m@demo.test>", date=WHEN, **more)


# -- composing ------------------------------------------------------------------------------------------------------

TEXT = st.lists(
    st.sampled_from(["", "a", " ", "a ", "\t", "From me", ".", "..", "--", "-- ", "ä", "x" * 77, "y" * 79, "z" * 2000, "=3D", "\x07", "日本"]),
    max_size=8,
).map("\n".join)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT)
def test_what_was_written_is_what_is_read(text: str, html: str) -> None:
    """Whatever the lines hold, a reader decodes exactly the content that was approved."""
    raw = wire(letter(text=text, html=html))
    message = email.message_from_bytes(raw, policy=email.policy.compat32)

    plain, marked = message.get_payload()
    for part, wanted in ((plain, text), (marked, html)):
        assert wanted == part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")
    assert not message.defects + plain.defects + marked.defects


@settings(max_examples=200, deadline=None)
@given(TEXT)
def test_nothing_on_the_way_needs_to_change_it(text: str) -> None:
    """Seven bits, short lines, no space at a line's end, no line that an old mailbox would quote."""
    raw = wire(letter(text=text))

    body = raw.partition(b"\r\n\r\n")[2]
    assert raw.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)|[ \t]\r\n|(?:^|\n)From ", body) is None
    assert max(map(len, body.split(b"\r\n"))) <= 78


def test_plain_words_stay_as_they_are() -> None:
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\nHello\r\n" in wire(letter())


@pytest.mark.parametrize(
    "name", ["a.pdf", "räp ort.pdf", 'q"uote\\.txt', "a\r\nBcc: x@y.z", "日本.txt", "%41.txt", "x" * 200]
)
def test_a_file_keeps_its_bytes_and_its_name_adds_nothing(name: str) -> None:
    data = bytes(range(256)) * 30
    raw = wire(letter(attachments=(File(name=name, type="application/pdf", sha256="0"),)), attachments={"0": data})
    part = email.message_from_bytes(raw, policy=email.policy.compat32).get_payload()[1]
    (found,) = parse.parse(raw).attachments

    assert data == part.get_payload(decode=True) == parse.attachment_bytes(raw, found.n)
    assert re.sub(r"[\r\n]", "_", name)[-80:] == part.get_filename()
    assert "bcc" not in {key.lower() for key in email.message_from_bytes(raw).keys()}  # noqa: SIM118 (headers repeat)


@pytest.mark.parametrize("kind", ["multipart/mixed", "message/rfc822", "text", "a/b\r\nBcc: x@y.z", "é/x"])
def test_an_odd_type_becomes_bytes(kind: str) -> None:
    raw = wire(letter(attachments=(File(name="x", type=kind, sha256="0"),)), attachments={"0": b"x"})

    assert "application/octet-stream" == email.message_from_bytes(raw).get_payload()[1].get_content_type()


# -- signing --------------------------------------------------------------------------------------------------------

LINE = st.lists(
    st.sampled_from([b"a", b" ", b"\t", b"  ", b"\xff\xfe", b".", b"\x00", b"=", b"x" * 1200, b"\r", b"\n", b":"]),
    max_size=6,
).map(b"".join)
BODY = st.lists(LINE.filter(lambda line: not re.search(rb"[\r\n]", line)), max_size=8).map(b"\r\n".join)
ODD_BODY = st.lists(LINE, max_size=8).map(b"\r\n".join)


@settings(max_examples=400, deadline=None)
@given(ODD_BODY)
def test_the_body_is_read_as_the_reference_reads_it(body: bytes) -> None:
    """Byte for byte the same canonical form, whatever the white space. On the wire each line has its end."""
    body += b"\r\n" if body else b""

    assert Relaxed.canonicalize_body(body) == dkim.relaxed_body(body)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"Subject", b"SUBJECT ", b"X-A\t"]),
    LINE.filter(lambda line: not re.search(rb"[\r\n]", line)),
    st.booleans(),
)
def test_a_header_is_read_as_the_reference_reads_it(name: bytes, value: bytes, folded: bool) -> None:
    value = b" " + value + (b"\r\n\t" + value if folded else b"") + b"\r\n"
    ((wanted_name, wanted),) = Relaxed.canonicalize_headers([(name, value)])

    assert wanted_name + b":" + wanted == dkim.relaxed_header(name, value.removesuffix(b"\r\n"))


FIELD = st.sampled_from([
    b"Subject: a", b"Subject:  a \t b ", b"To: a@b.c,\r\n\td@e.f", b"Cc: x@y.z", b"Cc: second@y.z", b"X-Other: 1", b"Subject:",
    b"List-Unsubscribe: <https://a.b/c>", b"Reply-To: a@b.c", b"From: again@demo.test", b"Content-Type: text/plain",
])  # fmt: skip


def verdicts(raw: bytes) -> list[bool]:
    """The reference's word on each signature."""

    def look(name: bytes, timeout: float = 5) -> bytes | None:
        found = RECORDS.get(name.decode().rstrip("."))
        return found.encode() if found else None

    told = []
    for n in range(2):
        try:
            told.append(bool(dkimpy.DKIM(raw).verify(idx=n, dnsfunc=look)))
        except dkimpy.DKIMException:
            told.append(False)
    return told


@settings(max_examples=150, deadline=None)
@given(st.lists(FIELD, max_size=6), BODY, st.data())
def test_the_reference_takes_what_we_sign_and_nothing_that_was_changed(
    fields: list[bytes], body: bytes, data: st.DataObject
) -> None:
    """Both ways: every mail of the corpus passes, and one changed byte of the signed part fails both signatures."""
    raw = b"From: s@demo.test\r\n" + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body + b"\r\nend\r\n"
    signed = dkim.sign(raw, KEYS, timestamp=1_700_000_000)
    added = data.draw(
        st.sampled_from([b"Subject: x", b"From: x@y.z", b"To: x@y.z", b"Reply-To: x@y.z", b"Content-Type: a/b"])
    )

    assert [True, True] == verdicts(signed)
    assert [False, False] == verdicts(signed + b"more\r\n")
    assert [False, False] == verdicts(signed.replace(b"\r\nend\r\n", b"\r\nEnd\r\n"))
    head, _, rest = signed.partition(b"\r\nFrom: s@demo.test")
    assert [False, False] == verdicts(head + b"\r\n" + added + b"\r\nFrom: s@demo.test" + rest)


def test_no_part_of_the_body_is_left_out() -> None:
    """`l=` would let anybody append (RFC 6376 8.2)."""
    signed = dkim.sign(wire(letter()), KEYS, timestamp=1)

    assert not re.search(rb"[;\s]l=", signed.partition(b"\r\nFrom:")[0])


def test_long_white_space_costs_little() -> None:
    assert b"a b\r\n" == dkim.relaxed_body(b"a" + b" \t" * 2_000_000 + b"b\r\n")
