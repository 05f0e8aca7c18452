"""Looking at mail: lists, one mail, threads, attachments, tags, and why a mail stands where it does."""

from __future__ import annotations

import json
import re
from typing import Any

from gatepost_api.aliases import PAGE, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.gatherings import history_of, thread_view
from gatepost_api.looking import look
from gatepost_api.moments import after, cursor_for, iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import DIRECTIONS, WORDS, Filter, Row, filter_of
from gatepost_api.views import email_view
from gatepost_runtime.spans import trace_id_of

THREAD_MOST = 500
SEARCH_MOST = 1000
# what a judgement went by: of no use to an agent but to write around it
_FOR_PEOPLE = frozenset({"facts", "spam_score", "score", "scores", "symbols", "rule_revision", "evidence", "grant"})
_MESSAGE_ID = re.compile(r"^msg_[0-9A-Z]{26}$")


async def check_inbox(office: Office, call: Call) -> Reply:
    """One page of mails, newest first."""
    return await list_mails(office, call, None)


async def list_spam(office: Office, call: Call) -> Reply:
    """The same over all mailboxes; bare, it is the spam bucket."""
    bucket = None if call.fields.all("status") or call.fields.all("direction") else WORDS["spam_quarantined"]
    return await list_mails(office, call, bucket)


async def list_mails(office: Office, call: Call, chosen: Filter | None) -> Reply:
    """A page of the mails that the request, or `chosen`, names."""
    fields = call.fields
    direction = fields.text("direction")
    status = fields.text("status")
    if direction and direction.lower() not in DIRECTIONS:
        status, direction = direction, None
    wanted = chosen or filter_of(status)
    mailboxes = await office.scope(call)
    limit = fields.number("limit", 20, 1, 100)
    thread = fields.text("thread_id", most=200)
    thread_id = None if thread is None else (await thread_named(office, call, thread))["id"]
    metadata = fields.named("metadata.") or fields.mapping("metadata")
    person = call.caller.is_person
    words = fields.text("q", most=400)
    hits = None if words is None else await _search(office, call, mailboxes, words)
    rows = await office.store.fetch(
        "list_ids", call.caller.tenant_id, mailboxes, after(fields.text("cursor")), fields.text("since_id"),
        None if wanted.states is None else list(wanted.states), wanted.read, wanted.gated, wanted.scheduled,
        wanted.decided, direction.lower() if direction else None, fields.text("sender"), fields.text("subject_contains"),
        hits, fields.moment("date_after"), fields.moment("date_before"), fields.flag("has_attachments"),
        fields.text("tag"), metadata or None, thread_id, person, person or wanted.aside, wanted.archived,
        limit, 0 if fields.all("cursor") else fields.number("offset", 0, 0, 1_000_000), wanted.spam,
    )  # fmt: skip
    ids = [row["id"] for row in rows]
    mails = await office.mails(call, ids)
    eyes = office.eyes(call)
    emails = [email_view(mails[i], eyes, detail=False) for i in ids if i in mails]
    page = {
        "emails": emails,
        "messages": emails,
        "count": len(emails),
        "cursor": cursor_for(ids, limit, ids[-1] if ids else None),
    }
    return Reply(named(page, PAGE))


async def _search(office: Office, call: Call, mailboxes: list[str] | None, words: str) -> list[str]:
    """The newest mails whose subject or text holds the words, as a search engine takes them: "a phrase", or, -not."""
    rows = await office.store.fetch("search", call.caller.tenant_id, mailboxes, words, SEARCH_MOST)
    return [row["id"] for row in rows]


async def read_email(office: Office, call: Call) -> Reply:
    """One mail with its text. An agent's key marks it read; a person's, HEAD and `mark_read=false` do not."""
    message_id = call.fields.must("message_id")
    caller = call.caller
    mail = await office.mail(call, message_id)
    if caller.is_reviewer:

        async def again() -> list[Row]:
            nonlocal mail
            mail = await office.mail(call, message_id)
            return [mail]

        await look(office, call, [mail["mailbox_id"]], again)
    marks = not caller.is_person and not call.is_head and call.fields.flag("mark_read") is not False
    if marks and mail["direction"] == "inbound" and mail["state"] == "received" and mail["read_at"] is None:
        await office.store.execute("mark_read", caller.tenant_id, message_id)
    view = email_view(mail, office.eyes(call))
    view["attempts"] = await attempts_of(office, call, message_id) if mail["release"] else []
    return Reply(view)


async def attempts_of(office: Office, call: Call, message_id: str) -> list[dict[str, Any]]:
    """Every try of a mail on the wire."""
    rows = await office.store.fetch("attempts", call.caller.tenant_id, [message_id])
    return [
        {"delivery_id": a["delivery_id"], "recipient": a["recipient"], "n": a["n"], "at": iso(a["at"]), "stage": a["stage"],
         "code": a["code"], "enhanced": a["enhanced"], "reply": a["reply"], "outcome": a["outcome"], "unknown": a["unknown"]}
        for a in rows
    ]  # fmt: skip


