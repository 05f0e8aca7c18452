"""Sending and replying: a caller's draft becomes a message with its first revision, or a further revision.

Answered 202 once message, revision, audit record and outbox row are committed, all in one statement. The refusals here are
early ones from the same facts that the gatekeeper looks at again; nothing here lets a mail go.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gatepost_api import drafts, once
from gatepost_api.aliases import SENT, named
from gatepost_api.asking import Request, read_request, thread_of
from gatepost_api.errors import Refusal
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row, has_left, status_of
from gatepost_api.views import effective_mode, stripped
from gatepost_contracts.ids import new_id
from gatepost_mail.content import Content
from gatepost_mail.render import DraftText
from gatepost_oversight.credential import Role
from gatepost_oversight.mode import Mode, effective, strictest
from gatepost_store import Stayed

_BEING_JUDGED_S = 2.0
_turns = once.Turns()


# -- the two commands ----------------------------------------------------------------------------------------------


async def send_email(office: Office, call: Call) -> Reply:
    """A new mail, or a further one on a thread."""
    box = await office.only_mailbox(call)
    thread, external_id = await thread_of(office, call, box)
    request = await read_request(office, call, box, thread, external_id, None)
    return await _write(office, call, request)


async def reply_email(office: Office, call: Call) -> Reply:
    """An answer to a mail. Given again while its draft waits or was sent back, it revises that draft."""
    mail = await office.mail(call, call.fields.must("message_id"))
    own = mail["direction"] == "outbound" and mail["author"] == call.caller.principal_id
    original: Row | None = mail
    if mail["direction"] == "outbound" and not has_left(mail):
        if not own:
            raise Refusal("not_found", "There is no such mail to answer.")
        original = (await office.mails(call, [mail["answers"]])).get(mail["answers"]) if mail["answers"] else None
    elif mail["state"] in {"quarantined", "discarded"}:
        raise Refusal("not_found", "There is no such mail to answer.")
    boxes = await office.store.fetch("mailboxes_by", mail["tenant_id"], [mail["mailbox_id"]], [])
    threads = await office.store.fetch("threads_by_id", mail["tenant_id"], [mail["thread_id"]])
    if not boxes or not threads:
        raise Refusal("not_found", "There is no such mailbox.")
    request = await read_request(office, call, boxes[0], threads[0], None, original, revised=mail if own else None)

    async def turn() -> Reply:
        draft = await _open_draft(office, call, mail, original)
        if draft is None:
            return await _write(office, call, request)
        return await _revise(office, call, request, draft)

    return await _turns.take(f"{call.caller.principal_id} {(original or mail)['id']}", turn)


# -- writing -------------------------------------------------------------------------------------------------------


def _key(office: Office, call: Call, sha256: str) -> tuple[str, bool, float]:
    """(name of the idempotency row, chosen by the caller?, its life in seconds)."""
    key = call.fields.text("idempotency_key", most=once.KEY_MOST) or once.header_key(call)
    if key is not None:
        return f"key:{key}", True, float(office.settings.idempotency_h * 3600)
    return f"content:{sha256}", False, float(office.settings.content_dedupe_s)


async def _write(office: Office, call: Call, request: Request) -> Reply:
    """A new message with its first revision, in one statement that also keeps the idempotency key."""
    sha256 = request.digest(call.route.command, 0)
    name, chosen, life_s = _key(office, call, sha256)
    if (again := await _repeat(office, call, name, sha256, life_s, chosen=chosen)) is not None:
        return again
    tenant = await office.store.fetchrow("tenant", call.caller.tenant_id)
    if tenant is None:
        raise Refusal("unauthenticated")
    continued = request.original or await _newest(office, call, request.thread)
    content = _content(office, request, tenant, continued, call)
    message_id = new_id("msg")
    thread_id = request.thread["id"] if request.thread else new_id("thr")
    ask = request.ask.value if request.ask else None
    box, original = request.box, request.original
    answers = original["id"] if original is not None and original["direction"] == "inbound" else None
    mail = {
        "id": message_id, "tenant_id": box["tenant_id"], "mailbox_id": box["id"], "thread_id": thread_id, "answers": answers,
        "in_reply_to_id": continued["id"] if continued else None, "metadata": request.metadata, "tags": request.tags,
        "subject": content.subject, "to_addresses": list(content.to), "cc_addresses": list(content.cc),
        "has_attachments": bool(request.files), "author": call.caller.principal_id, "author_key": call.caller.key_id,
        "author_kind": call.caller.kind, "ask_at_submit": request.requested.value if request.requested else None,
        "gate_timing": request.gate_timing, "send_at": iso(request.send_at), "category": request.category,
        "expires_at": iso(request.expires_at),
    }  # fmt: skip
    head = request.thread["head"] if request.thread else None
    rev = drafts.revision_of(
        content, request.markdown, call=call, kind="draft", answers=head, ask=ask, category=request.category
    )
    thread: dict[str, Any] = {"id": thread_id}
    if request.thread is None:
        thread |= {
            "new": True, "external_id": request.external_id, "subject": stripped(content.subject), "metadata": request.metadata,
        }  # fmt: skip
    payload = {
        "m": mail, "rev": rev, "thread": thread, "files": drafts.listed(request.files),
        "idem": {"principal_id": call.caller.principal_id, "key": name, "request_sha256": sha256},
    }  # fmt: skip
    made = await office.store.insert(
        "T05", payload, by=office.actor(call, Role.AGENT), data={**drafts.event_of(content, call), "revision": 1},
        raw=[f.data for f in request.files] or None,
    )  # fmt: skip
    if isinstance(made, Stayed):
        if made.failed and "THREAD" in made.failed:
            raise Refusal("conflicting_fields", "`thread_id` names a thread of another mailbox.")
        raise Refusal("in_flight", headers={"Retry-After": "1"})
    if made.duplicate:
        if (again := await _repeat(office, call, name, sha256, life_s, chosen=chosen)) is not None:
            return again
        raise Refusal("in_flight", headers={"Retry-After": "1"})
    if request.metadata and request.thread is not None:
        await office.store.execute("thread_metadata", call.caller.tenant_id, thread_id, request.metadata)
    return Reply(_sent(await office.mail(call, message_id), request), 202)


def _content(office: Office, request: Request, tenant: Row, continued: Row | None, call: Call) -> Content:
    draft = DraftText(
        salt=secrets.token_hex(16),
        markdown=request.markdown, to=request.to, subject=request.subject, cc=request.cc, bcc=request.bcc,
        reply_to=request.reply_to, attachments=drafts.files_of(request.files),
    )  # fmt: skip
    rfc_message_id = None
    if continued is not None and continued["direction"] == "outbound":
        domain = continued["mailbox_address"].rpartition("@")[2]
        rfc_message_id = office.message_id_of(continued["id"], continued["thread_id"], domain)
    answered = drafts.answered(continued, request.box, rfc_message_id)
    if answered is not None and continued is not request.original:
        answered = replace(answered, said=None)  # it continues the thread, and answers nobody
    return drafts.content_of(request.box, tenant, draft, answered, author_kind=call.caller.kind)


async def _newest(office: Office, call: Call, thread: Row | None) -> Row | None:
    """The newest mail of a thread that a participant has seen: what a further send continues."""
    if thread is None:
        return None
    rows = await office.store.fetch("thread_ids", call.caller.tenant_id, thread["id"], call.caller.is_person, 50)
    mails = await office.mails(call, [row["id"] for row in rows])
    seen = [mails[key] for key in sorted(mails) if mails[key]["state"] == "received" or has_left(mails[key])]
    return seen[-1] if seen else None


# -- revising ------------------------------------------------------------------------------------------------------


async def _open_draft(office: Office, call: Call, mail: Row, original: Row | None) -> Row | None:
    """The author's draft that answers the mail and may still be rewritten. One that is being judged is waited for."""
    until = time.monotonic() + _BEING_JUDGED_S
    while True:
        if mail["direction"] == "outbound" and not has_left(mail):
            candidates = [mail["id"]]
        elif original is not None and original["direction"] == "inbound":
            rows = await office.store.fetch("answering", call.caller.tenant_id, original["id"])
            candidates = [row["id"] for row in rows if row["author"] == call.caller.principal_id]
        else:
            return None
        found = await office.mails(call, candidates)
        states = {found[key]["state"]: found[key] for key in sorted(found)}
        if draft := states.get("held") or states.get("revising"):
            return draft
        if not states.keys() & {"drafting", "drafted"}:
            return None
        if time.monotonic() >= until:
            raise Refusal(
                "in_flight", "The first draft is still being judged.", id=candidates[-1], headers={"Retry-After": "1"}
            )
        await asyncio.sleep(0.05)


