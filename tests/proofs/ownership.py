"""Who runs which row, and what each row tells: said again, apart from the table, and compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatepost_oversight.move import Move, On
from gatepost_oversight.states import INBOUND, State

S = State
TOLD: dict[State, str] = {
    S.RECEIVED: "email.received", S.QUARANTINED: "email.quarantined", S.DISCARDED: "email.quarantined",
    S.DRAFTING: "email.drafted", S.HELD: "email.held", S.RELEASED: "email.released", S.REVISING: "email.rejected",
    S.REJECTED: "email.rejected", S.REFUSED: "email.refused", S.CANCELLED: "email.cancelled", S.EXPIRED: "email.expired",
    S.SUPERSEDED: "email.superseded", S.DELIVERED: "email.delivered", S.DEFERRED: "email.deferred",
    S.BOUNCED: "email.bounced", S.UNCERTAIN: "email.uncertain",
}  # fmt: skip
"""The event of entering a state; `drafted` and `sending` have none of their own."""
WORLD_TOLD = {"pause": "mailbox.paused", "lift_pause": "mailbox.resumed", "disable_endpoint": "endpoint.disabled",
              "grant": "mailbox.mode_changed", "redeem_grant": "mailbox.mode_changed", "lower_grant": "mailbox.mode_changed", "revoke_grant": "mailbox.mode_changed"}  # fmt: skip
MORE_TOLD = {
    "T01r": {"email.reported"}, "T02r": {"email.reported"}, "R1": {"email.drafted"}, "W6u": {"email.unsubscribed"},
    "W6c": {"email.complained"}, "N2": {"endpoint.exhausted"}, "W4t": {"mailbox.paused"}, "W5t": {"mailbox.resumed"},
}  # fmt: skip
DOES = {
    "grant_mode": "grant", "revoke_grant": "revoke_grant", "lower_grant": "lower_grant", "drop_grant": "revoke_grant",
    "demote_category": "lower_grant", "pause": "pause", "resume": "lift_pause", "add_suppression": "suppress",
    "unsubscribe": "suppress", "complain": "suppress", "remove_suppression": "unsuppress", "set_rule": "set_rule",
    "request_upgrade": "request", "redeem_upgrade": "redeem", "redeem_listing": "redeem_grant", "disable_endpoint": "disable_endpoint",
    "move_mails": "move_mails", "place_hold": "hold", "lift_hold": "lift_hold",
}  # fmt: skip
GATEKEEPER, SENDER, WRITERS = frozenset({"gatekeeper"}), frozenset({"sender"}), frozenset({"drafter", "api"})
SUPPRESS = {"W6": {"ingest", "api", "sender", "gatekeeper"}, "W6u": {"ingest", "api"}, "W6c": {"ingest", "api"}}


def tells(row: Move) -> frozenset[str]:
    """What this row must tell."""
    told = set(MORE_TOLD.get(row.id, ()))
    changes_content = any(name == "content" for name, _ in row.set)
    if row.dst in TOLD and (row.dst not in row.src or (row.dst is S.HELD and changes_content)):
        told.add(TOLD[row.dst])
    if row.on is On.WORLD:
        if any(name == "mode" for name, _ in row.set):
            told.add("mailbox.mode_changed")
        if row.does in WORLD_TOLD:
            told.add(WORLD_TOLD[row.does])
    return frozenset(told)


def runs(row: Move) -> frozenset[str]:
    """Whose database role may run this row."""
    if row.on is On.MESSAGE or row.id == "T34":
        return GATEKEEPER
    if row.on is On.DELIVERY:
        if row.dst in {S.REFUSED, S.HELD}:
            return GATEKEEPER
        return (
            SENDER | GATEKEEPER if "reviewer" in row.roles else SENDER
        )  # a person's word is the gatekeeper's to take down
    if row.on is On.REVISION:
        return WRITERS if "agent" in row.roles else frozenset({"api"})
    if row.on is On.NEW:
        return frozenset({"ingest"}) if row.dst in INBOUND else WRITERS
    if row.does == "disable_endpoint" or row.id == "N2":
        return frozenset({"notifier"})
    return frozenset(SUPPRESS.get(row.id, GATEKEEPER))


def check(moves: Sequence[Move]) -> Iterator[tuple[str, str, str | None]]:
    """Both, of every row."""
    for row in moves:
        told = set(row.emits)
        yield (
            "30. what happens is told, and nothing else",
            row.id,
            (None if told == tells(row) else f"it tells {sorted(told)} and not {sorted(tells(row))}"),
        )
        yield (
            "30b. each world row does what its name says",
            row.id,
            (None if row.does == DOES.get(row.event, "") else f"{row.event} does {row.does!r}"),
        )
        who = set(row.services)
        yield (
            "31. each row is run by the service that owns it",
            row.id,
            (None if who == runs(row) else f"{sorted(who)} run it and not {sorted(runs(row))}"),
        )
