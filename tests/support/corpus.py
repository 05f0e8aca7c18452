"""Reads the collections under tests/corpus: cases that begin with `=== name`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).resolve().parents[1] / "corpus"


def cases(name: str) -> Iterator[tuple[str, str]]:
    """Name and text of each case of a file."""
    _, *parts = (CORPUS / name).read_text("utf-8").split("\n=== ")
    for part in parts:
        title, _, text = part.partition("\n")
        yield title.strip(), text


def replies() -> list[tuple[str, str, str]]:
    """(name, the whole mail's text, what was said now)."""
    found = []
    for title, text in cases("replies.txt"):
        whole, said_marked, said = text.partition("\n### said\n")
        above, cut, _ = whole.partition("\n~~~")
        found.append((title, whole.replace("\n~~~", "", 1) if cut else whole, (said if said_marked else above).strip()))
    return found


def mails() -> list[tuple[str, bytes, dict[str, Any]]]:
    """(name, the mail as it comes over the wire, what is read from it)."""
    found = []
    for title, text in cases("mails.txt"):
        mail, _, expected = text.partition("\n~~~\n")
        raw = re.sub(rb"\\x([0-9a-f]{2})", lambda said: bytes([int(said[1], 16)]), mail.encode())
        found.append((title, raw.replace(b"\n", b"\r\n"), yaml.safe_load(expected)))
    return found


def yes_and_no(name: str) -> tuple[list[str], list[str]]:
    """The lines of a file below its first paragraph, before and after `### no`."""
    _, _, text = (CORPUS / name).read_text("utf-8").partition("\n\n")
    yes, _, no = text.partition("### no\n")
    return yes.strip().splitlines(), no.strip().splitlines()


DAEMON = "From: MAILER-DAEMON@mx.c.example\r\nTo: support@demo.test\r\nSubject: {}\r\n"
TEXT = "Content-Type: text/plain; charset=utf-8\r\n\r\n"


def bounces() -> list[tuple[str, bytes, tuple[str | None, ...]]]:
    """(name, the mail, its kind, action, status, severity and recipient)."""
    found = []
    for title, text in cases("bounces.txt"):
        name, *expected = (word.strip() for word in title.split(" | "))
        how, _, words = text.partition(" ")
        found.append((name, _mail(how, words.strip()).encode(), tuple(None if w == "-" else w for w in expected)))
    return found


def _mail(how: str, words: str) -> str:
    if how == "@text":
        return DAEMON.format("Notice") + TEXT + words
    if how == "@auto":
        return DAEMON.format("Out of office") + "Auto-Submitted: auto-replied\r\n" + TEXT + words
    if how == "@person":
        return "From: Ada <ada@c.example>\r\nSubject: Failed\r\n" + TEXT + words
    status, action, address = words.split()
    return (
        DAEMON.format("Delivery Status Notification")
        + "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\n\r\nA report in the standard form.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.c.example\r\n\r\nFinal-Recipient: rfc822;{address}\r\nAction: {action}\r\nStatus: {status}\r\n"
        "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <ours@demo.test>\r\nSubject: s\r\n\r\nx\r\n--b--\r\n"
    )
