"""From what a caller wrote to a revision: rendered content, its digest, the files it carries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatepost_api.errors import Refusal, invalid
from gatepost_api.office import Call, Office
from gatepost_api.status import Row
from gatepost_mail.content import Content, File
from gatepost_mail.render import QUOTED, Answered, DraftText, Said, SenderIdentity, has_placeholder, render
from gatepost_oversight.credential import Role
from gatepost_store import Stayed

FILES_MOST = 50


@dataclass(frozen=True)
class Attached:
    """One file of a draft with its bytes."""

    name: str
    content_type: str
    sha256: str
    data: bytes


@dataclass(frozen=True)
class Written:
    """What became of a draft."""

    markdown: str
    revision: int
    content_sha256: str


def attachments_of(value: Any, most_bytes: int) -> tuple[Attached, ...]:
    """The files of a request: name, base64 content, type."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise invalid("attachments", "must be a list of objects")
    if len(value) > FILES_MOST:
        raise invalid("attachments", f"holds more than {FILES_MOST} files")
    found, size = [], 0
    for item in value:
        name = str(item.get("name") or item.get("filename") or "").strip()
        encoded = item.get("content_base64") or item.get("content")
        if not name or len(name) > 255 or any(c in name for c in '/\\\r\n"'):
            raise invalid("attachments", "each needs a plain file name")
        if not isinstance(encoded, str):
            raise invalid("attachments", "each needs `content_base64`")
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise invalid("attachments", "`content_base64` is no base64") from None
        size += len(data)
        if size > most_bytes:
            raise Refusal("too_large", "The attachments are too large.", limit_bytes=most_bytes)
        kind = str(item.get("content_type") or item.get("type") or "application/octet-stream")
        if len(kind) > 100 or "/" not in kind or any(c in kind for c in "\r\n;\"' "):
            raise invalid("attachments", "`content_type` is none")
        found.append(Attached(name, kind, hashlib.sha256(data).hexdigest(), data))
    return tuple(found)


def content_of(box: Row, tenant: Row, draft: DraftText, answers: Answered | None, *, author_kind: str) -> Content:
    """The content of a draft; the gatekeeper renders the same from the same."""
    sender = SenderIdentity(
        address=box["address"], display_name=box["display_name"], signature_block=box["signature_block"],
        operator=tenant["name"], physical_address=(tenant if box["physical_address"] is None else box)["physical_address"] or "",
        ai_disclosure=box["ai_disclosure"],
    )  # fmt: skip
    try:
        return render(draft, sender, answers, ai_written=author_kind != "person")
    except ValueError as reason:
        raise Refusal("content_refused", "The content cannot be rendered.", reason=type(reason).__name__) from None


def answered(mail: Row | None, box: Row, message_id: str | None = None) -> Answered | None:
    """The mail being answered, as rendering knows it."""
    if mail is None:
        return None
    return Answered(
        mail["rfc_message_id"] or message_id, tuple(mail["refs"] or ()), mail["subject"] or "", said_in(mail, box)
    )


def said_in(mail: Row | None, box: Row) -> Said | None:
    """What is quoted of an answered mail: its new words, where the mailbox quotes at all."""
    if mail is None or mail["direction"] != "inbound" or not box["quote_original"]:
        return None
    said = (mail["reply_text"] or mail["text"] or "")[: QUOTED + 1]
    row = {"said": said, "header_from": mail["header_from"], "from_name": mail["from_name"],
           "said_at": mail["sent_at"] or mail["created_at"]}  # fmt: skip
    return Said.of(row)


async def answered_again(office: Office, call: Call, mail: Row, before: Content, box: Row) -> Answered | None:
    """As its content before named it: for a further revision of a mail."""
    if not before.in_reply_to:
        return None
    original = (await office.mails(call, [mail["answers"]])).get(mail["answers"]) if mail["answers"] else None
    return Answered(before.in_reply_to, before.references, before.subject, said_in(original, box))


