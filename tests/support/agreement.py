"""One row, many random worlds: what the generated SQL does, and what the services' evaluator says of the same worlds.

Everything runs in one transaction that is rolled back, so each row sees the same worlds.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from gatepost_oversight.evaluate import step
from gatepost_oversight.expr import Values, evaluate
from gatepost_oversight.move import Move, On
from support import world_facts
from support.worlds import FUTURE, HASHES, KEYS, MODES, NOW, PAST, PEOPLE, RandomWorld, Row

ENDS = "when waiting ends if it began now"
TABLE_COLUMN = {"st": "state"}
NOT_COMPARED = frozenset(("evidence",))  # JSON on one side, a value on the other


@dataclass(frozen=True)
class Asked:
    """One command in one world, and what Python says of it."""

    world: RandomWorld
    command: Row
    failed: tuple[str, ...]
    changes: Row
    delivery: Row | None = None
    of_account: bool = False

    @property
    def carrier(self) -> str:
        """Whose record a world row makes."""
        return self.world.tenant if self.of_account else self.world.box


def ask(row: Move, world: RandomWorld, ord_: int, generator: random.Random) -> Asked | None:
    """A random command for this row; None where the world has nothing for it to speak of."""
    one = generator.choice
    delivery = one(world.deliveries) if row.on is On.DELIVERY and world.deliveries else None
    if row.on is On.DELIVERY and delivery is None:
        return None
    role = one(sorted(row.roles)) if generator.random() < 0.8 else one(("agent", "reviewer", "operator", "system"))
    principal = None if role == "system" else one((*PEOPLE, PEOPLE[1]))
    told: Row = {
        "version": one((world.message["version"], world.message["version"], None, 9)), "revision": one((1, 2, 3, None)),
        "seen_hash": one((world.message["content"], world.message["content"], *HASHES, None)),
        "seen_head": one((world.head, world.head, None, "msg_old")), "verdict": one(("release", "hold", "refuse", None)),
        "mode_grant_id": one((None, None, *(g["id"] for g in world.grants))), "has_note": one((True, False, None)),
        "final": one((True, False, None)), "reason": one((None, "", "why")), "reasons": ["r"], "expires_at": one((None, FUTURE)),
        "due_at": FUTURE, "grant_token": "g", "grant_ok": one((True, True, False, None)), "owner": one(("s1", "s2", None)),
        "lease_until": one((FUTURE, PAST)), "proven": one((True, False, None)), "kind": one(("draft", "edit", "failed")),
        "n": one((len(world.revisions) + 1, 1)), "mode": one(MODES), "ceiling": one((None, None, *MODES)), "on": one((True, False)),
        "covers_ask": one((True, False, None)), "rule_category": one((None, "refunds")), "rule_revision": one((None, 1)),
    }  # fmt: skip
    of_account = row.on is On.WORLD and world_facts.is_of_account(row, generator)
    if row.on is On.WORLD:
        told |= world_facts.arguments(row, world, generator)
    key = f"{KEYS[0]}_{world.n}" if principal else "gatekeeper"
    command: Row = {
        **told, "ord": ord_, "message_id": world.mail, "delivery_id": delivery and delivery["id"],
        "mailbox_id": "mbx_system" if of_account else world.box,
        "tenant_id": world.tenant, "actor": key, "principal": principal, "role": role, "door": "rest", "at": NOW.isoformat(),
        "now": NOW, "data": "{}", "policy": "p",
    }  # fmt: skip
    if row.on is On.REVISION:
        rev = {"kind": told["kind"], "content_sha256": "h9", "author": principal or "prn_agent", "author_kind": "agent"}
        command |= {"rev": rev, "files": [], "base": 0}
    known = _variables(row, world, told, delivery, of_account=of_account)
    arguments = told | {"actor_key": key if principal else None, "now": NOW}
    done = step(row, known, arguments, role, principal)
    return Asked(
        world,
        command,
        done.failed,
        _with_then(row, world, done.changes, known, arguments, principal, role, delivery),
        delivery,
        of_account,
    )


def _variables(row: Move, world: RandomWorld, told: Row, delivery: Row | None, *, of_account: bool) -> Row:
    if row.on is On.WORLD:
        return world_facts.facts(row, world, told, of_account=of_account)
    takes = any(
        name == "mode_grant_id" for name, _ in row.set
    )  # only such a row reads the grant that the command names
    known = world.variables(
        revision=told["revision"], delivery=delivery, grant=told["mode_grant_id"] if takes else None
    )
    adopts = any(name == "recipients" for name, _ in row.set)
    known["unfinished"] = world.unfinished(known["rev_recipients"] if adopts else world.recipients)
    return known | {"ends": ENDS}


def _with_then(
    row: Move, world: RandomWorld, changes: Any, known: Row, arguments: Row, principal: str | None, role: str, delivery: Row | None
) -> Row:  # fmt: skip
    """The row's own settings, and for a delivery's row what its mail becomes."""
    changed = dict(changes)
    if row.on is On.DELIVERY and delivery is not None and changed:
        state = world.derived({**delivery, "state": changed["st_delivery"]})
        changed["st"] = state
        values: Values[Any] = Values(known, arguments, role, principal)
        for when, settings in row.then:
            if when == state:
                changed |= {f"mail.{name}": evaluate(value, values) for name, value in settings}
    return changed


class Database:
    """One service's connection, and the statements that ask its function."""

    def __init__(self, connection: asyncpg.Connection, service: str) -> None:
        self.connection, self.service = connection, service

    async def compare(self, row: Move, asked: Sequence[Asked]) -> list[str]:
        """Run all of them; what differs, in words."""
        transaction = self.connection.transaction()
        await transaction.start()
        try:
            return await self._compare(row, asked)
        finally:
            await transaction.rollback()

    async def _compare(self, row: Move, asked: Sequence[Asked]) -> list[str]:
        ids = [a.world.mail for a in asked] if row.on is not On.WORLD else []
        carriers = [a.carrier for a in asked] if row.on is On.WORLD else []
        dids = [a.delivery["id"] for a in asked if a.delivery is not None]
        commands = json.dumps({row.id: [a.command for a in asked]}, default=lambda v: v.isoformat())
        answers = {
            r["ord"]: r for r in await self.connection.fetch(
                f"SELECT * FROM step_{self.service}($1::text[], $2::text[], $3::text[], '{{}}', '{{}}', $4::jsonb, '{{}}')",
                sorted(ids), dids, carriers, commands,
            )
        }  # fmt: skip
        moment = await self.connection.fetchval("SELECT now()")
        mails = await self._rows("message", "id", [a.world.mail for a in asked])
        deliveries = await self.connection.fetch(
            "SELECT * FROM delivery WHERE message_id = ANY($1)", [a.world.mail for a in asked]
        )
        by_mail: dict[str, list[Any]] = {}
        for d in deliveries:
            by_mail.setdefault(d["message_id"], []).append(d)
        boxes = await self._rows("mailbox", "id", [a.world.box for a in asked])
        boxes |= await self._rows("tenant", "id", [a.world.tenant for a in asked])
        found = []
        for n, a in enumerate(asked):
            answer = answers.get(n)
            if answer is None:
                found.append(f"{row.id}: no answer for {a.world.mail}")
                continue
            if tuple(answer["failed"]) != a.failed:
                found.append(f"{row.id} {a.world.mail}: SQL says {list(answer['failed'])}, Python {list(a.failed)}")
                continue
            if a.failed:
                continue
            ends = moment + timedelta(seconds=a.world.mailbox["expires_after_s"])
            target = boxes[a.carrier] if row.on is On.WORLD else mails[a.world.mail]
            wrong = _differences(row, a, target, by_mail.get(a.world.mail, []), ends)
            if row.on is On.WORLD:
                wrong += await self._of_world(row, a, answer["record"])
            found += [f"{row.id} {a.world.mail}: {text}" for text in wrong]
        return found

    async def _of_world(self, row: Move, a: Asked, record: str) -> list[str]:
        """Its record is of the right account and subject, and what it does beside its carrier is done."""
        said = json.loads(record)
        whose = (said["tenant"], said["message"], said["mailbox"])
        found = [] if whose == (a.world.tenant, a.carrier, a.command["mailbox_id"]) else [f"the record is of {whose}"]
        if row.does:
            command = json.dumps(a.command, default=lambda v: v.isoformat())
            done = await self.connection.fetchval(
                world_facts.EFFECT[row.does].replace("$1", "$1::jsonb"),
                command,
                a.world.tenant,
                a.command["mailbox_id"],
            )
            found += [] if done is True else [f"{row.does} is not done"]
        return found

    async def _rows(self, table: str, key: str, ids: Sequence[str]) -> dict[str, Any]:
        return {r[key]: r for r in await self.connection.fetch(f"SELECT * FROM {table} WHERE {key} = ANY($1)", ids)}