async def get_thread(office: Office, call: Call) -> Reply:
    """A whole conversation."""
    thread = await thread_named(office, call, call.fields.must("thread_id", most=200))
    box = await office.mailbox(call)
    if box is not None and box["id"] != thread["mailbox_id"]:
        raise Refusal("not_found", "There is no such thread in this mailbox.")
    tenant = call.caller.tenant_id
    rows = await office.store.fetch("thread_ids", tenant, thread["id"], call.caller.is_person, THREAD_MOST)
    mails = await office.mails(call, [row["id"] for row in rows])
    eyes = office.eyes(call)
    view = thread_view(thread, [mails[key] for key in sorted(mails)], eyes)
    if "history" in eyes.include:
        revisions = await office.store.fetch("thread_history", tenant, thread["id"])
        decisions = await office.store.fetch("thread_decisions", tenant, thread["id"])
        view["history"] = history_of(revisions, decisions)
    return Reply(view)


async def thread_named(office: Office, call: Call, name: str) -> Row:
    """A thread that the caller may see, by our id or their own."""
    row = await office.store.fetchrow("thread", call.caller.tenant_id, name)
    if row is None or not call.caller.sees(row["mailbox_id"]):
        raise Refusal("not_found", "There is no such thread.")
    found: Row = row
    return found


# -- tags ----------------------------------------------------------------------------------------------------------


async def get_tags(office: Office, call: Call) -> Reply:
    """The tags of a mail."""
    mail = await office.mail(call, call.fields.must("message_id"))
    return Reply(_tags(mail["id"], mail["tags"]))


async def set_tags(office: Office, call: Call) -> Reply:
    """Add tags; `mode=replace` replaces all of them."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if call.fields.raw("tags") is None:
        raise invalid("tags", "is missing")
    replace = call.fields.text("mode") == "replace"
    by_person = call.caller.kind == "person"
    given = call.fields.tags()
    tags = await office.store.fetchval("set_tags", call.caller.tenant_id, mail["id"], given, replace, by_person)
    return Reply(_tags(mail["id"], tags))


async def tag_email(office: Office, call: Call) -> Reply:
    """The older spelling: `action` set, get or delete; without it, set."""
    match call.fields.text("action") or "set":
        case "get":
            return await get_tags(office, call)
        case "delete":
            return await delete_tag(office, call)
        case _:
            return await set_tags(office, call)


async def delete_tag(office: Office, call: Call) -> Reply:
    """Take one tag off."""
    mail = await office.mail(call, call.fields.must("message_id"))
    key = call.fields.must("key")
    tags = await office.store.fetchval("delete_tag", call.caller.tenant_id, mail["id"], key)
    return Reply({**_tags(mail["id"], tags), "deleted": True, "status": "deleted"})


def _tags(message_id: str, tags: dict[str, str] | None) -> dict[str, Any]:
    held = dict(tags or {})
    listed = [key if value == "true" else f"{key}={value}" for key, value in held.items()]
    return {"id": message_id, "email_id": message_id, "message_id": message_id, "tags": held, "tag_list": listed}


# -- why -----------------------------------------------------------------------------------------------------------


async def why(office: Office, call: Call) -> Reply:
    """The audit records of a mail as a chain: what moved it, who, on which grounds."""
    mail = await office.mail(call, call.fields.must("message_id"))
    chain = await chain_of(office, call, mail["id"])
    told = [dict(row) for row in await office.store.fetch("webhooks_of", call.caller.tenant_id, mail["id"])]
    return Reply(
        {
            "id": mail["id"],
            "message_id": mail["id"],
            "thread_id": mail["external_id"] or mail["thread_id"],
            "trace_id": f"{trace_id_of(mail['thread_id']):032x}",
            "chain": chain,
            "webhooks": told,
            "webhooks_note": "" if told else "No subscription matched the events of this mail.",
        }
    )


async def chain_of(office: Office, call: Call, message_id: str) -> list[dict[str, Any]]:
    """The audit records of a mail, in order."""
    rows = await office.store.fetch("why", call.caller.tenant_id, message_id)
    hidden = _FOR_PEOPLE if call.caller.kind == "agent" else frozenset()
    return [_link(json.loads(row["record"]), hidden) for row in rows]


def _link(record: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    kept = (
        "seq",
        "at",
        "row",
        "event",
        "from",
        "to",
        "role",
        "principal",
        "actor",
        "door",
        "mode",
        "content",
        "delivery",
        "emits",
        "data",
    )
    link = {name: record.get(name) for name in kept}
    return {**link, "data": {name: value for name, value in (link["data"] or {}).items() if name not in hidden}}


def is_message_id(word: str) -> bool:
    """Does it look like an id of a mail?"""
    return bool(_MESSAGE_ID.match(word))
