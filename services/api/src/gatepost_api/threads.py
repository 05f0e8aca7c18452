"""Threads that a person puts right. The gatekeeper does it and records it; nothing is decided here."""

from __future__ import annotations

from gatepost_api.errors import Refusal, invalid
from gatepost_api.office import Call, Office, Reply
from gatepost_api.reading import thread_named
from gatepost_contracts.commands import CommandReply, MoveMails

SPLIT_MOST = 500


async def merge_threads(office: Office, call: Call) -> Reply:
    """Put the mails of this thread into another of the same mailbox."""
    thread = await thread_named(office, call, call.fields.must("thread_id", most=200))
    into = await thread_named(office, call, call.fields.must("into", most=200))
    command = MoveMails(**office.command_fields(call), kind="merge", thread_id=thread["id"], into=into["id"])
    return _told(await office.demand(command), into["id"])


async def split_thread(office: Office, call: Call) -> Reply:
    """Put some mails of this thread into a new one."""
    thread = await thread_named(office, call, call.fields.must("thread_id", most=200))
    ids = tuple(dict.fromkeys(call.fields.words("message_ids")))
    if not ids or len(ids) > SPLIT_MOST:
        raise invalid("message_ids", f"names the mails to move, at most {SPLIT_MOST}")
    mails = await office.mails(call, list(ids))
    if any(i not in mails or mails[i]["thread_id"] != thread["id"] for i in ids):
        raise Refusal("not_found", "One of these mails is not on this thread.")
    reply = await office.demand(
        MoveMails(**office.command_fields(call), kind="split", thread_id=thread["id"], message_ids=ids)
    )
    return _told(reply, str(reply.extra.get("thread_id") or ""))


async def undo_thread_move(office: Office, call: Call) -> Reply:
    """Bring the mails of a merge or a split back to where they were."""
    move_id = call.fields.must("move_id", most=60)
    reply = await office.demand(MoveMails(**office.command_fields(call), kind="undo", move_id=move_id))
    return _told(reply, str(reply.extra.get("thread_id") or ""))


def _told(reply: CommandReply, thread_id: str) -> Reply:
    return Reply(
        {
            "move_id": reply.id,
            "id": reply.id,
            "status": "moved",
            "thread_id": thread_id,
            "from_thread_id": reply.extra.get("merged_from"),
            "already": reply.already,
        }
    )
