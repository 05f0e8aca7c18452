"""Dead letters at the door: what could not be handled, and what an operator does about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from gatepost_api.errors import Refusal
from gatepost_api.office import Call, Office, Reply
from gatepost_runtime.dead import BROKER_FORGETS_S, DeadLetter

_LOOKED_AT_MOST = 5_000


async def list_dead_letters(office: Office, call: Call) -> Reply:
    """Those of the account, oldest first."""
    limit, since = call.fields.number("limit", 50, 1, 200), call.fields.number("cursor", 1, 1, 2**53)
    found: list[DeadLetter] = []
    async for letter in office.dead().all(since=since, most=_LOOKED_AT_MOST):
        if letter.tenant_id == call.caller.tenant_id:
            found.append(letter)
            if len(found) == limit:
                break
    cursor = str(found[-1].seq + 1) if len(found) == limit else None
    return Reply({"dead_letters": [letter.view() for letter in found], "cursor": cursor})


async def _one(office: Office, call: Call) -> DeadLetter:
    seq = call.fields.must("seq", most=16)
    if not (seq.isascii() and seq.isdigit()) or int(seq) == 0:
        raise Refusal("not_found", "There is no such dead letter.")
    letter = await office.dead().get(int(seq))
    if letter is None or letter.tenant_id != call.caller.tenant_id:
        raise Refusal("not_found", "There is no such dead letter.")
    return letter


async def get_dead_letter(office: Office, call: Call) -> Reply:
    """One of them, with its event."""
    return Reply((await _one(office, call)).view())


async def redrive_dead_letter(office: Office, call: Call) -> Reply:
    """Handle it again: its event is published once more from the audit record, and the letter is dropped."""
    letter = await _one(office, call)
    not_before = datetime.fromisoformat(letter.at) + timedelta(seconds=BROKER_FORGETS_S)
    ids = [letter.event_id] if letter.event_id else []
    put = await office.store.republish(ids, not_before=not_before, tenant_id=call.caller.tenant_id)
    if not put and not await office.store.fetchval("in_outbox", letter.event_id):
        raise Refusal("not_redrivable")
    await office.dead().drop(letter.seq)
    return Reply(
        {"seq": letter.seq, "event_id": letter.event_id, "status": "redriven", "not_before": not_before.isoformat()}
    )


async def drop_dead_letter(office: Office, call: Call) -> Reply:
    """Forget it."""
    letter = await _one(office, call)
    await office.dead().drop(letter.seq)
    return Reply({"seq": letter.seq, "status": "deleted", "deleted": True})
