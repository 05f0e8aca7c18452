"""The theorems: numbers, names, and what each says of every step of which kinds of rows."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost_oversight.move import On
from proofs import claims, records
from proofs.claims import Claim
from proofs.symbols import both, either, implies, no

ON_MAIL = frozenset({On.MESSAGE, On.DELIVERY, On.REVISION})


@dataclass(frozen=True)
class Theorem:
    """A number, a name, what it says of a step, and of which kinds of rows."""

    number: str
    name: str
    claim: Claim
    on: frozenset[On] = ON_MAIL


W, N, MESSAGE = frozenset({On.WORLD}), frozenset({On.NEW}), frozenset({On.MESSAGE})
ALL = frozenset(On)
THEOREMS: tuple[Theorem, ...] = (
    Theorem("1", "gated means approved", claims.attempt(lambda s, b, a: claims.unless_system(s.before, both(
        claims.approved(s.before), a["sent_hash"].equals(s.before["content"]))))),
    Theorem("2", "two people where two are asked for", claims.attempt(lambda s, b, a: claims.unless_system(
        s.before, implies(s.before.facts["two_person"].value, claims.both_people(s.before))))),
    Theorem("3", "the suppressed are never attempted", claims.attempt(lambda s, b, a: no(b.suppressed.value))),
    Theorem("4", "off means off", claims.attempt(lambda s, b, a: no(either(
        s.before.facts["mode"].is_("read_only"), s.before.facts["ceiling"].is_("read_only"),
        claims.effective_level(s.before) == 0, s.before.facts["paused"].value, s.before.facts["policy_block"].value)))),
    Theorem("5", "the end is the end", lambda s: both(claims.end(s), claims.delivery(claims.delivery_end)(s))),
    Theorem("6", "an edit drops every earlier approval", claims.edit_drops),
    Theorem("7", "content is frozen from the first attempt on", claims.frozen),
    Theorem("8", "an approval is used at most once per recipient", claims.delivery(claims.used_once)),
    Theorem("8b", "an approval counts for one release", claims.one_release),
    Theorem("9", "agents never raise autonomy", claims.agents_never_raise, ALL),
    Theorem("10", "a submit asks for no more than a person gave", claims.asks_within),
    Theorem("11", "only system steps begin attempts", claims.attempt(lambda s, b, a: s.is_role("system"))),
    Theorem("12", "in gated_all inbound mail never reaches an agent directly", lambda s: implies(
        s.after["st"].is_("received"), no(s.before.facts["mode"].is_("gated_all"))), N),
    Theorem("13", "quarantine opens only through a reviewer", lambda s: implies(
        both(s.before["st"].is_("quarantined"), s.after["st"].is_("received")), s.is_role("reviewer"))),
    Theorem("14", "only reviewers approve", claims.no_approval_gained),
    Theorem("17", "world changes never move a mail", claims.mail_stands, W),
    Theorem("17b", "each attempt is counted", claims.delivery(claims.counted)),
    Theorem("18", "an agent submits, revises and cancels its own, and no more", claims.agent_does_little),
    Theorem("19", "what enters released is releasable", claims.releasable, frozenset({On.MESSAGE, On.NEW})),
    Theorem("20", "on the wire only an outcome ends it", claims.delivery(claims.outcome_ends)),
    Theorem("21", "attempts start only from released or deferred", claims.attempt(
        lambda s, b, a: b["st_delivery"].among("released", "deferred"))),
    Theorem("22", "uncertain is never resent without a person", claims.delivery(claims.uncertain)),
    Theorem("23", "delivered only after an announced attempt", claims.delivery(claims.delivered)),
    Theorem("24", "refused carries its reason", claims.reasoned),
    Theorem("25", "system steps write neither content, author nor approvals", claims.system_writes_nothing),
    Theorem("26", "once held, only a person releases", claims.only_people_free),
    Theorem("27b", "asking only tightens, also later", claims.asking_tightens),
    Theorem("28", "system mail is not steerable", claims.system_mail, ON_MAIL | N),
    Theorem("29", "no delivery begins once the mail was taken back", claims.attempt(claims.taken_back)),
    Theorem("32", "a decision binds to what was seen", claims.seen),
    Theorem("33", "nobody approves what is not whole", claims.complete),
    Theorem("34", "who decided is written down", claims.written_down),
    Theorem("35", "a release carries its grant", claims.carries_its_grant),
    Theorem("36", "an attempt begins when it is due, in its turn, and under a verified grant", claims.attempt(claims.ready)),
    Theorem("37", "only its owner announces or puts off", claims.delivery(claims.fenced)),
    Theorem("38", "uncertain is only what was announced, and a late bounce is proven", claims.delivery(claims.lost)),
    Theorem("39", "each state is entered only by whom and for what it may", claims.ways),
    Theorem("40", "what is adopted is one newer revision, whole", claims.adopted, frozenset({On.MESSAGE})),
    Theorem("41", "a mailbox always has a mode, raised up to its ceiling at most", claims.modes_stay, W),
    Theorem("42", "only an operator loosens", records.loosening, W),
    Theorem("43", "a code is right, open and rare; what is ended or lifted is there", records.codes, W),
    Theorem("44", "a revision is written by whom and where it may", records.revisions, frozenset({On.REVISION})),
    Theorem("45", "mail is born by whom it may", records.births, N),
    Theorem("46", "the machine's work is the machine's, and what may leave is not taken back", records.machine, MESSAGE),
    Theorem("47", "what is held, refused or taken up says why", records.held_reasons, MESSAGE),
    Theorem("48", "more care that is asked for is given", records.adopted_ask, MESSAGE),
    Theorem("49", "outcomes are kept as they were said", claims.delivery(records.outcomes)),
    Theorem("50", "the wire is the system's, but for a person's word", claims.delivery(records.wire_roles)),
    Theorem("51", "on the wire each step announces or takes over", claims.delivery(records.wire_moves)),
    Theorem("29b", "the drafter of a mail never changes", lambda s: claims.kept(s, "drafter", "mailbox", "direction")),
)  # fmt: skip
