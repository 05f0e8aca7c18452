"""What is promised of every step, in formulas that quote nothing from the guards they judge.

A theorem takes a fired step and says what must be true of it. "An attempt begins" means that a delivery enters `sending`
from elsewhere, not that it is `sending`: the world may turn stricter while bytes are on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import z3

from gatepost_oversight.mode import Mode
from gatepost_oversight.move import On
from gatepost_oversight.states import ENDED
from gatepost_oversight.terms import SYSTEM_TEMPLATES
from proofs.symbols import Bool, both, choose, code, either, implies, level, no
from proofs.system import Step
from proofs.wholes import Delivery, Whole, mail_is_open

Claim = Callable[[Step], Bool]
ON_MAIL = frozenset({On.MESSAGE, On.DELIVERY, On.REVISION})


@dataclass(frozen=True)
class Theorem:
    """A number, a name, what it says of a step, and of which kinds of rows."""

    number: str
    name: str
    claim: Claim
    on: frozenset[On] = ON_MAIL


def _least(*numbers: Any) -> Any:
    found = numbers[0]
    for number in numbers[1:]:
        found = choose(number < found, number, found)
    return found


def base_level(w: Whole) -> Any:
    """How far a person let it go: the grant's mode where there is one, else the mailbox's."""
    granted = w.granted_mode
    return choose(granted.there, level(granted), level(w.facts["mode"]))


def effective_level(w: Whole) -> Any:
    """The strictest of base, ceiling and what was asked for; written anew, so that the table's own term is judged by it."""
    base, ask = base_level(w), w["ask"]
    covered = both(w.covers_ask.value, ask.is_("gated_send"))
    return _least(base, level(w.facts["ceiling"]), choose(either(ask.missing, covered), base, level(ask)))


def gated(w: Whole) -> Bool:
    """A person must see it."""
    return effective_level(w) <= Mode.GATED_SEND.level


def approved(w: Whole) -> Bool:
    """By a reviewer who is not its author, of exactly this content; where two are asked for, by two of them."""

    def by(n: str, place: int) -> Bool:
        return both(
            w[n].there, w.approver[place] == code("reviewer"), no(w[n].equals(w["drafter"])), w["content"].there,
            w[f"{n}_hash"].equals(w["content"]), w.facts[f"{n}_active"].value,
        )  # fmt: skip

    two = both(by("ok2", 1), no(w["ok1"].equals(w["ok2"])))
    return both(by("ok1", 0), implies(w.facts["two_person"].value, two))


def _attempt(claim: Callable[[Step, Delivery, Delivery], Bool]) -> Claim:
    def of(s: Step) -> Bool:
        if s.moved is None or s.moved_after is None:
            return True
        return implies(s.begins, claim(s, s.moved, s.moved_after))

    return of


def _delivery(claim: Callable[[Step, Delivery, Delivery], Bool]) -> Claim:
    """Of each of the two deliveries, whichever the row moves."""

    def of(s: Step) -> Bool:
        pairs = ((s.before.one, s.after.one), (s.before.other, s.after.other))
        return both(*(implies(b.exists, claim(s, b, a)) for b, a in pairs))

    return of


def _kept(s: Step, *names: str) -> Bool:
    return both(*(s.after[n].equals(s.before[n]) for n in names))


def _end(s: Step) -> Bool:
    was, now = s.before["st"], s.after["st"]
    return implies(was.among(*ENDED), either(now.equals(was), both(was.is_("delivered"), now.is_("bounced"))))


def _delivery_end(_: Step, b: Delivery, a: Delivery) -> Bool:
    was, now = b["st_delivery"], a["st_delivery"]
    ended = was.among("delivered", "bounced", "refused")
    return implies(ended, either(now.equals(was), both(was.is_("delivered"), now.is_("bounced"))))


def _edit_drops(s: Step) -> Bool:
    own = either(s.after["ok1"].missing, both(
        s.after["ok1"].equals(s.principal), s.is_role("reviewer"), s.after["ok1_hash"].equals(s.after["content"])
    ))  # fmt: skip
    return either(s.after["content"].equals(s.before["content"]), both(own, s.after["ok2"].missing))


def _frozen(s: Step) -> Bool:
    changed = no(s.after["content"].equals(s.before["content"]))
    sent = True
    if s.moved_after is not None:
        sent = implies(s.begins, s.moved_after["sent_hash"].equals(s.before["content"]))
    return both(implies(s.before.attempted, no(changed)), sent)


def _used_once(s: Step, b: Delivery, a: Delivery) -> Bool:
    starts = both(b["st_delivery"].is_("released"), a["st_delivery"].is_("sending"))
    return both(
        implies(b["used"].value, a["used"].value),
        implies(starts, both(no(b["used"].value), a["used"].value)),
        implies(both(no(b["used"].value), a["used"].value), starts),
        a["of_release"].equals(b["of_release"]),
        implies(a["st_delivery"].is_("released"), b["st_delivery"].is_("released")),
    )


