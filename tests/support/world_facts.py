"""What the world table's variables are in a random world, worked out apart from the SQL, and what its rows do there.

A row that concerns an account is asked of the account or of its mailbox; its effect is looked at as the fact that the
table says it changes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from gatepost_oversight.move import Move
from gatepost_oversight.world import OF_ACCOUNT
from support.worlds import ADDRESSES, FUTURE, MODES, PAST, RandomWorld, Row

LISTED = "*@x.org"


def furnish(world: RandomWorld) -> None:
    """What world rows speak of, beside what mails do: requests, holds, endpoints, a second thread, moves."""
    own = {"tenant_id": world.tenant}
    here = own | {"mailbox_id": world.box}
    world.add("thread", id=f"{world.thread}b", **here)
    for k in range(world.one(0, 1, 4)):
        world.add(
            "upgrade_request", id=f"upg_{world.n}_{k}", mode=world.one(*MODES), code_sha256="0", tries=world.one(0, 5, 6),
            expires_at=world.one(FUTURE, FUTURE, PAST), redeemed_at=world.one(None, None, PAST), created_at=world.one(PAST, FUTURE),
            pattern=world.one(None, None, LISTED), **here,
        )  # fmt: skip
    if world.maybe():
        world.add(
            "legal_hold",
            id=f"hld_{world.n}",
            scope="tenant",
            target=world.tenant,
            by="p",
            lifted_at=world.one(None, PAST),
            **own,
        )
    if world.maybe():
        world.add(
            "endpoint",
            id=f"whk_{world.n}",
            url="u",
            events=[],
            secret_sealed=b"",
            secret_hint="",
            is_active=world.maybe(0.7),
            **own,
        )
    if world.maybe(0.3):
        world.add(
            "thread_move",
            id=f"tmv_{world.n}",
            kind="undo",
            from_thread="a",
            to_thread="b",
            message_ids=[],
            undoes=f"tmv_{world.n}_undone",
            by="p",
            **here,
        )


def arguments(row: Move, world: RandomWorld, generator: random.Random) -> Row:
    """What a command of this row names: mostly things of this world, sometimes nothing there is."""
    one = generator.choice
    splits = one((True, False))

    def some(table: str) -> Any:
        return one((*(r["id"] for r in world.rows.get(table, ())), "none"))

    told: Row = {
        "pause_id": some("pause") if row.id == "W5" else f"pse_new_{world.n}", "scope": one(("tenant", "agent")), "target": "x",
        "address": one((*ADDRESSES, "new@x.org")), "suppression_id": f"sup_new_{world.n}", "endpoint_id": some("endpoint"),
        "request_id": some("legal_hold") if row.id == "W15" else some("upgrade_request"), "code_ok": one((True, True, False, None)),
        "name": one(("c0", "c1", "c2")), "mode_grant_id": f"grt_new_{world.n}",
        "conditions": None, "priority": 1, "code_sha256": "0", "category": None,
    }  # fmt: skip
    told |= {"kind": "category"} if row.id != "W13" else {"kind": "split" if splits else "merge"}
    if row.id == "W14":
        told["scope"] = "tenant"
    if row.id in {"W11", "W14"}:
        told |= {"request_id": f"upg_new_{world.n}", "expires_at": FUTURE}
    if row.id in {"W11", "W12"}:
        told["name"] = one((None, None, LISTED))
    if row.id == "W12g":
        told |= {"kind": "allowlist", "name": one((LISTED, LISTED, "c0"))}
    if row.id in {"W12", "W12g"} and world.rows.get("upgrade_request"):
        told["mode"] = one([r["mode"] for r in world.rows["upgrade_request"]])
    if row.id.startswith("W6"):
        told |= {"reason": "manual", "scope": one(("tenant", "mailbox"))}
    if row.id == "W13":
        told |= {"request_id": f"tmv_new_{world.n}", "reason": one((None, f"tmv_{world.n}_undone"))}
        target = f"thr_new_{world.n}" if splits else one((world.thread, f"{world.thread}b", "thr_none"))
        told |= {
            "name": one((world.thread, world.thread, "thr_none")),
            "target": target,
            "conditions": one((None, [world.mail])),
        }
    if row.id == "N1":
        told["reason"] = "gone"
    return told


def is_of_account(row: Move, generator: random.Random) -> bool:
    """Ask it of the account."""
    return row.id in OF_ACCOUNT and generator.random() < 0.5


def facts(row: Move, world: RandomWorld, told: Mapping[str, Any], *, of_account: bool) -> Row:
    """The variables of the world table."""
    box, grants = world.mailbox, world.rows.get("mode_grant", [])
    live = [g for g in grants if (g["kind"], g["name"]) == (told["kind"], told["name"]) and g["revoked_at"] is None]
    grant = live[0] if live else None
    return {
        "mode": box["mode"], "ceiling": box["ceiling"], "covers_ask": box["covers_ask"], "exists": _exists(row, world, told, of_account),
        "grant_now": grant["mode"] if grant else box["mode"], "grant_live": grant is not None,
        "grant_covers": bool(grant and grant["covers_ask"]), "settled": not any(
            m["direction"] == "outbound" and m["state"] in _OPEN for m in _picked(world, told)),
        "asked_enough": sum(r["created_at"] == FUTURE for r in world.rows.get("upgrade_request", ())) >= 3,
        "request_open": any(
            r["id"] == told["request_id"] and r["mode"] == told["mode"] and r["pattern"] == told["name"]
            and r["redeemed_at"] is None and r["tries"] <= 5 and r["expires_at"] == FUTURE
            for r in world.rows.get("upgrade_request", ())),
    }  # fmt: skip


_OPEN = {"drafting", "drafted", "held", "revising", "released", "sending", "deferred", "uncertain"}


def _picked(world: RandomWorld, told: Mapping[str, Any]) -> list[Row]:
    return [
        m for m in world.rows["message"]
        if m["thread_id"] == told["name"] and (told["conditions"] is None or m["id"] in told["conditions"])
    ]  # fmt: skip


def _exists(row: Move, world: RandomWorld, told: Mapping[str, Any], of_account: bool) -> bool:
    rows = {
        table: {r["id"]: r for r in world.rows.get(table, ()) if "id" in r}
        for table in ("pause", "endpoint", "legal_hold")
    }
    suppressed = world.rows.get("suppression", ())
    match row.id:
        case "W5":
            return told["pause_id"] in rows["pause"] and rows["pause"][told["pause_id"]]["lifted_at"] is None
        case "W6" | "W6u" | "W6c":
            where = None if told["scope"] == "tenant" else "mbx_system" if of_account else world.box
            return not any(
                (s["address"], s["mailbox_id"], s["category"]) == (told["address"], where, None) for s in suppressed
            )
        case "W7":
            return any(
                s["address"] == told["address"] and (of_account or s["mailbox_id"] in {None, world.box})
                for s in suppressed
            )
        case "W1r" | "W2r":
            return any(
                (g["kind"], g["name"]) == (told["kind"], told["name"]) and g["revoked_at"] is None
                for g in world.rows["mode_grant"]
            )
        case "W13":
            there = told["kind"] == "split" or told["target"] in {world.thread, f"{world.thread}b"}
            undone = (
                any(m["undoes"] == told["reason"] for m in world.rows.get("thread_move", ()))
                and told["reason"] is not None
            )
            return told["name"] != told["target"] and bool(_picked(world, told)) and there and not undone
        case "W15":
            hold = rows["legal_hold"].get(told["request_id"])
            return hold is not None and hold["lifted_at"] is None
        case "N1":
            endpoint = rows["endpoint"].get(told["endpoint_id"])
            return endpoint is not None and endpoint["is_active"]
    return True


EFFECT = {
    "pause": "SELECT tenant_id = $2 AND lifted_at IS NULL AND mailbox_id = $3 FROM pause WHERE id = $1->>'pause_id'",
    "lift_pause": "SELECT tenant_id = $2 AND lifted_at IS NOT NULL AND $3 <> '' FROM pause WHERE id = $1->>'pause_id'",
    "suppress": "SELECT tenant_id = $2 AND $3 <> '' FROM suppression WHERE id = $1->>'suppression_id'",
    "unsuppress": "SELECT NOT EXISTS (SELECT 1 FROM suppression WHERE tenant_id = $2 AND address = $1->>'address'"
                  " AND (mailbox_id IS NULL OR mailbox_id = $3 OR $3 = 'mbx_system'))",
    "grant": "SELECT revoked_at IS NULL AND mode = $1->>'mode' AND covers_ask = coalesce(($1->>'covers_ask')::boolean, false)"
             " AND tenant_id = $2 FROM mode_grant WHERE mailbox_id = $3 AND kind = $1->>'kind' AND name = $1->>'name'",
    "lower_grant": "SELECT revoked_at IS NULL AND mode = $1->>'mode' AND tenant_id = $2 FROM mode_grant"
                   " WHERE mailbox_id = $3 AND kind = $1->>'kind' AND name = $1->>'name'",
    "revoke_grant": "SELECT revoked_at IS NOT NULL AND tenant_id = $2 FROM mode_grant"
                    " WHERE mailbox_id = $3 AND kind = $1->>'kind' AND name = $1->>'name'",
    "set_rule": "SELECT count(*) = 1 AND bool_and(tenant_id = $2) FROM category_rule WHERE mailbox_id = $3 AND name = $1->>'name'",
    "request": "SELECT tenant_id = $2 AND mailbox_id = $3 AND pattern IS NOT DISTINCT FROM $1->>'name' FROM upgrade_request"
               " WHERE id = $1->>'request_id'",
    "redeem": "SELECT redeemed_at IS NOT NULL AND tenant_id = $2 AND $3 <> '' FROM upgrade_request WHERE id = $1->>'request_id'",
    "hold": "SELECT tenant_id = $2 AND lifted_at IS NULL AND $3 <> '' FROM legal_hold WHERE id = $1->>'request_id'",
    "lift_hold": "SELECT tenant_id = $2 AND lifted_at IS NOT NULL AND $3 <> '' FROM legal_hold WHERE id = $1->>'request_id'",
    "disable_endpoint": "SELECT tenant_id = $2 AND NOT is_active AND $3 <> '' FROM endpoint WHERE id = $1->>'endpoint_id'",
    "move_mails": "SELECT bool_or(thread_id = $1->>'target') AND $2 <> '' FROM message WHERE mailbox_id = $3",
}  # fmt: skip
EFFECT["redeem_grant"] = EFFECT["grant"]
"""Whether a row did what the table says it does: of its command, its account and its mailbox."""
