"""From a draft in markdown to the content that leaves: text, safe HTML, subject, threading headers, footer.

Pure: the author renders when the revision is written, the gatekeeper renders again and compares digests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt

from gatepost_mail.content import Content, File
from gatepost_mail.headers import clean, one_line

REFERENCES = 20
"""How many References we send; the first and the newest count (RFC 5322 3.6.4 sets no bound)."""
QUOTED, QUOTED_LINES = 10_000, 200
"""Characters and lines of the answered mail that are quoted at most."""
PLACEHOLDER = re.compile(r"\[REVIEWER:", re.IGNORECASE)

_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).enable("table")
_TAGS = {
    "p", "br", "strong", "em", "a", "ul", "ol", "li", "blockquote", "code", "pre", "h1", "h2", "h3", "h4", "hr",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip


@dataclass(frozen=True)
class DraftText:
    """What an author wrote."""

    markdown: str
    to: tuple[str, ...]
    subject: str = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: str | None = None
    attachments: tuple[File, ...] = ()
    salt: str = ""  # random for each revision; chosen by its author


@dataclass(frozen=True)
class SenderIdentity:
    """As whom the mailbox writes."""

    address: str
    display_name: str = ""
    signature_block: str = ""
    operator: str = ""
    physical_address: str = ""
    ai_disclosure: bool = True


@dataclass(frozen=True)
class Said:
    """What the answered mail said, for a mailbox that quotes it below its answers."""

    text: str
    address: str = ""
    name: str = ""
    at: datetime | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Said | None:
        """From the columns said, header_from, from_name and said_at of the answered mail; None where it says nothing."""
        said = row["said"] or ""
        return cls(said, row["header_from"] or "", row["from_name"] or "", row["said_at"]) if said.strip() else None


@dataclass(frozen=True)
class Answered:
    """The mail that is answered."""

    rfc_message_id: str | None
    references: tuple[str, ...] = ()
    subject: str = ""
    said: Said | None = None  # given where the mailbox quotes


def render(
    draft: DraftText, sender: SenderIdentity, answers: Answered | None = None, *, ai_written: bool = True
) -> Content:
    """The content of this draft. Equal input gives equal content."""
    body = clean(draft.markdown).replace("\r\n", "\n").replace("\r", "\n").strip()
    footer = _footer(sender, ai_written=ai_written)
    quoted = _quoted(answers.said) if answers and answers.said else ("", [])
    headers = (("X-AI-Generated", "true"),) if ai_written and sender.ai_disclosure else ()
    return Content(
        from_=sender.address,
        from_name=one_line(sender.display_name)[:200],
        to=draft.to,
        cc=draft.cc,
        bcc=draft.bcc,
        reply_to=draft.reply_to,
        subject=_subject(draft.subject, answers),
        text=_text(body, footer, *quoted),
        html=_html(body, footer, *quoted),
        attachments=draft.attachments,
        in_reply_to=answers.rfc_message_id if answers else None,
        references=_references(answers),
        headers=headers,
        salt=draft.salt,
    )


def has_placeholder(markdown: str) -> bool:
    """Does the draft ask a reviewer to fill something in?"""
    return PLACEHOLDER.search(markdown) is not None


def _subject(wanted: str, answers: Answered | None) -> str:
    subject = one_line(wanted)
    if not subject and answers is not None:
        subject = one_line(answers.subject)
        if not re.match(r"(?i)re\s*:", subject):
            subject = f"Re: {subject}".strip()
    return subject[:998]


def _references(answers: Answered | None) -> tuple[str, ...]:
    if answers is None or not answers.rfc_message_id:
        return ()
    chain = list(dict.fromkeys((*answers.references, answers.rfc_message_id)))
    if chain[-1] != answers.rfc_message_id:
        chain = [r for r in chain if r != answers.rfc_message_id] + [answers.rfc_message_id]
    return tuple(chain if len(chain) <= REFERENCES else [chain[0], *chain[-(REFERENCES - 1) :]])


def _footer(sender: SenderIdentity, *, ai_written: bool) -> list[str]:
    lines = [line for line in sender.signature_block.strip().splitlines() if line.strip()]
    told = []
    if ai_written and sender.ai_disclosure:
        told.append("Written with the help of an AI assistant, under human oversight.")
    if sender.physical_address:
        told.append(", ".join(part for part in (sender.operator, sender.physical_address) if part))
    return [*lines, *told]


def _quoted(said: Said) -> tuple[str, list[str]]:
    """Who wrote when, and their words, so many as fit."""
    text = clean(said.text[:QUOTED]).replace("\r\n", "\n").replace("\r", "\n").strip()
    lines = text.split("\n")[:QUOTED_LINES]
    if len(said.text) > QUOTED or len(text.split("\n")) > QUOTED_LINES:
        lines.append("[...]")
    who = f"{one_line(said.name)[:200]} <{said.address}>".strip() if said.name else said.address
    when = f"On {said.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, " if said.at else ""
    return f"{when}{who or 'they'} wrote:", lines


def _text(body: str, footer: Sequence[str], who: str, said: Sequence[str]) -> str:
    """The markdown is its own plain text; links show their target."""
    text = re.sub(r"\[([^\]\n]*)\]\((\S+?)\)", lambda m: m[1] if m[1] == m[2] else f"{m[1]} <{m[2]}>", body)
    text = re.sub(r"(?m)^#{1,6}\s+", "", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"\1", text)
    text += "\n\n-- \n" + "\n".join(footer) if footer else ""
    if said:
        text += f"\n\n{who}\n" + "\n".join(f">{'' if not line or line[0] == '>' else ' '}{line}" for line in said)
    return text + "\n"


def _html(body: str, footer: Sequence[str], who: str, said: Sequence[str]) -> str:
    html = _MARKDOWN.render(body)
    if footer:
        escaped = "<br>".join(nh3.clean_text(line).replace("&#47;", "/").replace("&#32;", " ") for line in footer)
        html += f"<hr><p>{escaped}</p>"
    if said:
        html += f"<p>{escape(who)}</p><blockquote>{'<br>'.join(map(escape, said))}</blockquote>"
    return nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"})
