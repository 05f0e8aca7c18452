"""What is true of every reachable whole: proved by induction, each row keeping all of it, and then used by the theorems."""

from __future__ import annotations

from collections.abc import Callable

from gatepost_oversight.states import State
from proofs.symbols import Bool, both, code, either, implies, no
from proofs.wholes import RANK, Delivery, Whole, mail_is_open, state_of

Lemma = Callable[[Whole], Bool]
WAITS = (
    "quarantined", "drafting", "drafted", "held", "revising", "released", "sending", "deferred", "uncertain",
)  # fmt: skip


def _each(whole: Whole, claim: Callable[[Delivery], Bool]) -> Bool:
    return both(*(implies(d.exists, claim(d)) for d in (whole.one, whole.other)))


def _given(w: Whole, n: str) -> Bool:
    return both(
        w["content"].there, w[f"{n}_hash"].equals(w["content"]), no(w[n].equals(w["drafter"])), w[f"{n}_for"].there,
        w.approver[0 if n == "ok1" else 1] == code("reviewer"),
    )  # fmt: skip


def _under_way(d: Delivery) -> Bool:
    return d["st_delivery"].among("released", "sending", "deferred", "uncertain")


def _truth(w: Whole) -> Bool:
    there, least = w.derived()
    follows = w["st"].among("released", "sending", "deferred", "uncertain", "delivered", "bounced")
    given_back = both(w["st"].among("held", "revising"), w["release"].value >= 1)
    return both(
        implies(follows, both(there, w["st"].value == state_of(least))),
        implies(given_back, both(there, least == RANK["held"])),
    )


LEMMAS: dict[str, Lemma] = {
    "an approval is a reviewer's, of the present content, and never the author's": lambda w: both(
        implies(w["ok1"].there, _given(w, "ok1")), implies(w["ok2"].there, _given(w, "ok2"))
    ),
    "two approvals are of two people, and there is no second without a first": lambda w: implies(
        w["ok2"].there, both(w["ok1"].there, no(w["ok1"].equals(w["ok2"])))
    ),
    "nothing is left of an approval that fell": lambda w: both(*(
        implies(w[n].missing, both(*(w[f"{n}_{part}"].missing for part in ("hash", "key", "for")))) for n in ("ok1", "ok2")
    )),
    "nothing is approved before it is held": lambda w: implies(
        w["st"].among("received", "quarantined", "drafting", "drafted", "revising"), both(w["ok1"].missing, w["ok2"].missing)
    ),
    "an approval is for this release, or while it waits for the next": lambda w: both(*(
        implies(w[n].there, either(
            w[f"{n}_for"].value == w["release"].value,
            both(no(mail_is_open(w)), w[f"{n}_for"].value == w["release"].value + 1),
            w[f"{n}_for"].value < w["release"].value,
        )) for n in ("ok1", "ok2")
    )),
    "what is being sent is what was approved last": lambda w: _each(w, lambda d: implies(
        d["attempts"].value > 0, both(d["sent_hash"].there, d["sent_hash"].equals(w["content"]))
    )),
    "used, a sent hash and an attempt come together": lambda w: _each(w, lambda d: both(
        _iff(d["used"].value, d["attempts"].value > 0), _iff(d["sent_hash"].there, d["attempts"].value > 0)
    )),
    "a fresh delivery is unused": lambda w: _each(w, lambda d: implies(
        d["st_delivery"].is_("released"), both(no(d["used"].value), d["phase"].is_("none"))
    )),
    "on the wire it is claimed or announced, and used": lambda w: _each(w, lambda d: both(
        implies(d["st_delivery"].is_("sending"), both(d["used"].value, no(d["phase"].is_("none")))),
        implies(d["st_delivery"].is_("uncertain"), both(d["used"].value, d["phase"].is_("announced"))),
        implies(d["st_delivery"].is_("deferred"), both(d["used"].value, d["phase"].is_("none"))),
    )),
    "a delivery has a phase": lambda w: _each(w, lambda d: d["phase"].among("none", "claimed", "announced")),
    "announced only on the wire and in uncertain": lambda w: _each(w, lambda d: implies(
        d["phase"].is_("announced"), d["st_delivery"].among("sending", "uncertain")
    )),
    "a delivery belongs to a release that was": lambda w: _each(w, lambda d: both(
        d["of_release"].value >= 1, d["of_release"].value <= w["release"].value
    )),
    "what is under way is of the present release of an open mail": lambda w: both(
        _each(w, lambda d: implies(_under_way(d), both(d["of_release"].value == w["release"].value, mail_is_open(w)))),
        implies(both(w.rest.present, w.rest.rank <= RANK["released"]), mail_is_open(w)),
    ),
    "a mail reads as its least finished delivery": _truth,
    "what was never released has no deliveries": lambda w: implies(
        w["release"].value == 0,
        both(no(w.one.exists), no(w.other.exists), no(w.rest.present), no(w.rest.attempted), no(w.rest.claimed)),
    ),
    "what was released has content and no open question": lambda w: implies(
        mail_is_open(w), both(w["content"].there, no(w["placeholder"].true), w["release"].value >= 1)
    ),
    "what was taken up has content": lambda w: implies(w["st"].is_("drafted"), w["content"].there),
    "refused carries its reason": lambda w: implies(
        w["st"].is_("refused"), both(w["reason"].there, no(w["reason"].is_("")))
    ),
    "what waits has an end": lambda w: implies(w["st"].among(*WAITS), w["expires_at"].there),
    "what is on the wire shows": lambda w: both(
        implies(w.claimed, w["st"].is_("sending")),
        implies(w.rest.claimed, both(w.rest.present, w.rest.rank == RANK["sending"])),
    ),
    "nothing is released before it is judged": lambda w: implies(
        w["st"].among("received", "quarantined", "discarded", "drafting", "drafted"), w["release"].value == 0
    ),
}  # fmt: skip


def _iff(a: Bool, b: Bool) -> Bool:
    return both(implies(a, b), implies(b, a))


def all_lemmas(whole: Whole) -> Bool:
    """All of them."""
    return both(*(lemma(whole) for lemma in LEMMAS.values()))


__all__ = ["LEMMAS", "State", "all_lemmas"]
