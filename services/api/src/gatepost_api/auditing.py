"""The log as callers see it: a page of it, how far it is signed, one file of it, and the place of one record."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from gatepost_api.aliases import PAGE, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import after, cursor_for, iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_oversight.lifecycle import BY_ID
from gatepost_store.audit.export import NothingSigned, selection
from gatepost_store.audit.proofs import Proofs, Q, newest_checkpoint, receipt, spelled
from gatepost_store.audit.scope import Scope

SUBJECTS_MOST = 20_000
# the command that a caller would name for what a row of the table did; other rows go by their event's name
ACTIONS: dict[str, tuple[str, ...]] = {
    "send_email": ("T05", "R1"),
    "decide_email": ("T03", "T04", "T11", "T12", "T13", "T14", "T15a", "T15b", "T17", "T18"),
    "cancel_message": ("T20",),
    "resolve": ("T32", "T33"),
    "update_mailbox": ("W1", "W2", "W3"),
    "create_pause": ("W4",),
    "delete_pause": ("W5",),
    "add_suppression": ("W6", "W6u", "W6c"),
    "remove_suppression": ("W7",),
}
_RESOURCES = {"msg_": "email", "ten_": "account"}
_ACTION_OF = {row: action for action, rows in ACTIONS.items() for row in rows}


def action_of(row_id: str) -> str:
    """The word for what a row did."""
    return _ACTION_OF.get(row_id) or (BY_ID[row_id].event if row_id in BY_ID else row_id)


def rows_of(action: str) -> list[str]:
    """The rows that a word stands for."""
    return list(ACTIONS.get(action, ())) or [row for row, move in BY_ID.items() if move.event == action]


async def get_audit_log(office: Office, call: Call) -> Reply:
    """A page of the account's records, newest first."""
    fields, limit = call.fields, call.fields.number("limit", 50, 1, 100)
    at, subject, seq = _place(after(fields.text("cursor")))
    action = fields.text("action")
    rows = await office.store.fetch(
        "audit_page", call.caller.tenant_id, fields.text("resource_id"), rows_of(action) if action else None, at, subject,
        seq, list(call.caller.mailbox_ids) or None, limit,
    )  # fmt: skip
    last = f"{rows[-1]['at'].isoformat()}|{rows[-1]['subject_id']}|{rows[-1]['seq']}" if rows else None
    return Reply(named({"entries": [_entry(row) for row in rows], "cursor": cursor_for(rows, limit, last)}, PAGE))


def _entry(row: Row) -> dict[str, Any]:
    record = json.loads(row["record"])
    actor = record["actor"] or ""
    return {
        "id": f"{row['subject_id']}.{row['seq']}", "action": action_of(row["row_id"]),
        "resource_type": _RESOURCES.get(row["subject_id"][:4], "mailbox"), "resource_id": row["subject_id"],
        "actor_key_id": actor if actor.startswith("key_") else None, "actor": actor, "principal": record["principal"],
        "role": record["role"], "door": record["door"], "row": row["row_id"], "from": record["from"],
        "to": record["to"], "metadata": record["data"], "created_at": iso(row["at"]), "seq": row["seq"],
        "leaf_hash": bytes(row["leaf"]).hex(), "index": row["idx"], "policy": record["policy"],
    }  # fmt: skip


def _place(cursor: str | None) -> tuple[datetime | None, str | None, int | None]:
    if cursor is None:
        return None, None, None
    try:
        at, subject, seq = cursor.split("|")
        return datetime.fromisoformat(at), subject, int(seq)
    except ValueError:
        raise invalid("cursor", "is none of ours") from None


async def get_audit_checkpoint(office: Office, call: Call) -> Reply:
    """The newest signed checkpoint; with `since`, the proof that it goes on from one of that size."""
    reader = office.store.reading
    checkpoint, tree = await newest_checkpoint(reader), await reader.fetchrow(Q["tree"])
    if checkpoint is None or tree is None:
        raise Refusal("unavailable", "Nothing is signed yet.")
    body: dict[str, Any] = {
        "origin": tree["origin"], "key": tree["vkey"], "size": checkpoint.size, "root": checkpoint.root.hex(),
        "checkpoint": checkpoint.note,
    }  # fmt: skip
    if call.fields.all("since"):
        since = call.fields.number("since", 0, 0, 2**62)
        if since > checkpoint.size:
            raise invalid("since", f"is beyond the newest checkpoint, which is of {checkpoint.size}")
        proof = await Proofs(reader).consistency(since, checkpoint.size)
        body |= {"since": since, "consistency": spelled(proof)}
    return Reply(body)


async def export_audit_log(office: Office, call: Call) -> Reply:
    """One file with whole mails, verifiable without us: by customer, thread, agent, tag, metadata, time.

    `contents` adds what the records name by digest: texts, raw mails, files.
    """
    fields, caller = call.fields, call.caller
    scope = Scope(
        tenant_id=caller.tenant_id, customer=fields.text("customer"), thread=fields.text("thread_id", most=200),
        agent=fields.text("agent"), tag=fields.text("tag"), metadata=fields.named("metadata."),
        since=fields.moment("since"), until=fields.moment("until"), mailbox_ids=tuple(sorted(caller.mailbox_ids)),
    )  # fmt: skip
    subjects = await scope.subjects(office.store.reading)
    if len(subjects) > SUBJECTS_MOST:
        raise Refusal(
            "too_large", f"{len(subjects)} mails are too many for one file.",
            hint="Narrow it with since and until, or use `gatepost audit export` on the machine.",
        )  # fmt: skip
    with_contents = bool(fields.flag("contents"))
    if with_contents and not caller.is_person:
        raise Refusal("scope_missing", "Contents are handed to people only.", hint="Use an operator's key.")
    kept = [int(word) for word in fields.words("kept") if word.isdecimal()]
    try:
        lines = [
            line
            async for line in selection(
                office.store.reading, subjects, scope.said(), since=kept, with_contents=with_contents
            )
        ]
    except NothingSigned:
        raise Refusal("unavailable", "Nothing is signed yet.") from None
    return Reply(
        ("\n".join(lines) + "\n").encode(), content_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="gatepost-audit.jsonl"'},
    )  # fmt: skip


async def get_audit_receipt(office: Office, call: Call) -> Reply:
    """A record of a mail with its place in the signed log; without `seq`, the newest one."""
    mail = await office.mail(call, call.fields.must("message_id"))
    seq = call.fields.number("seq", mail["version"], 1, 2**31 - 1)
    found = await receipt(office.store.reading, mail["id"], seq)
    if found is None:
        raise Refusal("in_flight", "This record has no signed place yet.", hint="Repeat it in some seconds.")
    return Reply(found)
