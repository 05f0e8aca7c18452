"""What must break when the protocol is built differently, and the run over all of it."""

from __future__ import annotations

import time

from gatepost_oversight.lifecycle import BY_ID, MOVES
from gatepost_oversight.move import Move
from gatepost_oversight.states import State
from proofs.engine import Broken, Tally
from proofs.protocol import Variant, explore
from proofs.search import without


def _drop(row: str, *names: str) -> tuple[Move, ...]:
    return tuple(without(MOVES, row, guard=tuple((n, e) for n, e in BY_ID[row].guard if n not in names)))


CONTROLS: tuple[tuple[Variant, str], ...] = (
    (Variant("approve without compare-and-set", blind_approval=True, half="deciding"), "B."),
    (Variant("no intent record", no_intent=True), "C."),
    (Variant("an event before its commit", publish_first=True, half="deciding"), "A."),
    (Variant("an ack before the record", ack_first=True, half="deciding"), "A."),
    (Variant("a claim that ignores due", ignores_due=True), "H."),
    (Variant("claim without compare-and-set", blind_claim=True), "C."),
    (Variant("wake by events alone", events_only=True), "G."),
    (Variant("an announcement that anybody makes", moves=_drop("T27", "OWNER")), "C."),
    (Variant("a deferral that is not fenced", moves=_drop("T29", "OWNER")), "C."),
    (Variant("uncertain is resent blindly", moves=tuple(without(MOVES, "T25", src=BY_ID["T25"].src | {State.UNCERTAIN}))), "C."),
)  # fmt: skip
PROMISES = (
    "A. no mail is lost", "A. an event tells of what is committed", "B. no double approval",
    "C. no duplicate while an uncertain mail waits for a person",
    "D. after a person had it sent again, a duplicate only through the window",
    "E. never delivered without a 250, a report or a person's word", "F. never sent without an approval",
    "G. what is released is claimed when due", "H. no attempt before it is due",
)  # fmt: skip


def check(crashes: int = 2) -> tuple[Tally, int]:
    """As built, and every control; and how many worlds there are."""
    tally = Tally()
    began = time.perf_counter()
    halves = [explore(Variant(half=half), crashes=crashes) for half in ("deciding", "delivering")]
    for promise in PROMISES:
        tally.asked[promise] += 1
        tally.seconds[promise] += (time.perf_counter() - began) / len(PROMISES)
        tally.broken += [Broken(promise, "protocol", seen.broken[promise]) for seen in halves if promise in seen.broken]
    for variant, caught_by in CONTROLS:
        began = time.perf_counter()
        name = f"control: {variant.name}"
        tally.asked[name] += 1
        caught = explore(variant, crashes=1, until=caught_by).broken
        tally.seconds[name] += time.perf_counter() - began
        if not any(p.startswith(caught_by) for p in caught):
            tally.broken.append(Broken(name, caught_by, (f"not caught by {caught_by}, but by {sorted(caught)}",)))
    return tally, sum(seen.states for seen in halves)
