"""Mails that were made to break a reader: bombs of every kind, lies in every header, and good mails cut and glued.

The same seed makes the same mails. Most are small, one in a hundred is about a megabyte, a few fill the size limit.
"""

from __future__ import annotations

import base64
import math
import random
import zlib
from collections.abc import Callable, Iterator

NASTY = (
    b"\x00", b"\xff\xfe", b"\r", b"\n", b"\r\n\r\n", b"\r\n.\r\n", b"--b--", b"--b", b"=?", b"=?utf-8?b?", b"?=", b"=?zlib?q?x?=",
    b"\xc3", b"\xe2\x80\xae", b"\xf0\x9f\x92\xa9", b"\xed\xa0\x80", b"%00", b"<!--", b"<![CDATA[", b"]]>", b"<div ", b"<style>", b"&#x",
    b"&#99999999999;", b"(((((((", b'"', b"\\", b"<", b">", b"@", b";", b"*0*=", b"charset=", b"boundary=", b"name*=", b"'", b"''", b"=3D",
    b"=\r\n", b"\t", b" ", b"\x1b$B", b"\x1b(B", b"{" * 30, b"A" * 2000, b"\xa0", b"\xef\xbb\xbf", b"begin 644 x\r\n", b"From ", b">From ",
)  # fmt: skip
CHARSETS = ("utf-8", "utf-7", "utf-16", "iso-8859-1", "iso-2022-jp", "hz", "gb18030", "big5", "koi8-r", "us-ascii", "zlib", "rot13", "hex", "idna",
            "punycode", "unicode_escape", "x" * 300, "nope", "", "utf-8\x00", "cp1252'", "johab", "euc-kr", "shift_jis")  # fmt: skip
TYPES = ("text/plain", "text/html", "multipart/mixed", "multipart/alternative", "multipart/report; report-type=delivery-status", "message/rfc822",
         "message/delivery-status", "message/feedback-report", "text/calendar; method=REQUEST", "application/ms-tnef", "image/png", "text", "/", "a/b/c",
         "multipart/", "text/enriched", "application/octet-stream", "message/partial; id=x; number=1", "message/external-body")  # fmt: skip
ENCODINGS = ("base64", "quoted-printable", "7bit", "8bit", "binary", "x-uuencode", "nope", "BASE64 ", "")
HEADERS = ("From", "To", "Cc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Received", "Auto-Submitted", "List-Id",
           "Precedence", "Return-Path", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "DKIM-Signature", "ARC-Seal",
           "ARC-Message-Signature", "ARC-Authentication-Results", "Authentication-Results", "X-Failed-Recipients", "Delivered-To", "MIME-Version")  # fmt: skip

Maker = Callable[[random.Random], bytes]


def size(rng: random.Random, least: int, most: int) -> int:
    """Small ones are many and large ones few: each order of magnitude is as likely as another."""
    return int(math.exp(rng.uniform(math.log(least), math.log(most))))


def head(rng: random.Random, *more: bytes) -> bytes:
    lines = [b"From: Ada <ada%d@sender.net>" % rng.randrange(50), b"To: support@demo.test", b"Subject: case %d" % rng.randrange(10**9),
             b"Message-ID: <%d@sender.net>" % rng.randrange(10**12), b"MIME-Version: 1.0", *more]  # fmt: skip
    return b"\r\n".join(lines) + b"\r\n"


def rubbish(rng: random.Random, size: int) -> bytes:
    return b"".join(
        rng.choice(NASTY) if rng.random() < 0.4 else rng.randbytes(rng.randrange(1, 12)) for _ in range(size)
    )


def any_value(rng: random.Random) -> bytes:
    return b"".join(rng.choice((rng.choice(NASTY), rng.choice(TYPES).encode(), rng.choice(CHARSETS).encode(), b"a@b.c", b"<a@b.c>", rng.randbytes(3)))
                    for _ in range(rng.randrange(1, 12))).replace(b"\r\n\r\n", b" ")  # fmt: skip


def odd_headers(rng: random.Random) -> bytes:
    lines = b"".join(
        rng.choice(HEADERS).encode() + b": " + any_value(rng) + b"\r\n" for _ in range(rng.randrange(1, 30))
    )
    return (head(rng) if rng.random() < 0.5 else b"") + lines + b"\r\n" + rubbish(rng, 20)