def _one_release(s: Step) -> Bool:
    """Who let it go did so for this very release."""
    new = no(s.after["release"].equals(s.before["release"]))
    return implies(new, both(
        s.after["release"].value == s.before["release"].value + 1,
        either(no(gated(s.after)), s.after["system_template"].value, both(
            s.after["ok1_for"].there, s.after["ok1_for"].equals(s.after["release"]),
            implies(s.after.facts["two_person"].value, s.after["ok2_for"].equals(s.after["release"])),
        )),
    ))  # fmt: skip


def _counted(s: Step, b: Delivery, a: Delivery) -> Bool:
    begins = both(no(b["st_delivery"].is_("sending")), a["st_delivery"].is_("sending"))
    return a["attempts"].value == b["attempts"].value + choose(begins, z3.IntVal(1), z3.IntVal(0))


def _agents_never_raise(s: Step) -> Bool:
    b, a = s.before, s.after
    raised = either(
        level(a.facts["mode"]) > level(b.facts["mode"]), level(a.facts["ceiling"]) > level(b.facts["ceiling"]),
        base_level(a) > base_level(b), both(a.covers_ask.value, no(b.covers_ask.value)),
        both(b.facts["paused"].value, no(a.facts["paused"].value)),
        both(b.one.suppressed.value, no(a.one.suppressed.value)),
        both(b.facts["policy_block"].value, no(a.facts["policy_block"].value)),
        both(b.facts["two_person"].value, no(a.facts["two_person"].value)),
        no(a["mode_grant_id"].equals(b["mode_grant_id"])) if s.row.on is not On.NEW else False,
    )  # fmt: skip
    return implies(s.is_role("agent"), no(raised))


def _asks_within(s: Step) -> Bool:
    ask = s.after["ask"]
    entered = both(s.after["st"].is_("drafted"), no(s.before["st"].is_("drafted")))
    limit = _least(base_level(s.before), level(s.before.facts["ceiling"]))
    return implies(both(entered, ask.there), level(ask) <= limit)


def _asking_tightens(s: Step) -> Bool:
    old, new = s.before["ask"], s.after["ask"]
    return implies(old.there, both(new.there, level(new) <= level(old)))


def _no_approval_gained(s: Step) -> Bool:
    gained = either(*(both(s.after[n].there, no(s.after[n].equals(s.before[n]))) for n in ("ok1", "ok2")))
    again = either(
        *(both(s.after[n].there, no(s.after[f"{n}_for"].equals(s.before[f"{n}_for"]))) for n in ("ok1", "ok2"))
    )
    return implies(no(s.is_role("reviewer")), no(either(gained, again)))


def _agent_does_little(s: Step) -> Bool:
    own = both(s.principal.there, s.principal.equals(s.before["drafter"]))
    if s.row.on is On.REVISION:
        return implies(s.is_role("agent"), own)
    return implies(s.is_role("agent"), both(own, s.after["st"].is_("cancelled"), _kept(s, "content", "ask", "drafter")))


def _releasable(s: Step) -> Bool:
    enters = both(s.after["st"].is_("released"), no(s.before["st"].is_("released")))
    if s.row.on is On.NEW:
        enters = s.after["st"].is_("released")
    return implies(enters, either(no(gated(s.after)), s.after["system_template"].value, approved(s.after)))


def _outcome_ends(_: Step, b: Delivery, a: Delivery) -> Bool:
    ends = a["st_delivery"].among("sending", "delivered", "deferred", "bounced", "uncertain")
    return implies(b["st_delivery"].is_("sending"), ends)


def _uncertain(s: Step, b: Delivery, a: Delivery) -> Bool:
    now = a["st_delivery"]
    given = both(now.is_("held"), s.is_role("reviewer", "operator"), s.algebra.arg("has_note").true)
    return implies(b["st_delivery"].is_("uncertain"), either(now.among("uncertain", "delivered", "bounced"), given))


def _delivered(s: Step, b: Delivery, a: Delivery) -> Bool:
    enters = both(a["st_delivery"].is_("delivered"), no(b["st_delivery"].is_("delivered")))
    person = both(s.is_role("reviewer", "operator"), s.algebra.arg("has_note").true, b["st_delivery"].is_("uncertain"))
    return implies(enters, both(b["phase"].is_("announced"), either(s.is_role("system"), person)))


def _reasoned(s: Step) -> Bool:
    return implies(s.after["st"].is_("refused"), both(s.after["reason"].there, no(s.after["reason"].is_(""))))


def _system_writes_nothing(s: Step) -> Bool:
    a, b = s.after, s.before
    adopted = both(
        b["st"].among("drafting", "revising", "held"), s.algebra.var("rev_kind").is_("draft"),
        s.algebra.var("rev_author").equals(b["drafter"]), a["content"].equals(s.algebra.var("rev_content")),
    ) if s.row.on is On.MESSAGE else False  # fmt: skip
    cleared = both(*(either(a[n].missing, _kept(s, n, f"{n}_hash", f"{n}_for")) for n in ("ok1", "ok2")))
    return implies(s.is_role("system"), both(either(_kept(s, "content"), adopted), _kept(s, "drafter"), cleared))