async def _revise(office: Office, call: Call, request: Request, draft: Row) -> Reply:
    sha256 = request.digest(call.route.command, draft["rounds"])
    name, chosen, life_s = _key(office, call, sha256)
    if (again := await _repeat(office, call, name, sha256, life_s, chosen=chosen)) is not None:
        return again
    if not await once.claim(office, call, name, sha256, None, life_s):
        again = await _repeat(office, call, name, sha256, life_s, chosen=chosen)
        if again is not None:
            return again
        raise Refusal("in_flight", headers={"Retry-After": "1"})
    try:
        box, tenant = await drafts.surroundings(office, draft)
        content = _content(office, request, tenant, request.original, call)
        asks = [Mode(word) for word in (request.ask, draft["ask"]) if word]
        rev = drafts.revision_of(
            content, request.markdown, call=call, kind="draft", category=request.category,
            answers=request.thread["head"] if request.thread else None, ask=strictest(*asks).value if asks else None,
        )  # fmt: skip
        number = await drafts.insert_revision(
            office, call, draft["id"], rev, drafts.event_of(content, call), files=request.files
        )
    except BaseException:
        await once.release(office, call, name)
        raise
    body = _sent(draft, request)
    body |= {"revision": number, "revises": number - 1, "content_sha256": content.sha256, "mailbox_id": box["id"]}
    await once.finish(office, call, name, 202, body, draft["id"])
    return Reply(body, 202)


