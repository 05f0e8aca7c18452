"""A fuzz target for each parser of mail: bytes in, any exception is a finding. `tests/unit/mail/test_fuzz.py` runs a few
hundred cases of each; `python tests/support/fuzz_targets.py html 60` runs one for a minute."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from gatepost_mail import (
    address,
    bodies,
    calendars,
    charsets,
    dkim_verify,
    dmarc,
    dsn,
    headers,
    html,
    invisible,
    mime,
    parse,
    quote,
    spf,
    tokens,
)
from gatepost_mail.lookups import Answer, converse

KEY = b"k" * 32


def text(data: bytes) -> str:
    return data.decode("latin-1")


def records(data: bytes) -> Answer:
    return Answer("ok", (text(data), "v=spf1 " + text(data), "v=DMARC1; " + text(data)))


def one_part(data: bytes) -> None:
    defects: list[str] = []
    top = mime.split(data, defects)
    bodies.read_bodies(data, top, defects)


TARGETS: dict[str, Callable[[bytes], object]] = {
    "mail": parse.parse,
    "parts": one_part,
    "report": lambda data: dsn.read_report(data, parse.parse(data)),
    "delivery_status": lambda data: dsn.read_report(
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + data, parse.parse(b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + data)),
    "html": lambda data: (html.read_html(text(data)), html.clean_html(text(data))),
    "style_sheet": lambda data: invisible.hiding_selectors(text(data)),
    "colour": lambda data: invisible.colour(text(data)),
    "reply": lambda data: quote.reply_text(text(data)),
    "addresses": lambda data: address.read_addresses([text(data)]),
    "words": lambda data: headers.decode_words(text(data)),
    "parameters": lambda data: headers.parameters(text(data)),
    "charset": lambda data: charsets.decode(data, text(data[:20])),
    "calendar": calendars.invitation,
    "dkim_tags": dkim_verify.read_tags,
    "dkim_key": lambda data: dkim_verify.public_key(text(data), "rsa-sha256"),
    "dkim": lambda data: dkim_verify.verify_all(b"DKIM-Signature: " + data + b"\r\nFrom: a@b.c\r\n\r\nx", text),
    "spf": lambda data: converse(spf.check("192.0.2.1", "a@b.c", "h"), lambda _: records(data)),
    "dmarc": lambda data: converse(dmarc.evaluate("b.c", ("pass", "d.c"), ()), lambda _: records(data)),
    "message_id": lambda data: tokens.read_message_id(KEY, text(data)),
    "plus_address": lambda data: (tokens.read_plus(KEY, text(data)), tokens.read_return_path(KEY, text(data))),
    "unsubscribe": lambda data: tokens.read_unsubscribe(KEY, text(data)),
}  # fmt: skip


def main() -> int:
    """Random bytes and nasty words at one target until the time is over."""
    from bench.hostile_letters import rubbish

    name, seconds = sys.argv[1], float(sys.argv[2])
    rng = random.Random(0)
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        TARGETS[name](rubbish(rng, rng.randrange(1, 60)))
        count += 1
    print(f"{name}: {count} cases, none raised")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, ".")
    sys.exit(main())
