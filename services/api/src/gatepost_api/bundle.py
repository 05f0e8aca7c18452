"""One mail's whole file: what was asked, what was drafted, who decided, what left, and the proof of each step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from gatepost_api.gatherings import diff_of, history_of, thread_view
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.reading import THREAD_MOST, attempts_of, chain_of, thread_named
from gatepost_api.status import Row
from gatepost_api.views import email_view
from gatepost_store.audit.export import NothingSigned, selection

FORMAT = "gatepost-bundle/1"


async def get_bundle(office: Office, call: Call) -> Reply:
    """All of it as one JSON document. `audit.lines`, one a line, is a file that `gatepost audit verify` takes."""
    mail = await office.mail(call, call.fields.must("message_id"))
    tenant, eyes = call.caller.tenant_id, office.eyes(call)
    revisions = await office.store.fetch("revisions_of", tenant, mail["id"])
    decisions = await office.store.fetch("decisions_of", tenant, mail["id"])
    body = {
        "format": FORMAT, "made_at": iso(datetime.now(UTC)), "id": mail["id"], "message_id": mail["id"],
        "mail": email_view(mail, eyes), "thread": await _thread(office, call, mail),
        "revisions": _revisions(revisions), "decisions": [_decision(row) for row in decisions],
        "grant": await office.store.fetchval("grant_of", tenant, mail["id"]),
        "attempts": await attempts_of(office, call, mail["id"]), "chain": await chain_of(office, call, mail["id"]),
        "audit": await _proofs(office, mail),
    }  # fmt: skip
    headers = {"Content-Disposition": f'attachment; filename="{mail["id"]}.json"'}
    return Reply(orjson.dumps(body, option=orjson.OPT_INDENT_2), headers=headers, content_type="application/json")


async def _thread(office: Office, call: Call, mail: Row) -> dict[str, Any]:
    """The conversation as this caller sees it, with its history."""
    thread, tenant = await thread_named(office, call, mail["thread_id"]), call.caller.tenant_id
    rows = await office.store.fetch("thread_ids", tenant, thread["id"], call.caller.is_person, THREAD_MOST)
    mails = await office.mails(call, [row["id"] for row in rows])
    view = thread_view(thread, [mails[key] for key in sorted(mails)], office.eyes(call))
    drafted = await office.store.fetch("thread_history", tenant, thread["id"])
    view["history"] = history_of(drafted, await office.store.fetch("thread_decisions", tenant, thread["id"]))
    return view


def _revisions(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each text that was written, and what it changed of the one before."""
    texts = [None, *(row["markdown"] for row in rows)]
    return [
        {"revision": row["n"], "kind": row["kind"], "content_sha256": row["content_sha256"], "content": orjson.loads(row["content"]),
         "markdown": row["markdown"], "subject": row["subject"], "by": row["author"], "by_kind": row["author_kind"],
         "at": iso(row["created_at"]), "evidence": dict(row["evidence"] or {}), "diff": diff_of(before, row["markdown"])}
        for before, row in zip(texts, rows, strict=False)
    ]  # fmt: skip


def _decision(row: Row) -> dict[str, Any]:
    return {
        "seq": row["seq"], "decision": row["action"], "revision": row["revision"], "by": row["principal"], "key_id": row["key_id"],
        "door": row["door"], "note": row["note"], "reason_code": row["reason_code"], "at": iso(row["at"]),
    }  # fmt: skip


async def _proofs(office: Office, mail: Row) -> dict[str, Any]:
    """The mail's records with their places in the signed log; the newest may not have theirs yet."""
    try:
        lines = [line async for line in selection(office.store.reading, [mail["id"]], {"message": mail["id"]})]
    except NothingSigned:
        return {"signed": 0, "of": mail["version"], "lines": []}
    signed = sum('"index":' in line[:12] for line in lines)
    return {"signed": signed, "of": mail["version"], "lines": lines}
