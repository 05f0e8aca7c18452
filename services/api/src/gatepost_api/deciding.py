"""Decisions on one mail or on many, cancelling, resolving: what the gatekeeper is asked to do."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

from gatepost_api import drafts
from gatepost_api.aliases import DECIDED, named
from gatepost_api.claims import refuse_claimed
from gatepost_api.errors import Refusal, invalid
from gatepost_api.gatherings import diff_of, word_diff
from gatepost_api.looking import born
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply, refusal_of
from gatepost_api.status import Row, has_left, is_waiting, status_of
from gatepost_api.views import email_view
from gatepost_contracts.commands import Cancel, CommandReply, Decide, Resolve
from gatepost_oversight.faults import FAULTS

_ACTIONS: dict[str, Literal["approve", "reject"]] = {
    "approve": "approve", "approved": "approve", "accept": "approve",
    "reject": "reject", "rejected": "reject", "deny": "reject",
}  # fmt: skip


# -- decisions -----------------------------------------------------------------------------------------------------


async def decide_email(office: Office, call: Call) -> Reply:
    """Approve, edit and approve, or reject exactly what was seen."""
    return Reply(await decide(office, call, wait_s=office.settings.wait_delivered_s))


def action_of(call: Call) -> Literal["approve", "reject"]:
    """What is decided."""
    action = _ACTIONS.get((call.fields.text("action", needed=True) or "").strip().lower())
    if action is None:
        raise invalid("action", "must be approve or reject")
    return action


def fault_of(call: Call) -> str | None:
    """The category of fault that a reviewer names; the note says the rest."""
    code = call.fields.text("reason_code", most=100)
    if code is not None and code not in FAULTS:
        raise invalid("reason_code", "is unknown", "Known: " + ", ".join(FAULTS))
    return code


async def decide(office: Office, call: Call, *, wait_s: float) -> dict[str, Any]:
    """One decision; what became of the delivery is waited for this long."""
    fields, caller = call.fields, call.caller
    action, fault = action_of(call), fault_of(call)
    if not caller.is_reviewer and action == "approve":
        raise Refusal("scope_missing", hint="Use a key with the scope `oversight`.", scope="oversight")
    if not caller.is_person:
        raise Refusal("scope_missing", "Only a person decides.", scope="oversight")
    mail = await to_decide(office, call, fields.must("message_id"), action)
    refuse_claimed(call, mail)
    sha256, head, given = await _seen(office, call, mail)
    revised = fields.text("markdown", most=262_144) if action == "approve" else None
    subject = fields.text("subject", most=998) if action == "approve" else None
    edit: drafts.Written | None = None
    if (revised is not None or subject is not None) and mail["state"] == "held":
        edit = await drafts.edit(office, call, mail, revised, subject, head)
    reply = await office.ask(
        Decide(
            **office.command_fields(call), message_id=mail["id"], action=action, seen_sha256=sha256, seen_head=head,
            seen_given=given, edit_revision=edit.revision if edit else None, note=fields.text("note", most=10_000),
            final=fields.flag("final") or False, reason_code=fault,
        )
    )  # fmt: skip
    if not reply.ok:
        raise _refusal(reply, mail)
    await office.store.execute("drop_claim", caller.tenant_id, mail["id"], caller.principal_id)
    return await _decided(office, call, mail, reply, action, edit, wait_s)


def _refusal(reply: CommandReply, mail: Row) -> Refusal:
    refusal = refusal_of(reply)
    refusal.extra.setdefault("id", mail["id"])
    if refusal.code == "already_decided":
        refusal.extra.setdefault("decided_by", mail["decided_by"])
        refusal.extra.setdefault("decided_at", iso(mail["decided_at"]))
    return refusal


async def to_decide(office: Office, call: Call, message_id: str, action: str) -> Row:
    """The mail meant: itself when it waits, else the one draft that answers it."""
    mail = await office.mail(call, message_id)
    if mail["direction"] == "outbound" or is_waiting(mail):
        return mail
    if mail["state"] in {"quarantined", "discarded"}:
        return mail
    answers = await office.store.fetch("answering", call.caller.tenant_id, message_id)
    waiting = [row["id"] for row in answers if row["state"] == "held"]
    if len(waiting) > 1:
        raise Refusal("ambiguous", candidates=waiting)
    if waiting:
        return await office.mail(call, waiting[0])
    decided = [row["id"] for row in answers if row["decided_by"] == call.caller.principal_id]
    if decided:
        return await office.mail(call, decided[-1])
    raise Refusal("not_found", "No draft that waits answers this mail.", hint=f"There is nothing to {action}.")


async def _seen(office: Office, call: Call, mail: Row) -> tuple[str | None, str | None, bool]:
    """(content hash, newest inbound mail, given?) that this decision binds to."""
    told = call.fields.raw("seen")
    current, head = mail["content"], mail["thread_head"]
    if mail["direction"] == "inbound" or not is_waiting(mail):
        return _hash_of(told, mail) if told is not None else current, head, told is not None
    caller = call.caller
    seen_at = await office.store.fetchval(
        "seen_at", caller.tenant_id, mail["mailbox_id"], caller.principal_id, mail["id"], mail["revision_at"]
    )
    if told is None:
        if seen_at is None or born(mail) > seen_at:
            raise _stale(mail)
        return current, head, False
    known = head is None or head in {mail["revision_answers"], call.fields.text("seen_head")}
    if not known and (seen_at is None or mail["thread_head_at"] > seen_at):
        raise _stale(mail, "The customer has written again since.")
    return _hash_of(told, mail), head, True


def _hash_of(told: Any, mail: Row) -> str | None:
    """The content a caller names: by the number of its revision, or by its hash."""
    word = str(told).strip().lower()
    if word.isdigit() and len(word) < 10:
        if int(word) != mail["revision"]:
            raise _stale(mail)
        found: str | None = mail["content"]
        return found
    if len(word) != 64 or set(word) - set("0123456789abcdef"):
        raise invalid("revision", "must be a revision number or a content_sha256")
    return word


def _stale(mail: Row, why: str = "") -> Refusal:
    return Refusal(
        "stale_revision", why, hint="List what waits or read the mail, then decide; or name its content_sha256.", id=mail["id"],
        revision=mail["revision"], content_sha256=mail["content"],
    )  # fmt: skip


async def _decided(
    office: Office, call: Call, mail: Row, reply: CommandReply, action: str, edit: drafts.Written | None, wait_s: float
) -> dict[str, Any]:  # fmt: skip
    """DecideReply; it says `sent` only when the delivery was recorded."""
    state = reply.state or mail["state"]
    after_ = (
        await _settled(office, call, mail["id"], wait_s)
        if action == "approve" and state in {"released", "sending", "delivered"}
        else mail
    )
    sent = has_left(after_)
    status = "rejected" if action == "reject" else "approved_and_sent" if sent else "approved"
    body: dict[str, Any] = {
        "id": mail["id"], "status": status, "decision": action, "revision": reply.revision or mail["revision"],
        "content_sha256": reply.content_sha256 or mail["content"],
        "decided_by": reply.decided_by or call.caller.principal_id, "decided_at": iso(reply.decided_at),
        "thread_id": mail["external_id"] or mail["thread_id"], "mailbox_id": mail["mailbox_id"],
        "original_message_id": mail["answers"] or mail["id"], "rfc_message_id": email_view(after_, office.eyes(call))["rfc_message_id"],
        "postmark_message_id": None, "state": state, "idempotent": reply.already, "revised": edit is not None,
        "approvals_left": 1 if action == "approve" and state == "held" else 0,
    }  # fmt: skip
    if action == "reject":
        final = state != "revising"
        body |= {"final": final, "revisable": not final, "reason": call.fields.text("note", most=10_000)}
    if reply.extra.get("receipt"):
        body["receipt"] = reply.extra["receipt"]
    if edit is not None:
        body["diff"] = diff_of(mail["markdown"] or "", edit.markdown)
        body["word_diff"] = word_diff(mail["markdown"] or "", edit.markdown)
    if mail["direction"] == "inbound":
        body["email_status"] = status_of(await office.mail(call, mail["id"]), office.eyes(call).now)
    return named(body, DECIDED)


async def _settled(office: Office, call: Call, message_id: str, wait_s: float) -> Row:
    """The mail once its delivery ended, or as it stands when the patience of a caller does."""
    until = time.monotonic() + wait_s
    pause = 0.02
    while True:
        row = await office.store.fetchrow("state", call.caller.tenant_id, message_id)
        if row is None or row["state"] not in {"released", "sending"} or time.monotonic() >= until:
            return await office.mail(call, message_id)
        await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 1.6, 0.3)


# -- cancel, resolve -----------------------------------------------------------------------------------------------


async def cancel_message(office: Office, call: Call) -> Reply:
    """Withdraw it. Own drafts only, for who is no person; a repeat says the same."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["direction"] == "inbound":
        raise Refusal("not_cancellable", "Mail that came in cannot be cancelled.", id=mail["id"])
    if not call.caller.is_person and mail["author"] != call.caller.principal_id:
        raise Refusal("not_found", "There is no such mail of yours.")
    if mail["state"] != "cancelled":
        await office.demand(Cancel(**office.command_fields(call), message_id=mail["id"]))
    return Reply(
        named({"id": mail["id"], "status": "cancelled", "thread_id": mail["external_id"] or mail["thread_id"]}, DECIDED)
    )


async def resolve(office: Office, call: Call) -> Reply:
    """A person says what became of an uncertain mail: each uncertain recipient, or the one named."""
    mail = await office.mail(call, call.fields.must("message_id"))
    outcome = call.fields.must("outcome")
    if outcome not in {"delivered", "not_delivered"}:
        raise invalid("outcome", "must be delivered or not_delivered")
    note = call.fields.must("note", most=10_000)
    recipient = (call.fields.text("recipient") or "").strip().lower()
    uncertain = [
        d["id"] for d in mail["deliveries"] or () if d["state"] == "uncertain" and recipient in ("", d["recipient"])
    ]
    if not uncertain:
        raise Refusal("already_decided", "No recipient of this mail is uncertain.", id=mail["id"], state=mail["state"])
    for delivery_id in uncertain:
        word: Literal["delivered", "not_delivered"] = "delivered" if outcome == "delivered" else "not_delivered"
        await office.demand(
            Resolve(
                **office.command_fields(call), message_id=mail["id"], outcome=word, note=note, delivery_id=delivery_id
            )
        )
    return Reply(email_view(await office.mail(call, mail["id"]), office.eyes(call)))
