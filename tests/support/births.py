"""Rows that make a mail, asked in random worlds: what Python says of them, and whether the database makes just that."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from gatepost_oversight.evaluate import step
from gatepost_oversight.move import Move
from support.agreement import ENDS, Asked
from support.worlds import FUTURE, NOW, PEOPLE, RandomWorld, Row

SYSTEM_EXPIRES_S = 604_800  # the system mailbox's, which every world shares
OVERSEER = "boss@x.org"


def ask(row: Move, world: RandomWorld, ord_: int, generator: random.Random) -> Asked:
    """A random command that would make a mail."""
    one = generator.choice
    box = one(("mbx_system", "mbx_system", world.box)) if row.id == "T34" else world.box
    role = one(sorted(row.roles)) if generator.random() < 0.8 else one(("agent", "reviewer", "operator", "system"))
    principal, message = None if role == "system" else one(PEOPLE), f"{world.mail}n"
    expires = one((None, None, FUTURE))
    recipients = one(([OVERSEER], ["other@x.org"], [OVERSEER, "other@x.org"]))
    mail: Row = {
        "id": message,
        "tenant_id": world.tenant,
        "mailbox_id": box,
        "thread_id": f"{world.thread}n",
        "expires_at": expires,
    }
    mail |= (
        {"raw_sha256": f"r{world.n}", "size_bytes": 1}
        if row.services == ("ingest",)
        else {"author": "prn_agent", "author_kind": "agent"}
    )
    told: Row = {"fine": one((True, True, False, None)), "template": one(("demoted", "waiting", "free", None))}
    command: Row = {
        **told, "ord": ord_, "base": 0, "message_id": message, "mailbox_id": box, "tenant_id": world.tenant, "m": mail, "files": [],
        "thread": {"id": mail["thread_id"], "new": True}, "rev": _revision(recipients), "grant_token": "g", "due_at": FUTURE,
        "actor": "key_x" if principal else "gatekeeper", "principal": principal, "role": role, "door": "rest",
        "at": NOW.isoformat(), "now": NOW, "data": "{}", "policy": "p",
    }  # fmt: skip
    overseer = world.rows["tenant"][0]["oversight_email"]
    known: Row = {
        "mode": world.mailbox["mode"], "ceiling": world.mailbox["ceiling"], "mailbox": box, "ends": expires or ENDS,
        "to_oversight": overseer is not None and recipients == [overseer.lower()],
    }  # fmt: skip
    done = step(row, known, told, role, principal)
    return Asked(world, command, done.failed, dict(done.changes))


def _revision(recipients: list[str]) -> Row:
    return {"kind": "draft", "content_sha256": "h9", "content": "{}", "markdown": "m", "subject": "s", "recipients": recipients,
            "author": "prn_agent", "author_kind": "agent", "placeholder": False, "evidence": {}}  # fmt: skip


async def compare(connection: asyncpg.Connection, service: str, row: Move, asked: Sequence[Asked]) -> list[str]:
    """Run all of them and undo it; what differs, in words."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        return await _compare(connection, service, row, asked)
    finally:
        await transaction.rollback()


async def _compare(connection: asyncpg.Connection, service: str, row: Move, asked: Sequence[Asked]) -> list[str]:
    commands = json.dumps({row.id: [a.command for a in asked]}, default=lambda v: v.isoformat())
    threads = [a.command["m"]["thread_id"] for a in asked]
    answers = {r["ord"]: r for r in await connection.fetch(
        f"SELECT * FROM step_{service}('{{}}', '{{}}', '{{}}', $1::text[], '{{}}', $2::jsonb, $3::bytea[])",
        threads, commands, [b"raw"])}  # fmt: skip
    moment, found = await connection.fetchval("SELECT now()"), list[str]()
    for n, a in enumerate(asked):
        mail = await connection.fetchrow("SELECT * FROM message WHERE id = $1", a.command["message_id"])
        answer = answers.get(n)
        failed = tuple(answer["failed"]) if answer is not None else None
        if failed != a.failed or (mail is not None) != (a.failed == ()):
            found.append(
                f"{row.id} {a.world.mail}: SQL says {failed}, Python {list(a.failed)}, a mail: {mail is not None}"
            )
        elif mail is not None:
            found += [f"{row.id} {a.world.mail}: {text}" for text in await _made(connection, row, a, mail, moment)]
    return found


async def _made(connection: asyncpg.Connection, row: Move, a: Asked, mail: Any, moment: Any) -> list[str]:
    seconds = SYSTEM_EXPIRES_S if a.command["mailbox_id"] == "mbx_system" else a.world.mailbox["expires_after_s"]
    wanted = {
        ("state" if name == "st" else name): moment + timedelta(seconds=seconds) if value == ENDS else value
        for name, value in a.changes.items()
    } | {"version": 1, "last_row": row.id, "tenant_id": a.world.tenant, "mailbox_id": a.command["mailbox_id"]}  # fmt: skip
    wrong = [f"{name} is {mail[name]!r}, not {value!r}" for name, value in wanted.items() if mail[name] != value]
    deliveries = await connection.fetch("SELECT recipient FROM delivery WHERE message_id = $1", mail["id"])
    sent = sorted(d["recipient"] for d in deliveries)
    expected = sorted(a.command["rev"]["recipients"]) if row.releases else []
    return wrong + ([] if sent == expected else [f"deliveries for {sent}, not {expected}"])