def _differences(row: Move, a: Asked, target: Any, deliveries: Sequence[Any], ends: Any) -> list[str]:
    found = []
    mine = next((d for d in deliveries if a.delivery is not None and d["id"] == a.delivery["id"]), None)
    for name, value in a.changes.items():
        if name in NOT_COMPARED:
            continue
        wanted = ends if value == ENDS else value
        if name == "st_delivery":
            have = mine["state"] if mine is not None else None
        elif name.startswith("mail."):
            have = target[name.removeprefix("mail.")]
        elif row.on is On.DELIVERY and name != "st":
            have = mine[name] if mine is not None else None
        else:
            have = target[TABLE_COLUMN.get(name, name)]
        if have != wanted:
            found.append(f"{name} is {have!r}, not {wanted!r}")
    before = a.world.mailbox.get("version", 0) if row.on is On.WORLD else a.world.message["version"]
    if target["version"] != before + 1 or target["last_row"] != row.id:
        found.append(f"version {target['version']} by {target['last_row']}")
    return found + _delivered(row, a, deliveries)


def _delivered(row: Move, a: Asked, deliveries: Sequence[Any]) -> list[str]:
    """Deliveries made at release, and taken back."""
    before = {d["id"]: d for d in a.world.deliveries}
    made = [d for d in deliveries if d["id"] not in before]
    found = []
    if row.releases:
        done = {d["recipient"] for d in a.world.deliveries if d["state"] in {"delivered", "bounced", "refused"}}
        recipients = a.changes.get("recipients", a.world.recipients)
        wanted = sorted(r for r in recipients if r not in done)
        release = a.changes["release"]
        if sorted(d["recipient"] for d in made) != wanted or any(
            d["of_release"] != release or d["state"] != "released" for d in made
        ):
            found.append(f"deliveries for {sorted(d['recipient'] for d in made)}, not {wanted}")
    elif made:
        found.append("it made deliveries")
    if row.on is not On.DELIVERY:
        for d in deliveries:
            was = before.get(d["id"])
            if was is not None:
                goes = row.takes_back is not None and was["state"] in {"released", "deferred"}
                wanted_state = str(row.takes_back) if goes else was["state"]
                if d["state"] != wanted_state:
                    found.append(f"delivery {d['id']} is {d['state']}, not {wanted_state}")
    return found
