"""Delivery reports (RFC 3464), complaints (RFC 5965) and opt-outs: what do they say, and of which mail?

A vacation note, a challenge or a disclaimer is never read as a failure: only a report in the standard form, or free
text of a machine with a null sender or a daemon's address that says so in words known from the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gatepost_mail.bounce_words import FAILED, HARD, LATER, SOFT
from gatepost_mail.charsets import decode
from gatepost_mail.headers import decode_words, header_text, message_ids
from gatepost_mail.mime import Part, content, split
from gatepost_mail.optouts import is_wish
from gatepost_mail.parse import Parsed

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?m)(?:^|[\s(:<'\"])([45]\d\d)[ -](?=[^\d]|\d\.\d)")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_ACTIONS = {
    "failed": "failed",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
    "delayed": "delayed",
}
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "opt-out", "opt-out-list", "other", "auth-failure", "not-spam"})
_ORIGINAL_IDS = (
    "x-microsoft-original-message-id",
    "x-google-original-message-id",
    "x-original-message-id",
    "message-id",
)
MOST_TEXT = 20_000


@dataclass(frozen=True)
class Report:
    """What was read; `rfc_message_ids` name the mail that it speaks of, the surest first.

    `severity` of a failure: hard (the address is gone), soft (full, busy, refused for what it said), or none.
    """

    kind: str
    action: str = "none"
    status: str | None = None
    recipient: str | None = None
    rfc_message_ids: tuple[str, ...] = ()
    severity: str = "none"
    feedback: str = ""


def is_opt_out(parsed: Parsed) -> bool:
    """Is the whole of what they wrote a wish to be left alone? Of an empty mail the subject is what they wrote."""
    if not parsed.has_text:
        return not parsed.attachments and is_wish(parsed.subject_stripped)
    return is_wish(parsed.reply_text)


def read_report(raw: bytes, parsed: Parsed) -> Report | None:
    """The report in this mail, or None for ordinary mail. Never raises."""
    about = (*parsed.in_reply_to, *reversed(parsed.references))
    try:
        top = split(raw, [])
        if parsed.is_report and (found := _structured(raw, top, about)) is not None:
            return found
        if _is_from_daemon(top) and (found := _free_text(raw, top, parsed, about)) is not None:
            return found
    except Exception:
        return None
    if "auto_submitted" not in parsed.automatic and is_opt_out(parsed):
        return Report("opt_out", rfc_message_ids=about)
    if {"auto_submitted", "auto_subject"} & set(parsed.automatic):
        return Report("auto_reply", rfc_message_ids=about)
    return None


def severity_of(status: str | None, words: str = "") -> str:
    """Hard or soft: the enhanced status first (RFC 3463), the words where it says nothing."""
    if status and status[0] == "4":
        return "soft"
    subject, _, detail = status[2:].partition(".") if status else ("", "", "")
    if subject == "1" and detail not in {"0", "7", "8"}:
        return "hard"
    if subject == "2" and detail == "1":
        return "hard" if not SOFT.search(words) else "soft"
    if (subject, detail) in {("4", "4"), ("5", "1"), ("0", "0"), ("1", "0"), ("", "")} and HARD.search(words):
        return "hard"
    return "soft"


def _structured(raw: bytes, top: Part, about: tuple[str, ...]) -> Report | None:
    found: Report | None = None
    words: list[str] = []
    original: tuple[str, ...] = ()
    for part in top.leaves():
        match part.kind:
            case "message/delivery-status" | "message/global-delivery-status":
                found = _delivery_status(content(raw, part, [], most=200_000)) or found
            case "message/feedback-report":
                found = _feedback(content(raw, part, [], most=50_000))
            case "message/rfc822" | "text/rfc822-headers" | "message/global" | "message/global-headers":
                original = original or _original_ids(content(raw, part, []))
            case "text/plain" if not words:
                words.append(decode(content(raw, part, [], most=MOST_TEXT), part.params.get("charset"))[0])
    if found is None:
        return None
    if found.action == "failed":
        found = replace(found, severity=severity_of(found.status, " ".join(words)[:MOST_TEXT]))
    return replace(found, rfc_message_ids=tuple(dict.fromkeys((*original, *found.rfc_message_ids, *about))))


def _blocks(data: bytes) -> Iterator[dict[str, str]]:
    """Groups of fields, separated by blank lines (RFC 3464 2.1)."""
    text = re.sub(r"\r?\n[ \t]+", " ", header_text(data) if len(data) < 65_536 else data.decode("utf-8", "replace"))
    for block in re.split(r"\r?\n\s*\r?\n", text.strip())[:200]:
        lines = (line.partition(":") for line in block.splitlines()[:100])
        yield {name.strip().lower(): decode_words(value.strip()) for name, colon, value in lines if colon}


def _delivery_status(data: bytes) -> Report | None:
    """Of several recipients the first that failed, else the first."""
    reports = []
    for block in _blocks(data):
        if "action" not in block and "final-recipient" not in block:
            continue
        status = _STATUS.search(block.get("status", "")) or _STATUS.search(block.get("diagnostic-code", ""))
        action = _ACTIONS.get(block.get("action", "").partition(" ")[0].lower(), "none")
        reports.append(Report("dsn", action, status[1] if status else None, _recipient(block)))
    order = {"failed": 0, "delayed": 1, "delivered": 2, "none": 3}
    return min(reports, key=lambda report: order[report.action]) if reports else None


def _recipient(block: dict[str, str]) -> str | None:
    """The address that we wrote to, not the one that a forward led to."""
    for name in ("original-recipient", "x-original-recipient", "final-recipient", "x-actual-recipient"):
        if found := _ADDRESS.search(block.get(name, "").rpartition(";")[2]):
            return found[0].lower()
    return None


def _feedback(data: bytes) -> Report:
    """RFC 5965; a `not-spam` report is the opposite of a complaint."""
    said: dict[str, str] = {}
    for block in _blocks(data):
        said |= {name: value for name, value in block.items() if name not in said}
    kind = said.get("feedback-type", "").lower()
    found = _ADDRESS.search(said.get("original-rcpt-to", ""))
    return Report("arf", recipient=found[0].lower() if found else None,
                  feedback=kind if kind in _COMPLAINTS else "other")  # fmt: skip


def _original_ids(data: bytes) -> tuple[str, ...]:
    """The original's Message-ID, first as it was before a provider rewrote it."""
    top = split(data[:300_000].lstrip(b"\r\n"), [])
    return message_ids([value for name in _ORIGINAL_IDS for value in top.raw(name)])