def part(rng: random.Random, depth: int = 0) -> bytes:
    kind = rng.choice(TYPES)
    lines = [b"Content-Type: " + kind.encode() + b"; charset=" + rng.choice(CHARSETS).encode()]
    if rng.random() < 0.5:
        lines.append(b"Content-Transfer-Encoding: " + rng.choice(ENCODINGS).encode())
    if rng.random() < 0.3:
        lines.append(
            b"Content-Disposition: attachment; filename*0*=" + any_value(rng).replace(b"\n", b"").replace(b"\r", b"")
        )
    if kind.startswith("multipart") and depth < 6:
        boundary = b"b%d" % rng.randrange(4)
        lines[0] = b"Content-Type: " + kind.encode() + b"; boundary=" + boundary
        inner = b"".join(
            b"--" + boundary + b"\r\n" + part(rng, depth + 1) + b"\r\n" for _ in range(rng.randrange(0, 4))
        )
        return b"\r\n".join(lines) + b"\r\n\r\n" + inner + (b"--" + boundary + b"--\r\n" if rng.random() < 0.7 else b"")
    body = rng.choice(
        (
            rubbish(rng, 30),
            base64.b64encode(rng.randbytes(90)),
            b"plain words\r\n> quoted\r\n-- \r\nAda",
            html(rng),
            b"",
        )
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def html(rng: random.Random) -> bytes:
    tags = (b"<p>", b"</p>", b"<div style='display:none'>", b"</div>", b"<a href='https://x.y'>", b"</a>", b"<b>", b"<table><tr><td>", b"<blockquote>",
            b"<script>x</script>", b"<!-- ", b" -->", b"<style>.a{display:none}</style>", b"<img src=x onerror=y alt=z>", b"<font color=white>", b"words ")  # fmt: skip
    return b"".join(rng.choice(tags) for _ in range(rng.randrange(1, 80)))


def tree(rng: random.Random) -> bytes:
    return head(rng) + part(rng)


def many_parts(rng: random.Random) -> bytes:
    return (
        head(rng, b"Content-Type: multipart/mixed; boundary=b") + b"\r\n" + b"--b\r\n\r\nx\r\n" * size(rng, 10, 20_000)
    )


def deep(rng: random.Random) -> bytes:
    levels = size(rng, 40, 4_000)
    return (
        head(rng)
        + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
        + b"end"
    )


def nested_mails(rng: random.Random) -> bytes:
    return (
        b"".join(head(rng, b"Content-Type: message/rfc822") + b"\r\n" for _ in range(size(rng, 2, 400)))
        + b"Subject: last\r\n\r\nx"
    )


def fat_header(rng: random.Random) -> bytes:
    name = rng.choice(HEADERS).encode()
    length = size(rng, 100, 400_000)
    value = rng.choice((b"x" * length, b"<a@b.c> " * (length // 8), b"a@b.c, " * (length // 7), b"(" * length, b'"' * length, b"=?utf-8?q?=C3=BC?= " * (length // 20),
                        b"\r\n ".join([b"fold"] * (length // 8)), b"a=b; " * (length // 5), b"<" * length, b"name*0*=x; " * (length // 11)))  # fmt: skip
    return head(rng) + name + b": " + value + b"\r\n\r\nbody"


def many_headers(rng: random.Random) -> bytes:
    name = rng.choice(HEADERS).encode()
    return (
        head(rng) + (name + b": " + any_value(rng).replace(b"\n", b"") + b"\r\n") * size(rng, 20, 5_000) + b"\r\nbody"
    )


def html_bomb(rng: random.Random) -> bytes:
    piece = rng.choice((b"<div>", b"<a ", b"<!--", b"<p style='", b"&#", b"</", b"<![CDATA[", b"<b><i>", b"<table>", b"<blockquote>", b"<style>", b"<ul><li>",
                        b"<td bgcolor=", b"\xe2\x80\x8b", b"<svg><style><img>"))  # fmt: skip
    return head(rng, b"Content-Type: text/html; charset=utf-8") + b"\r\n" + piece * size(rng, 50, 120_000)


def quote_bomb(rng: random.Random) -> bytes:
    line = rng.choice((b"> " * 40 + b"x", b">" * 900, b"On Mon, Jan 1, 2026 at 9:00 x <a@b.c> wrote:", b"From: a", b"-----Original Message-----", b"-- ", b"-",
                       b"On 1.1.2026", b"_" * 60, b"Sent from my phone", b"a:", b"2026-01-01 10:00 <a@b.c>:", b"\xe2\x80\x8f", b" " * 200))  # fmt: skip
    return head(rng) + b"\r\n" + (line + b"\r\n") * size(rng, 20, 20_000)


def report(rng: random.Random) -> bytes:
    block = b"\r\n".join(rng.choice((b"Final-Recipient", b"Original-Recipient", b"Action", b"Status", b"Diagnostic-Code", b"X-Y")) + b": "
                         + rng.choice((b"rfc822; a@b.c", b"failed", b"5.1.1", b"4.0.0", any_value(rng))) for _ in range(rng.randrange(1, 12)))  # fmt: skip
    kind = rng.choice(
        (b"message/delivery-status", b"message/feedback-report", b"text/rfc822-headers", b"message/rfc822")
    )
    return (
        head(rng, b"Content-Type: multipart/report; boundary=b; report-type=" + rng.choice((b"delivery-status", b"feedback-report", b"x")))
        + b"\r\n--b\r\n\r\nwords\r\n--b\r\nContent-Type: " + kind + b"\r\n\r\n" + (block + b"\r\n\r\n") * rng.randrange(1, 30)
        + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: " + any_value(rng) + b"\r\n\r\nx\r\n--b--\r\n"
    )  # fmt: skip


def signatures(rng: random.Random) -> bytes:
    tags = (b"v=1", b"a=rsa-sha256", b"a=ed25519-sha256", b"b=AAAA", b"bh=AAAA", b"d=sender.net", b"s=s", b"h=from:to", b"c=simple/relaxed", b"l=3", b"x=1", b"i=1",
            b"i=@x", b"cv=none", b"cv=pass", b"t=1")  # fmt: skip
    names = (b"DKIM-Signature", b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results")
    lines = b"".join(
        rng.choice(names) + b": " + b"; ".join(rng.sample(tags, rng.randrange(1, 12))) + b"\r\n"
        for _ in range(rng.randrange(1, 60))
    )
    return lines + head(rng) + b"\r\nbody\r\n"


def zipped(rng: random.Random) -> bytes:
    bomb = zlib.compress(b"\0" * size(rng, 10_000, 20_000_000))
    return (
        head(rng, b"Content-Type: application/zip; name=a.zip", b"Content-Transfer-Encoding: base64")
        + b"\r\n"
        + base64.encodebytes(bomb)
    )


def lines(rng: random.Random) -> bytes:
    line = rng.choice((b"\r\n", b"-\r\n", b"--\r\n", b"--b\r\n", b"=\r\n", b"a\r\n", b"=3D", b"x", b" \t\r\n"))
    kind = rng.choice(
        (b"text/plain", b"text/html", b"multipart/mixed; boundary=b", b"multipart/mixed; boundary=-", b"message/rfc822")
    )
    encoding = rng.choice(ENCODINGS).encode()
    return (
        head(rng, b"Content-Type: " + kind, b"Content-Transfer-Encoding: " + encoding)
        + b"\r\n"
        + line * size(rng, 100, 300_000)
    )


def charset_mess(rng: random.Random) -> bytes:
    return (
        head(rng, b"Content-Type: text/plain; charset=" + rng.choice(CHARSETS).encode())
        + b"\r\n"
        + rng.randbytes(rng.randrange(1, 5_000))
    )


def noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(0, 3_000))


MAKERS: tuple[Maker, ...] = (
    odd_headers, tree, many_parts, deep, nested_mails, fat_header, many_headers, html_bomb, quote_bomb, report, signatures, zipped, lines, charset_mess, noise,
)  # fmt: skip


def damaged(rng: random.Random, raw: bytes) -> bytes:
    """Cut, doubled, sprinkled, with its line ends broken."""
    data = bytearray(raw[:200_000])
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                del data[at : at + rng.randrange(1, 40)]
            case 1:
                data[at:at] = rng.choice(NASTY)
            case 2:
                data[at:at] = data[at : at + rng.randrange(1, 200)]
            case 3:
                data[at : at + 1] = rng.randbytes(1)
            case _:
                data[:] = data.replace(b"\r\n", rng.choice((b"\n", b"\r", b"\r\r\n", b"\r\n\r\n")), rng.randrange(1, 4))
    return bytes(data)


def letters(seed: int, count: int, largest: int = 26_000_000) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each mail."""
    for n in range(count):
        rng = random.Random(f"{seed}/{n}")
        maker = MAKERS[n % len(MAKERS)]
        raw = maker(rng)
        if rng.random() < 0.4:
            raw = damaged(rng, raw)
        if n % 1000 == 999:
            raw = raw[: largest // 2] + raw[:4096] * ((largest - len(raw[: largest // 2])) // max(1, len(raw[:4096])))
        elif n % 100 == 99:
            raw += raw[:2048] * (1_000_000 // max(1, len(raw[:2048])))
        yield f"{seed}/{n} {maker.__name__}", raw[:largest]
