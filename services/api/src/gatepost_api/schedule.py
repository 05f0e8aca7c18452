"""Changing a mail that was not approved yet: when it leaves, to whom, with which words."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from gatepost_api import drafts
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_api.views import email_view
from gatepost_mail.content import Content
from gatepost_mail.render import DraftText

_OPEN = frozenset({"drafting", "drafted", "held", "revising"})
_CONTENT = ("to", "cc", "bcc", "subject", "markdown", "attachments")


async def edit_scheduled_email(office: Office, call: Call) -> Reply:
    """The author's change. Another content is another revision, which is judged anew; a new moment alone is none."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["direction"] == "inbound" or mail["author"] != call.caller.principal_id:
        raise Refusal("not_found", "There is no such mail of yours.")
    if mail["state"] not in _OPEN:
        raise Refusal("not_editable", id=mail["id"], state=mail["state"])
    send_at = call.fields.moment("send_at")
    if send_at is not None and send_at <= datetime.now(UTC):
        raise invalid("send_at", "is in the past")
    changes = [name for name in _CONTENT if name in call.fields]
    if changes:
        await _rewrite(office, call, mail, send_at)
    if send_at is not None:
        moved = await office.store.fetchval("set_send_at", call.caller.tenant_id, mail["id"], send_at)
        if moved is None:
            raise Refusal("not_editable", id=mail["id"])
    view = email_view(await office.mail(call, mail["id"]), office.eyes(call))
    return Reply({**view, "changed": [*changes, *(["send_at"] if send_at else [])]})


async def _rewrite(office: Office, call: Call, mail: Row, send_at: datetime | None) -> None:
    if not mail["content_json"]:
        raise Refusal("not_editable", id=mail["id"])
    before, fields = Content.from_json(mail["content_json"]), call.fields
    files = drafts.attachments_of(fields.raw("attachments"), office.settings.max_attachments_bytes)
    markdown = fields.text("markdown", most=262_144) or mail["markdown"] or ""
    to = fields.addresses("to") or before.to
    cc = fields.addresses("cc") if "cc" in fields else before.cc
    bcc = fields.addresses("bcc") if "bcc" in fields else before.bcc
    subject = fields.text("subject", most=998) or before.subject
    if any(c in subject for c in "\r\n"):
        raise invalid("subject", "must be one line")
    await drafts.refuse_suppressed(office, call, mail["mailbox_id"], (*to, *cc, *bcc), mail["category"])
    draft = DraftText(
        salt=secrets.token_hex(16),
        markdown=markdown, to=to, subject=subject, cc=cc, bcc=bcc, reply_to=before.reply_to,
        attachments=drafts.files_of(files) if "attachments" in fields else before.attachments,
    )  # fmt: skip
    box, tenant = await drafts.surroundings(office, mail)
    answers = await drafts.answered_again(office, call, mail, before, box)
    content = drafts.content_of(box, tenant, draft, answers, author_kind=mail["author_kind"] or "agent")
    rev = drafts.revision_of(
        content,
        markdown,
        call=call,
        kind="draft",
        answers=mail["thread_head"],
        ask=mail["ask"],
        category=mail["category"],
    )
    data: dict[str, Any] = drafts.event_of(content, call)
    if send_at is not None:
        data["send_at"] = iso(send_at)
    await drafts.insert_revision(office, call, mail["id"], rev, data, files=files)