def _is_from_daemon(top: Part) -> bool:
    sender = top.first("from").lower()
    return (
        top.first("return-path").strip() == "<>"
        or "mailer-daemon" in sender
        or "postmaster" in sender
        or bool(top.raw("x-failed-recipients"))
        or "mail delivery" in sender
    )


def _free_text(raw: bytes, top: Part, parsed: Parsed, about: tuple[str, ...]) -> Report | None:
    """Bounces that are only prose: qmail, old Exchange, Exim and others. Failure must be said in so many words."""
    text = parsed.text[:MOST_TEXT]
    words = f"{parsed.subject}\n{text}"
    if {"auto_subject"} & set(parsed.automatic):
        return None
    failed, later = FAILED.search(words), LATER.search(words)
    named = top.raw("x-failed-recipients")
    if not failed and not named and not later:
        return None
    status = _STATUS.search(text)
    if status is None and (code := _CODE.search(text)):
        coded = "4.0.0" if code[1].startswith("4") else "5.0.0"
    else:
        coded = status[1] if status else ""
    own = {parsed.from_address, *(a.addr for a in (*parsed.to, *parsed.cc))}
    found = _ADDRESS.findall(",".join(named)) or [a for a in _ADDRESS.findall(text) if a.lower() not in own]
    ids = message_ids(re.findall(r"(?i)message-id:\s*(<[^<>\s]{3,990}>)", text))
    enclosed = tuple(
        i for part in top.leaves() if part.kind == "message/rfc822" for i in _original_ids(content(raw, part, []))
    )
    is_delay = later is not None and not named and (failed is None or later.start() < failed.start())
    return Report(
        "dsn", "delayed" if is_delay else "failed", coded or None, found[0].lower().rstrip(".") if found else None,
        tuple(dict.fromkeys((*enclosed, *ids, *about))),
        severity="none" if is_delay else severity_of(coded or None, words),
    )  # fmt: skip