# -- replies -------------------------------------------------------------------------------------------------------


async def _repeat(office: Office, call: Call, name: str, sha256: str, life_s: float, *, chosen: bool) -> Reply | None:
    """What a repeated request is told; None when it is none."""
    await once.forget_expired(office, call, name, life_s)
    row = await once.found(office, call, name)
    if row is None:
        return None
    if row["request_sha256"] != sha256:
        raise Refusal("idempotency_key_reused", id=row["message_id"])
    row = await once.finished(office, call, name)
    if row is None or row["message_id"] is None:
        return None
    mail = await office.mail(call, row["message_id"])
    if not chosen and call.door == "rest":
        raise Refusal("duplicate_content", id=mail["id"], thread_id=mail["external_id"] or mail["thread_id"])
    body = dict(row["reply"] or {}) or _sent(mail, None)
    now = datetime.now(UTC)
    body |= {"idempotent": True, "current_status": status_of(mail, now)}
    if chosen:
        body["status"] = "already_sent"
    return Reply(body, 200)


def _sent(mail: Row, request: Request | None) -> dict[str, Any]:
    """SendReply: every further status is reached later."""
    requested = mail["ask_at_submit"] if request is None else (request.requested.value if request.requested else None)
    mode = effective_mode(mail)
    if request is not None and request.ask is not None:
        mode = effective(Mode(mail["mailbox_mode"]), Mode(mail["ceiling"]), request.ask).value
    clamped = requested is not None and Mode(requested).level > Mode(mode).level
    body = {
        "id": mail["id"], "status": "pending_scan", "thread_id": mail["external_id"] or mail["thread_id"],
        "our_thread_id": mail["thread_id"], "message": "Accepted. It leaves when the mailbox's oversight lets it.",
        "mailbox_id": mail["mailbox_id"], "mailbox": mail["mailbox_address"], "revision": mail["shown_revision"] or 1,
        "content_sha256": mail["shown_sha256"], "oversight_mode": mode, "oversight_mode_requested": requested,
        "mode_clamped": clamped, "metadata": dict(mail["metadata"] or {}), "idempotent": False,
        "original_message_id": mail["answers"] or mail["id"], "in_reply_to_id": mail["in_reply_to_id"],
    }  # fmt: skip
    if clamped:
        body["hint"] = "The mailbox is stricter than what was asked; an operator may raise its mode."
    return named(body, SENT)
