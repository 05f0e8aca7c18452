"""A mail, two of its deliveries, all its others in sum, and the world around them, as z3 terms.

The two deliveries stand for any two; every theorem about a delivery holds for all of them, since nothing names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import z3

from gatepost_oversight.states import DELIVERY_STATES, OPEN
from gatepost_oversight.vocabulary import VARIABLES, Kind, Of
from proofs.symbols import Bool, Term, both, choose, code, domain, either, free, implies, no

RANK = {state.value: n for n, state in enumerate(DELIVERY_STATES)}
MAIL = tuple(w for w in VARIABLES if w.of is Of.MAIL)
DELIVERY = tuple(w for w in VARIABLES if w.of is Of.DELIVERY)
FACTS = tuple(
    w for w in VARIABLES if w.of is Of.LIVE and w.name not in {"granted_mode", "covers_ask", "attempted", "claimed"}
)
GRANT = ("grant_live", "grant_mode", "grant_covers")
BORN = {"version": 1, "revision": 0, "release": 0, "rounds": 0, "placeholder": False, "system_template": False}
"""What a new mail has that its row does not set: column defaults, and the conditions of the birth trigger."""
GIVEN = frozenset(
    ("mailbox", "direction", "drafter", "ask", "ask_at_submit", "category", "recipients", "subject", "evidence")
)


@dataclass(frozen=True)
class Delivery:
    """One recipient of one release, which may not have been made yet."""

    exists: Bool
    at: Mapping[str, Term]
    suppressed: Term

    def __getitem__(self, name: str) -> Term:
        return self.at[name]

    def present(self, release: Any) -> Bool:
        """It belongs to the present release."""
        return both(self.exists, self["of_release"].value == release)


@dataclass(frozen=True)
class Rest:
    """All other deliveries of the mail, in sum."""

    attempted: Bool
    claimed: Bool
    present: Bool  # some belong to the present release,
    rank: Any  # and the least finished of those has this rank


@dataclass(frozen=True)
class Whole:
    """Everything before or after a step."""

    mail: Mapping[str, Term]
    facts: Mapping[str, Term]
    one: Delivery
    other: Delivery
    rest: Rest
    approver: tuple[Any, Any] = (
        None,
        None,
    )  # the roles of those who gave ok1 and ok2: kept by the proof, not by the table

    def __getitem__(self, name: str) -> Term:
        return self.mail[name]

    @property
    def attempted(self) -> Bool:
        """An attempt of a delivery was begun."""
        return either(self.rest.attempted, *(both(d.exists, d["attempts"].value > 0) for d in (self.one, self.other)))

    @property
    def claimed(self) -> Bool:
        """A delivery is on the wire."""
        return either(
            self.rest.claimed, *(both(d.exists, d["st_delivery"].is_("sending")) for d in (self.one, self.other))
        )

    @property
    def granted_mode(self) -> Term:
        """The mode of the grant in force."""
        mode = self.facts["grant_mode"]
        return Term(mode.value, either(no(self.facts["grant_live"].value), mode.missing))

    @property
    def covers_ask(self) -> Term:
        """What holds of a caller's gated_send: the grant's word where there is one, else the mailbox's."""
        return Term(
            choose(self.facts["grant_live"].value, self.facts["grant_covers"].true, self.facts["box_covers"].true)
        )

    def derived(self) -> tuple[Bool, Any]:
        """Whether there are deliveries of the present release, and the rank of the least finished of them."""
        release = self["release"].value
        parts = [(d.present(release), rank(d["st_delivery"])) for d in (self.one, self.other)]
        parts.append((self.rest.present, self.rest.rank))
        least: Any = z3.IntVal(len(RANK))
        for there, number in parts:
            least = choose(both(there, number < least), number, least)
        return either(*(there for there, _ in parts)), least


def rank(state: Term) -> Any:
    """How far a delivery's state is from done; 0 is the least finished."""
    found: Any = z3.IntVal(len(RANK))
    for name, place in RANK.items():
        found = choose(state.value == code(name), z3.IntVal(place), found)
    return found


def state_of(number: Any) -> Any:
    """The state with this rank."""
    found: Any = z3.IntVal(code("released"))
    for name, place in RANK.items():
        found = choose(number == place, z3.IntVal(code(name)), found)
    return found


def _delivery(name: str) -> Delivery:
    at = {w.name: free(f"{name}.{w.name}", w.kind, may_be_missing=w.may_be_missing) for w in DELIVERY}
    return Delivery(z3.Bool(f"{name}.exists"), at, Term(z3.Bool(f"{name}.suppressed")))


def anything() -> tuple[Whole, Bool]:
    """A whole about which nothing is known, and what is true of it by its kinds alone."""
    mail = {w.name: free(w.name, w.kind, may_be_missing=w.may_be_missing) for w in MAIL}
    facts = {w.name: free(w.name, w.kind, may_be_missing=w.may_be_missing) for w in FACTS}
    facts |= {
        "grant_live": Term(z3.Bool("grant_live")), "grant_mode": free("grant_mode", Kind.MODE, may_be_missing=True),
        "grant_covers": free("grant_covers", Kind.FLAG, may_be_missing=False), "box_covers": Term(z3.Bool("box_covers")),
    }  # fmt: skip
    one, other = _delivery("delivery"), _delivery("another")
    rest = Rest(z3.Bool("rest.attempted"), z3.Bool("rest.claimed"), z3.Bool("rest.present"), z3.Int("rest.rank"))
    whole = Whole(mail, facts, one, other, rest, (z3.Int("ok1.role"), z3.Int("ok2.role")))
    kinds = {w.name: w.kind for w in (*MAIL, *FACTS, *DELIVERY)} | {"grant_mode": Kind.MODE}
    known = [domain(term, kinds[name]) for name, term in (*mail.items(), *facts.items()) if name in kinds]
    for d in (one, other):
        known += [
            d["st_delivery"].among(*RANK), d["phase"].among("none", "claimed", "announced"), d["attempts"].value >= 0,
        ]  # fmt: skip
    known += [rest.rank >= 0, rest.rank < len(RANK), mail["release"].value >= 0, mail["rounds"].value >= 0]
    known.append(domain(free("rev_ask", Kind.MODE, may_be_missing=True), Kind.MODE))  # a check of the column
    known.append(implies(both(rest.present, rest.rank == RANK["sending"]), rest.claimed))
    return whole, both(*known)


def mail_is_open(whole: Whole) -> Bool:
    """Deliveries of it may still be under way."""
    return whole["st"].among(*OPEN)
