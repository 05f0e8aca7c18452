"""Two small pages of the catcher: what left, and one mail. A mail's HTML is shown as source, never rendered."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35em .7em;border-bottom:1px solid #ddd;vertical-align:top}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:1em}.pass{color:#060}.bad{color:#a00}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def list_page(mails: Sequence[dict[str, Any]], total: int) -> str:
    """The newest first."""
    rows = "".join(
        f"<tr><td>{_short(mail['received_at'])}</td><td>{escape(mail['from'])}</td>"
        f"<td>{escape(', '.join(mail['rcpt_to']))}</td>"
        f'<td><a href="/messages/{quote(mail["id"])}">{escape(mail["subject"]) or "(no subject)"}</a></td>'
        f"<td>{_dkim(mail)}</td></tr>"
        for mail in mails
    )
    shown = f"the newest {len(mails)} of {total}" if total > len(mails) else f"{total}"
    table = f"<table><tr><th>Time (UTC)</th><th>From</th><th>To</th><th>Subject</th><th>DKIM</th></tr>{rows}</table>"
    return _page("What left", f"<h1>What left: {shown}</h1>{table if mails else '<p>Nothing has left yet.</p>'}")


def mail_page(mail: dict[str, Any]) -> str:
    """Headers, text, source of the HTML and the files."""
    heads = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in mail["headers"])
    files = "".join(
        f"<li>{escape(a['name'])}, {escape(a['content_type'])}, {a['size']} bytes</li>" for a in mail["attachments"]
    )
    parts = [
        f'<p><a href="/">all</a> · <a href="/api/messages/{quote(mail["id"])}/raw">raw</a></p>',
        f"<h1>{escape(mail['subject']) or '(no subject)'}</h1>",
        (
            f"<p>Envelope: {escape(mail['envelope_from']) or '&lt;&gt;'} to {escape(', '.join(mail['rcpt_to']))}, "
            f"{_short(mail['received_at'])} UTC, DKIM {_dkim(mail)}</p>"
        ),
        f"<table>{heads}</table><h2>Text</h2><pre>{escape(mail['text'])}</pre>",
        f"<h2>Files</h2><ul>{files}</ul>" if files else "",
        f"<h2>HTML, as source</h2><pre>{escape(mail['html'])}</pre>" if mail["html"] else "",
    ]
    return _page(mail["subject"] or "(no subject)", "".join(parts))


def _dkim(mail: dict[str, Any]) -> str:
    said = [
        f'<span class="{"pass" if d["result"] == "pass" else "bad"}">{escape(d["result"])}</span> {escape(d["domain"])}'
        for d in mail["dkim"]
    ]
    return "<br>".join(said) or '<span class="bad">not signed</span>'


def _short(moment: str) -> str:
    return escape(moment[:19].replace("T", " "))


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} · Gatepost mail catcher</title><style>{STYLE}</style></head><body>{body}</body></html>"
    )