def revision_of(
    content: Content, markdown: str, *, call: Call, kind: str, answers: str | None, ask: str | None,
    category: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The columns of a revision; its number is given by the statement that inserts it."""
    return {
        "kind": kind,
        "content_sha256": content.sha256, "content": content.canonical_text(), "markdown": markdown, "subject": content.subject,
        "recipients": list(content.recipients), "author": call.caller.principal_id, "author_key": call.caller.key_id,
        "author_kind": call.caller.kind, "ask": ask, "placeholder": has_placeholder(markdown) or has_placeholder(content.subject),
        "answers": answers, "category": category,
    }  # fmt: skip


def event_of(content: Content, call: Call) -> dict[str, Any]:
    """What email.drafted says beside its common fields; the revision's number comes from the statement."""
    return {
        "content_sha256": content.sha256, "author": call.caller.principal_id, "author_kind": call.caller.kind, "failed": False,
    }  # fmt: skip


async def edit(
    office: Office, call: Call, mail: Row, markdown: str | None, subject: str | None, head: str | None
) -> Written:  # fmt: skip
    """A reviewer's own revision of what waits. It moves nothing; the decision that names it adopts it."""
    before = Content.from_json(mail["content_json"]) if mail["content_json"] else None
    if before is None:
        raise Refusal("not_editable", id=mail["id"])
    text = markdown if markdown is not None else mail["markdown"] or ""
    if not text.strip():
        raise invalid("revised_body", "is empty")
    box, tenant = await surroundings(office, mail)
    draft = DraftText(
        salt=secrets.token_hex(16),
        markdown=text, to=before.to, subject=subject or before.subject, cc=before.cc, bcc=before.bcc, reply_to=before.reply_to,
        attachments=before.attachments,
    )  # fmt: skip
    answers = await answered_again(office, call, mail, before, box)
    content = content_of(box, tenant, draft, answers, author_kind=mail["author_kind"] or "agent")
    rev = revision_of(content, text, call=call, kind="edit", answers=head or mail["thread_head"], ask=mail["ask"])
    number = await insert_revision(office, call, mail["id"], rev, {}, files=())
    return Written(text, number, content.sha256)


async def insert_revision(
    office: Office, call: Call, message_id: str, rev: dict[str, Any], data: dict[str, Any], *, files: Sequence[Attached]
) -> int:
    """One further revision; its number. An edit tells nobody, a draft is told as email.drafted."""
    payload = {"message_id": message_id, "rev": rev, "files": listed(files)}
    role = Role.REVIEWER if rev["kind"] == "edit" else Role.AGENT
    made = await office.store.insert(
        "R1", payload, by=office.actor(call, role), data=data, raw=[f.data for f in files] or None
    )
    if isinstance(made, Stayed) or made.record is None:
        failed = made.failed if isinstance(made, Stayed) else None
        if failed is None:
            raise Refusal("in_flight", id=message_id, headers={"Retry-After": "1"})
        if "OWN" in failed:
            raise Refusal("not_found", "There is no such mail of yours.")
        raise Refusal("not_editable", id=message_id)
    return int(made.record["data"]["revision"])


def listed(files: Sequence[Attached]) -> list[dict[str, Any]]:
    """The files as the statement takes them; `raw_n` counts the byte strings beside it from one."""
    return [
        {
            "sha256": f.sha256,
            "raw_n": n + 1,
            "n": n,
            "name": f.name,
            "content_type": f.content_type,
            "size_bytes": len(f.data),
        }
        for n, f in enumerate(files)
    ]


def files_of(files: Sequence[Attached]) -> tuple[File, ...]:
    """The files as content names them."""
    return tuple(File(name=f.name, type=f.content_type, sha256=f.sha256) for f in files)


async def refuse_suppressed(
    office: Office, call: Call, mailbox_id: str, recipients: Sequence[str], category: str | None
) -> None:
    """An early no; recipients are never dropped silently."""
    lower = [address.lower() for address in recipients]
    rows = await office.store.fetch("suppressed", call.caller.tenant_id, mailbox_id, lower, category)
    if rows:
        raise Refusal("suppressed", recipients=[row["address"] for row in rows])


async def surroundings(office: Office, mail: Row) -> tuple[Row, Row]:
    """The mailbox and the tenant of a mail."""
    boxes = await office.store.fetch("mailboxes_by", mail["tenant_id"], [mail["mailbox_id"]], [])
    tenant = await office.store.fetchrow("tenant", mail["tenant_id"])
    if not boxes or tenant is None:
        raise Refusal("not_found", "There is no such mailbox.")
    return boxes[0], tenant
