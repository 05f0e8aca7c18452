"""The life of a mail and of its deliveries: who may do what, when, and what follows.

Pure data. Services run it, the database is generated from it, the proofs read it.
Rows of a mail: T01 to T22 and T34; of a delivery: T24 to T33; R1 adds a revision and moves nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import Expr, add, arg, both, const, either, eq, ite, le, level, ne, no, var

A, V, O, S = Role.AGENT, Role.REVIEWER, Role.OPERATOR, Role.SYSTEM


def _looser(a: Expr, b: Expr) -> Expr:
    return ite(le(level(a), level(b)), a, b)


BASE = ite(ne(var("granted_mode"), const(None)), var("granted_mode"), var("mode"))
ASKED = ite(
    either(eq(var("ask"), const(None)), both(eq(var("covers_ask"), const(True)), eq(var("ask"), const("gated_send")))),
    BASE,
    var("ask"),
)
EFFECTIVE = _looser(_looser(BASE, var("ceiling")), ASKED)
GATED = le(level(EFFECTIVE), level(const("gated_send")))
APPROVED = both(
    ne(var("ok1"), const(None)),
    eq(var("ok1_hash"), var("content")),
    either(
        no(var("two_person")),
        both(ne(var("ok2"), const(None)), eq(var("ok2_hash"), var("content")), ne(var("ok2"), var("ok1"))),
    ),
)
RELEASABLE = either(no(GATED), APPROVED, eq(var("system_template"), const(True)))
HAS_CONTENT = ne(var("content"), const(None))
UNTRIED = no(var("attempted"))
SEEN_HASH = eq(arg("seen_hash"), var("content"))
SEEN_HEAD = eq(arg("seen_head"), var("thread_head"))

Guard = tuple[tuple[str, Expr], ...]


class Move(NamedTuple):
    """One row: in these states, by these roles, when every conjunct holds, go there, set this, tell the world."""

    id: str
    event: str
    src: tuple[str, ...]
    roles: tuple[Role, ...]
    guard: Guard
    dst: str
    sets: tuple[tuple[str, Expr], ...] = ()
    emits: tuple[str, ...] = ()
    of: str = "message"
    releases: bool = False
    service: str = "gatekeeper"
    doc: str = ""


NOT_AUTHOR: tuple[str, Expr] = ("NOT_AUTHOR", ne(arg("principal"), var("author")))
OWN: tuple[str, Expr] = ("OWN", eq(arg("principal"), var("author")))
SEEN: Guard = (("SEEN", SEEN_HASH), ("HEAD", SEEN_HEAD))
COMPLETE: Guard = (("CONTENT", HAS_CONTENT), ("PLACEHOLDER", no(var("placeholder"))))
ALONE: tuple[str, Expr] = ("ONE_PERSON", no(var("two_person")))
NOTHING = const(None)
DROP_APPROVALS = (
    ("ok1", NOTHING), ("ok1_hash", NOTHING), ("ok1_key", NOTHING),
    ("ok2", NOTHING), ("ok2_hash", NOTHING), ("ok2_key", NOTHING),
)  # fmt: skip
ADOPT = (
    ("revision", arg("revision")), ("content", arg("new_hash")), ("recipients", arg("recipients")),
    ("placeholder", arg("placeholder")), ("subject", arg("subject")),
)  # fmt: skip
HOLD = (("reasons", arg("reasons")), ("held_at", arg("now")), ("expires_at", arg("expires_at")))
DECIDED = (("decided_by", arg("principal")), ("decided_at", arg("now")))
LET_GO = (
    ("release", add(var("release"), const(1))), ("grant_token", arg("grant_token")), ("released_at", arg("now")),
    ("reasons", arg("reasons")),
)  # fmt: skip
APPROVE_1 = (("ok1", arg("principal")), ("ok1_hash", arg("approved_hash")), ("ok1_key", arg("actor")))
APPROVE_2 = (("ok2", arg("principal")), ("ok2_hash", arg("approved_hash")), ("ok2_key", arg("actor")))
SAME_HASH: tuple[str, Expr] = ("APPROVED_HASH", eq(arg("approved_hash"), var("content")))
EDIT_HASH: tuple[str, Expr] = ("APPROVED_HASH", eq(arg("approved_hash"), arg("new_hash")))
FROZEN_NOT: tuple[str, Expr] = ("NEVER_TRIED", UNTRIED)
OFF_WIRE: tuple[str, Expr] = ("OFF_WIRE", no(var("on_wire")))
WAITING = ("drafting", "drafted", "held", "revising", "released")

MESSAGE_MOVES: tuple[Move, ...] = (
    Move("T03", "admit", ("quarantined",), (V,), (), "received", DECIDED, ("email.received",), doc="A reviewer lets inbound mail through."),
    Move("T04", "discard", ("quarantined",), (V, O), (), "discarded", DECIDED, ("email.quarantined",), doc="A person throws inbound mail away."),
    Move("T06", "submit", ("drafting",), (S,),
         (("NOT_LOOSER", either(eq(arg("ask_new"), NOTHING), le(level(_looser(_looser(BASE, var("ceiling")), arg("ask_new"))), level(_looser(BASE, var("ceiling")))))),
          ("NOT_READ_ONLY", ne(var("mode"), const("read_only")))),
         "drafted", (*ADOPT, *DROP_APPROVALS, ("ask", arg("ask_new"))), doc="The author's revision is taken up for judgement."),
    Move("T07", "draft_failed", ("drafting", "revising"), (S,), (), "held", HOLD, ("email.held",), doc="No draft came about; a person must write it."),
    Move("T08", "pass", ("drafted",), (S,), (*COMPLETE, ("RELEASABLE", RELEASABLE)), "released", LET_GO, ("email.released",), releases=True,
         doc="Policy lets it go."),
    Move("T09", "hold", ("drafted",), (S,), (), "held", HOLD, ("email.held",), doc="Policy wants a person to look."),
    Move("T10", "refuse", ("drafted", "held", "released", "deferred"), (S,),
         (("FORBIDDEN", either(eq(var("any_suppressed"), const(True)), eq(var("policy_block"), const(True)),
                               both(eq(var("state"), const("drafted")), eq(var("mode"), const("read_only"))))),
          ("REASON", ne(arg("reason"), NOTHING)), OFF_WIRE),
         "refused", (("reason", arg("reason")), ("reasons", arg("reasons"))), ("email.refused",), doc="Policy forbids it."),
    Move("T11", "approve", ("held",), (V,), (NOT_AUTHOR, *SEEN, *COMPLETE, ALONE, SAME_HASH), "released", (*APPROVE_1, *DECIDED, *LET_GO),
         ("email.released",), releases=True, doc="A reviewer lets exactly this content go."),
    Move("T12", "approve_first", ("held",), (V,),
         (NOT_AUTHOR, *SEEN, *COMPLETE, ("TWO_PERSON", eq(var("two_person"), const(True))), SAME_HASH, ("NO_FIRST", ne(var("ok1_hash"), var("content")))),
         "held", (*APPROVE_1, *DECIDED), doc="The first of two approvals."),
    Move("T13", "approve_second", ("held",), (V,),
         (NOT_AUTHOR, *SEEN, *COMPLETE, ("TWO_PERSON", eq(var("two_person"), const(True))), SAME_HASH,
          ("FIRST", eq(var("ok1_hash"), var("content"))), ("OTHER_PERSON", ne(var("ok1"), arg("principal")))),
         "released", (*APPROVE_2, *DECIDED, *LET_GO), ("email.released",), releases=True, doc="The second person completes it."),
    Move("T14", "edit", ("held",), (V,), (*SEEN, FROZEN_NOT), "held", (*ADOPT, *DROP_APPROVALS), ("email.held",), doc="A reviewer rewrites it and leaves it waiting."),
    Move("T15a", "edit_approve", ("held",), (V,), (NOT_AUTHOR, *SEEN, FROZEN_NOT, ("PLACEHOLDER", no(arg("placeholder"))), ALONE, EDIT_HASH),
         "released", (*DROP_APPROVALS[3:], *ADOPT, *APPROVE_1, *DECIDED, *LET_GO), ("email.released",), releases=True,
         doc="A reviewer rewrites it and lets the new content go."),
    Move("T15b", "edit_approve", ("held",), (V,),
         (NOT_AUTHOR, *SEEN, FROZEN_NOT, ("PLACEHOLDER", no(arg("placeholder"))), ("TWO_PERSON", eq(var("two_person"), const(True))), EDIT_HASH),
         "held", (*DROP_APPROVALS[3:], *ADOPT, *APPROVE_1, *DECIDED), ("email.held",), doc="The editor counts as the first of two."),
    Move("T16", "fall_back", ("released", "deferred"), (S,), (("NOT_RELEASABLE", no(RELEASABLE)), OFF_WIRE), "held", HOLD, ("email.held",),
         doc="The world was tightened; it waits for a person again."),
    Move("T17", "send_back", ("held",), (V, O),
         (("NOTE", eq(arg("has_note"), const(True))), ("NOT_FINAL", no(arg("final"))), ("ROUNDS", le(add(var("rounds"), const(1)), var("rounds_max"))), FROZEN_NOT),
         "revising", (*DROP_APPROVALS, *DECIDED, ("rounds", add(var("rounds"), const(1))), ("reason", arg("reason")), ("rejection_final", const(False))),
         ("email.rejected",), doc="Back to its author, with a note."),
    Move("T18", "reject", ("held",), (V, O),
         (("ENDS", either(no(arg("has_note")), eq(arg("final"), const(True)), no(le(add(var("rounds"), const(1)), var("rounds_max"))), eq(var("attempted"), const(True)))),),
         "rejected", (*DROP_APPROVALS, *DECIDED, ("reason", arg("reason")), ("rejection_final", const(True))), ("email.rejected",), doc="A person said no, for good."),
    Move("T19", "revise", ("revising", "held"), (S,), (("BY_AUTHOR", eq(arg("author"), var("author"))), FROZEN_NOT), "held", (*ADOPT, *DROP_APPROVALS, *HOLD),
         ("email.held",), doc="A rewrite stays held: policy must not free what was held."),
    Move("T20", "cancel", (*WAITING, "deferred"), (A, V, O),
         (OFF_WIRE, ("OWN", either(ne(arg("role"), const("agent")), eq(arg("principal"), var("author"))))), "cancelled",
         (("reason", arg("reason")),), ("email.cancelled",), doc="Withdrawn before it was on the wire."),
    Move("T21", "expire", ("quarantined", *WAITING), (S,), (("OVERDUE", eq(var("overdue"), const(True))), OFF_WIRE, ("UNTRIED", UNTRIED)), "expired", (),
         ("email.expired",), doc="Time ends it unsent; it never approves."),
    Move("T22", "supersede", WAITING, (S,), (OFF_WIRE, ("UNTRIED", UNTRIED)), "superseded", (("reason", arg("reason")),), ("email.superseded",),
         doc="A newer draft answers a later mail of the customer."),
)  # fmt: skip

IS_OPEN: tuple[str, Expr] = ("OPEN", both(eq(var("follows"), const(True)), eq(var("of_release"), var("release"))))
CLEAR: Guard = (
    ("NOT_READ_ONLY", ne(EFFECTIVE, const("read_only"))), ("NOT_PAUSED", no(var("paused"))),
    ("NOT_SUPPRESSED", no(var("suppressed"))), ("NOT_BLOCKED", no(var("policy_block"))),
)  # fmt: skip
READY: Guard = (
    IS_OPEN, ("RELEASABLE", RELEASABLE), *CLEAR, ("GRANT", eq(arg("grant_ok"), const(True))),
    ("DUE", eq(var("due"), const(True))), ("TURN", eq(var("turn"), const(True))),
)  # fmt: skip
CLAIM = (
    ("phase", const("claimed")), ("owner", arg("owner")), ("lease_until", arg("lease_until")), ("used", const(True)),
    ("sent_hash", var("content")), ("attempts", add(var("attempts"), const(1))),
)  # fmt: skip
TOLD = (
    ("phase", const("none")), ("owner", NOTHING), ("lease_until", NOTHING), ("stage", arg("stage")), ("code", arg("code")),
    ("enhanced", arg("enhanced")), ("reply", arg("reply")), ("remote_id", arg("remote_id")), ("via", arg("via")),
)  # fmt: skip
MINE: tuple[str, Expr] = ("MINE", eq(var("owner"), arg("owner")))
PHASE_CLAIMED: tuple[str, Expr] = ("CLAIMED", eq(var("phase"), const("claimed")))
PHASE_ANNOUNCED: tuple[str, Expr] = ("ANNOUNCED", eq(var("phase"), const("announced")))
NOTED: tuple[str, Expr] = ("NOTE", eq(arg("has_note"), const(True)))
END = ("ended_at", arg("now"))

DELIVERY_MOVES: tuple[Move, ...] = (
    Move("T24", "claim", ("released",), (S,), READY, "sending", CLAIM, of="delivery", service="sender", doc="A sender takes it up."),
    Move("T25", "retry", ("deferred",), (S,), READY, "sending", CLAIM, of="delivery", service="sender", doc="A sender tries again."),
    Move("T26", "takeover", ("sending",), (S,), (PHASE_CLAIMED, ("LEASE_OVER", eq(var("lease_over"), const(True)))), "sending",
         (("owner", arg("owner")), ("lease_until", arg("lease_until"))), of="delivery", service="sender", doc="Its sender died before the intent."),
    Move("T27", "announce", ("sending",), (S,), (PHASE_CLAIMED, MINE), "sending", (("phase", const("announced")),), of="delivery", service="sender",
         doc="The intent: the final dot comes next."),
    Move("T28", "accepted", ("sending", "uncertain"), (S,), (("ANNOUNCED", either(eq(var("state"), const("uncertain")), eq(var("phase"), const("announced")))),),
         "delivered", (*TOLD, END), ("email.delivered",), of="delivery", service="sender", doc="The next hop took it."),
    Move("T29", "defer", ("sending",), (S,), (MINE,), "deferred", (*TOLD, ("due_at", arg("due_at"))), ("email.deferred",), of="delivery", service="sender",
         doc="Not now; it will be tried again."),
    Move("T30", "fail", ("sending", "deferred", "uncertain", "delivered"), (S,), (), "bounced", (*TOLD, END), ("email.bounced",), of="delivery", service="sender",
         doc="Failed for good."),
    Move("T31", "lose", ("sending",), (S,), (PHASE_ANNOUNCED, ("LOST", either(eq(var("owner"), arg("owner")), eq(var("lease_over"), const(True))))), "uncertain", TOLD,
         ("email.uncertain",), of="delivery", service="sender", doc="Nobody can know whether it was taken."),
    Move("T32", "resolve_not_delivered", ("uncertain",), (V, O), (NOTED,), "held", (("phase", const("none")),), ("email.held",), of="delivery",
         doc="A person says that it did not arrive; it waits for a new approval."),
    Move("T33", "resolve_delivered", ("uncertain",), (V, O), (NOTED,), "delivered", (("phase", const("none")), END), ("email.delivered",), of="delivery",
         doc="A person says that it arrived."),
)  # fmt: skip

MOVES: tuple[Move, ...] = (*MESSAGE_MOVES, *DELIVERY_MOVES)
BY_ID: dict[str, Move] = {move.id: move for move in MOVES}

BIRTHS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # row   event         state          emitted
    "T01": ("receive", "received", ("email.received",)),
    "T02": ("quarantine", "quarantined", ("email.quarantined",)),
    "T05": ("ask_draft", "drafting", ("email.drafted",)),
    "R1": ("add_revision", "", ("email.drafted",)),
}
"""Rows that bring something into being; R1 adds a revision to a mail and moves nothing."""

SENTENCES: dict[str, str] = {
    "STATE": "the mail is not in a state that allows this",
    "VERSION": "the mail has moved on meanwhile",
    "ROLE": "this credential may not do that",
    "NOT_AUTHOR": "the author of a draft never decides on it",
    "OWN": "only its author or a person may do that",
    "SEEN": "the draft is not the one that was looked at",
    "HEAD": "the customer has written again since it was looked at",
    "CONTENT": "there is no text yet",
    "PLACEHOLDER": "the draft asks a reviewer to fill something in",
    "ONE_PERSON": "two people must approve here",
    "OTHER_PERSON": "the second approval must be another person's",
    "NO_FIRST": "the first approval is there already",
    "NEVER_TRIED": "a delivery was attempted, so the content is frozen",
    "UNTRIED": "a delivery was attempted",
    "OFF_WIRE": "a delivery is on the wire",
    "NOT_READ_ONLY": "the mailbox sends nothing",
    "NOT_PAUSED": "sending is paused",
    "NOT_SUPPRESSED": "the recipient opted out, bounced or complained",
    "NOTE": "a note is needed",
    "OVERDUE": "it is not overdue",
    "GRANT": "the grant does not cover this content",
    "RELEASABLE": "it needs an approval",
}
