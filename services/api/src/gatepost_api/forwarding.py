"""Sending a mail on: the words of the one who forwards, then the mail as it came, with its attachments."""

from __future__ import annotations

import base64
from typing import Any

from gatepost_api.attachments import attachment_content
from gatepost_api.errors import Refusal
from gatepost_api.lenient import Fields
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_api.views import email_view, stripped
from gatepost_api.writing import send_email

_KEPT = ("to", "cc", "bcc", "reply_to", "metadata", "tags", "send_at", "gate_timing", "oversight_mode", "idempotency_key",
         "category")  # fmt: skip


async def forward_email(office: Office, call: Call) -> Reply:
    """A new mail on a thread of its own. It is a send like any other, and the gate judges it."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["state"] in {"quarantined", "discarded"}:
        raise Refusal("not_found", "There is no such mail to forward.")
    view = email_view(mail, office.eyes(call))
    files = [] if call.fields.flag("include_attachments") is False else await _files(office, mail, view)
    given = {name: call.fields.raw(name) for name in _KEPT if name in call.fields}
    subject = call.fields.text("subject", most=998) or f"Fwd: {stripped(view['subject'])}"[:998]
    words = (call.fields.text("markdown", most=100_000) or "").strip()
    fields = {
        **given, "mailbox": mail["mailbox_id"], "subject": subject, "attachments": files,
        "markdown": f"{words}\n\n{_quoted(view)}".strip()[:200_000],
    }  # fmt: skip
    forwarded = Call(call.route, call.caller, Fields("send_email", fields), call.headers, is_head=call.is_head)
    reply = await send_email(office, forwarded)
    if isinstance(reply.body, dict):
        reply.body["forwarded_message_id"] = mail["id"]
    return reply


async def _files(office: Office, mail: Row, view: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for attachment in view["attachments"]:
        content = await attachment_content(office, mail, attachment)
        if content is None:
            raise Refusal(
                "not_found", "An attachment is no longer stored.", hint="Forward with include_attachments=false."
            )
        found.append(
            {
                "name": "".join(c for c in attachment["name"] if c not in '/\\\r\n"')[:255] or "attachment",
                "content_type": attachment["content_type"].partition(";")[0].strip() or "application/octet-stream",
                "content_base64": base64.b64encode(content).decode(),
            }
        )
    return found


def _quoted(view: dict[str, Any]) -> str:
    head = [
        "---------- Forwarded message ----------", f"From: {view['from_header']}", f"Date: {view.get('sent_at') or view['received_at']}",
        f"Subject: {view['subject_raw'] or view['subject']}", f"To: {', '.join(view['to'])}",
    ]  # fmt: skip
    return "\n".join("> " + line for line in (*head, "", *view["markdown"].splitlines()))