def _only_people_free(s: Step) -> Bool:
    freed = both(s.before["st"].among("held", "revising"), s.after["st"].among("released", "sending"))
    return implies(freed, s.is_role("reviewer"))


def _system_mail(s: Step) -> Bool:
    made = both(
        s.after["system_template"].value, no(s.before["system_template"].value) if s.row.on is not On.NEW else True
    )
    fixed = s.algebra.arg("template").among(*SYSTEM_TEMPLATES)
    right = both(s.after["mailbox"].is_("mbx_system"), fixed, s.algebra.var("to_oversight").true, s.is_role("system"))
    return implies(made, right if s.row.on is On.NEW else False)


def _taken_back(s: Step, b: Delivery, _: Delivery) -> Bool:
    return both(mail_is_open(s.before), b["of_release"].equals(s.before["release"]))


def _mail_stands(s: Step) -> Bool:
    b, a = s.before, s.after
    kept = both(*(a[n].equals(b[n]) for n in b.mail))
    for was, now in ((b.one, a.one), (b.other, a.other)):
        kept = both(kept, *(now[n].equals(was[n]) for n in was.at))
    return kept


def _both_people(w: Whole) -> Bool:
    return both(w["ok2"].there, no(w["ok2"].equals(w["ok1"])), no(w["ok2"].equals(w["drafter"])),
                w["ok2_hash"].equals(w["content"]), w.approver[1] == code("reviewer"))  # fmt: skip


def _unless_system(w: Whole, claim: Bool) -> Bool:
    return implies(both(gated(w), no(w["system_template"].value)), claim)


W, N = frozenset({On.WORLD}), frozenset({On.NEW})
ALL = frozenset(On)
THEOREMS: tuple[Theorem, ...] = (
    Theorem("1", "gated means approved", _attempt(lambda s, b, a: _unless_system(s.before, both(
        approved(s.before), a["sent_hash"].equals(s.before["content"]))))),
    Theorem("2", "two people where two are asked for", _attempt(lambda s, b, a: _unless_system(
        s.before, implies(s.before.facts["two_person"].value, _both_people(s.before))))),
    Theorem("3", "the suppressed are never attempted", _attempt(lambda s, b, a: no(b.suppressed.value))),
    Theorem("4", "off means off", _attempt(lambda s, b, a: no(either(
        s.before.facts["mode"].is_("read_only"), s.before.facts["ceiling"].is_("read_only"),
        effective_level(s.before) == 0, s.before.facts["paused"].value, s.before.facts["policy_block"].value)))),
    Theorem("5", "the end is the end", lambda s: both(_end(s), _delivery(_delivery_end)(s))),
    Theorem("6", "an edit drops every earlier approval", _edit_drops),
    Theorem("7", "content is frozen from the first attempt on", _frozen),
    Theorem("8", "an approval is used at most once per recipient", _delivery(_used_once)),
    Theorem("8b", "an approval counts for one release", _one_release),
    Theorem("9", "agents never raise autonomy", _agents_never_raise, ALL),
    Theorem("10", "a submit asks for no more than a person gave", _asks_within),
    Theorem("11", "only system steps begin attempts", _attempt(lambda s, b, a: s.is_role("system"))),
    Theorem("12", "in gated_all inbound mail never reaches an agent directly", lambda s: implies(
        s.after["st"].is_("received"), no(s.before.facts["mode"].is_("gated_all"))), N),
    Theorem("13", "quarantine opens only through a reviewer", lambda s: implies(
        both(s.before["st"].is_("quarantined"), s.after["st"].is_("received")), s.is_role("reviewer"))),
    Theorem("14", "only reviewers approve", _no_approval_gained),
    Theorem("17", "world changes never move a mail", _mail_stands, W),
    Theorem("17b", "each attempt is counted", _delivery(_counted)),
    Theorem("18", "an agent submits, revises and cancels its own, and no more", _agent_does_little),
    Theorem("19", "what enters released is releasable", _releasable, frozenset({On.MESSAGE, On.NEW})),
    Theorem("20", "on the wire only an outcome ends it", _delivery(_outcome_ends)),
    Theorem("21", "attempts start only from released or deferred", _attempt(
        lambda s, b, a: b["st_delivery"].among("released", "deferred"))),
    Theorem("22", "uncertain is never resent without a person", _delivery(_uncertain)),
    Theorem("23", "delivered only after an announced attempt", _delivery(_delivered)),
    Theorem("24", "refused carries its reason", _reasoned),
    Theorem("25", "system steps write neither content, author nor approvals", _system_writes_nothing),
    Theorem("26", "once held, only a person releases", _only_people_free),
    Theorem("27b", "asking only tightens, also later", _asking_tightens),
    Theorem("28", "system mail is not steerable", _system_mail, ON_MAIL | N),
    Theorem("29", "no delivery begins once the mail was taken back", _attempt(_taken_back)),
    Theorem("29b", "the drafter of a mail never changes", lambda s: _kept(s, "drafter", "mailbox", "direction")),
)  # fmt: skip
