"""The life of a mail as one table: every step there is, and nothing else.

Services run these rows as generated SQL, the console asks them which button is enabled, the proofs read them.
`src` of a message row and of a delivery row are states of what it moves; a row on a delivery recomputes the message's.
Ids are written into every audit record and never reused. T23 stays unused: being due is the claim's condition DUE.
"""

from __future__ import annotations

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import (
    FALSE,
    NOTHING,
    PRINCIPAL,
    TRUE,
    Expr,
    add,
    all_of,
    any_of,
    arg,
    const,
    eq,
    ite,
    ne,
    negate,
    var,
)  # fmt: skip
from gatepost_oversight.mode import Mode
from gatepost_oversight.move import Move, On, move
from gatepost_oversight.states import State as S  # noqa: N817 (the table is read in columns)
from gatepost_oversight.terms import (
    ASK,
    CLAIM,
    CONTENT,
    EDIT_COMPLETE,
    HEAD,
    IS_ANNOUNCED,
    IS_CLAIMED,
    LEASE_OVER,
    LETS_GO,
    MUST_HOLD,
    NEWER,
    NEXT,
    NO_FIRST,
    NO_PLACEHOLDER,
    NOT_AUTHOR,
    NOT_CLAIMED,
    NOT_FROZEN,
    NOT_READ_ONLY,
    NOT_REFUSABLE,
    NOT_RELEASABLE,
    NOT_USED,
    NOTE,
    ONE_PERSON,
    OPEN,
    OTHERS_FIRST,
    OVERDUE,
    OVERSIGHT_ADDRESS,
    OWN,
    OWN_DRAFT,
    OWN_EDIT,
    OWN_OR_PERSON,
    OWNER,
    READ_ONLY,
    RELEASABLE,
    SEEN,
    SENDABLE_BACK,
    SENTENCES,
    TEMPLATE,
    TIGHTENED,
    TWO_PERSON,
    UNFINISHED,
    is_true,
    one_of,
)  # fmt: skip
from gatepost_oversight.world import WORLD

AGENT, REVIEWER, OPERATOR, SYSTEM = Role.AGENT, Role.REVIEWER, Role.OPERATOR, Role.SYSTEM
ONE = const(1)

# What rows set, by theme.
NO_APPROVALS: dict[str, Expr] = dict.fromkeys(
    ("ok1", "ok1_hash", "ok1_key", "ok1_for", "ok2", "ok2_hash", "ok2_key", "ok2_for"), NOTHING
)
ADOPT: dict[str, Expr] = {
    n: var(f"rev_{n}") for n in ("content", "placeholder", "recipients", "subject", "category", "evidence")
} | {"revision": var("rev_n")}
ENDS: dict[str, Expr] = {"expires_at": ite(ne(arg("expires_at"), NOTHING), arg("expires_at"), var("ends"))}
HOLD: dict[str, Expr] = ENDS | {
    "reasons": arg("reasons"), "held_at": arg("now"),
    "mode_grant_id": ite(ne(arg("mode_grant_id"), NOTHING), arg("mode_grant_id"), var("mode_grant_id")),
}  # fmt: skip
DECIDED: dict[str, Expr] = {"decided_by": PRINCIPAL, "decided_at": arg("now")}
RELEASE: dict[str, Expr] = {
    "release": NEXT, "grant_token": arg("grant_token"), "released_at": arg("now"), **ENDS,
}  # fmt: skip
OK1: dict[str, Expr] = {
    **NO_APPROVALS,
    "ok1": PRINCIPAL,
    "ok1_hash": var("content"),
    "ok1_key": arg("actor_key"),
    "ok1_for": NEXT,
}
OK2: dict[str, Expr] = {"ok2": PRINCIPAL, "ok2_hash": var("content"), "ok2_key": arg("actor_key"), "ok2_for": NEXT}
OK1_EDIT: dict[str, Expr] = OK1 | {"ok1_hash": var("rev_content")}
CLAIMED: dict[str, Expr] = {
    "used": TRUE, "phase": const("claimed"), "owner": arg("owner"), "lease_until": arg("lease_until"),
    "attempts": add(var("attempts"), ONE), "sent_hash": var("content"),
}  # fmt: skip
OUTCOME: dict[str, Expr] = {
    "phase": const("none"), "owner": NOTHING, "lease_until": NOTHING, "via": arg("via"), "stage": arg("stage"),
    "code": arg("code"), "enhanced": arg("enhanced"), "reply": arg("reply"), "remote_id": arg("remote_id"),
}  # fmt: skip
END: dict[str, Expr] = OUTCOME | {"ended_at": arg("now")}

REASON = ite(any_of(eq(arg("reason"), NOTHING), eq(arg("reason"), const(""))), const("policy"), arg("reason"))
BORN: dict[str, Expr] = {"expires_at": var("ends")}  # what waits has an end, whoever made it
_UNSENT = (S.DRAFTING, S.DRAFTED, S.HELD, S.REVISING, S.RELEASED)

INBOUND: tuple[Move, ...] = (
    move("T01", "receive", (), (SYSTEM,),
         (("FINE", all_of(is_true(arg("fine")), ne(var("mode"), const(Mode.GATED_ALL)))),), S.RECEIVED,
         "Mail came in and agents may see it.", emits="email.received", on=On.NEW, by="ingest"),
    move("T02", "quarantine", (), (SYSTEM,),
         (("NOT_FINE", any_of(negate(arg("fine")), eq(var("mode"), const(Mode.GATED_ALL)))),), S.QUARANTINED,
         "Mail came in and is kept aside.", emits="email.quarantined", sets=BORN, on=On.NEW, by="ingest"),
    move("T01r", "receive_report", (), (SYSTEM,),
         (("FINE", all_of(is_true(arg("fine")), ne(var("mode"), const(Mode.GATED_ALL)))),), S.RECEIVED,
         "As T01, for a mail that reports on one of ours.", emits=("email.received", "email.reported"), on=On.NEW,
         by="ingest"),
    move("T02r", "quarantine_report", (), (SYSTEM,),
         (("NOT_FINE", any_of(negate(arg("fine")), eq(var("mode"), const(Mode.GATED_ALL)))),), S.QUARANTINED,
         "As T02, for a mail that reports on one of ours: it counts although agents do not see the mail.",
         emits=("email.quarantined", "email.reported"), sets=BORN, on=On.NEW, by="ingest"),
    move("T03", "admit", (S.QUARANTINED,), (REVIEWER,), (), S.RECEIVED,
         "A reviewer lets agents see it.", emits="email.received", sets=DECIDED | {"expires_at": NOTHING}),
    move("T04", "discard", (S.QUARANTINED,), (REVIEWER, OPERATOR), (), S.DISCARDED,
         "A person throws it away.", emits="email.quarantined", sets=DECIDED | {"expires_at": NOTHING}),
)  # fmt: skip

DRAFT: tuple[Move, ...] = (
    move("T05", "ask_draft", (), (AGENT,), (), S.DRAFTING,
         "An author asks for a mail to go out; nothing is decided.", emits="email.drafted", sets=BORN, on=On.NEW,
         by=("drafter", "api")),
    move("R1", "write_revision", (S.DRAFTING, S.REVISING, S.HELD), (AGENT,),
         (("OUTBOUND", eq(var("direction"), const("outbound"))), OWN, NOT_FROZEN,
          ("KIND", one_of(arg("kind"), "draft", "failed")), ("EXPECTED", eq(arg("n"), var("next_n")))), None,
         "Its author writes a further revision; the state stays until it is adopted.", emits="email.drafted",
         on=On.REVISION, by=("drafter", "api")),
    move("R2", "write_edit", (S.HELD,), (REVIEWER,),
         (("OUTBOUND", eq(var("direction"), const("outbound"))), NOT_FROZEN,
          ("KIND", eq(arg("kind"), const("edit"))), ("EXPECTED", eq(arg("n"), var("next_n")))), None,
         "A reviewer writes an edit; it changes nothing until a decision adopts it.", on=On.REVISION, by="api"),
    move("T06", "submit", (S.DRAFTING,), (SYSTEM,), (OWN_DRAFT, ASK, NOT_READ_ONLY), S.DRAFTED,
         "The author's own revision is adopted, to be judged.",
         sets=ADOPT | {
             "ask": TIGHTENED, "ask_at_submit": TIGHTENED,
             "mode_grant_id": ite(ne(arg("mode_grant_id"), NOTHING), arg("mode_grant_id"), var("mode_grant_id")),
             "rule_category": arg("rule_category"), "rule_revision": arg("rule_revision"),
         }),
    move("T07", "draft_failed", (S.DRAFTING, S.REVISING), (SYSTEM,), (), S.HELD,
         "No text came about; a person gets an empty draft, and approving needs content.", emits="email.held",
         sets=HOLD | NO_APPROVALS),
    move("T08", "pass", (S.DRAFTED,), (SYSTEM,),
         (LETS_GO, NOT_REFUSABLE, RELEASABLE, NO_PLACEHOLDER, CONTENT, UNFINISHED), S.RELEASED,
         "Policy lets it go.", emits="email.released", sets=RELEASE, releases=True),
    move("T09", "hold", (S.DRAFTED,), (SYSTEM,), (MUST_HOLD, NOT_REFUSABLE), S.HELD,
         "Policy wants a person to look.", emits="email.held", sets=HOLD),
    move("T10", "refuse", (S.DRAFTED, S.HELD, S.RELEASED, S.DEFERRED), (SYSTEM,),
         (("FORBIDDEN", any_of(
             is_true(var("policy_block")), is_true(var("suppressed")),
             all_of(eq(var("st"), const("drafted")), any_of(READ_ONLY, eq(arg("verdict"), const("refuse")))),
         )), NOT_CLAIMED), S.REFUSED,
         "Policy forbids it.", emits="email.refused", takes_back=S.REFUSED,
         sets={"reasons": arg("reasons"), "reason": REASON}),
    move("T10d", "refuse_delivery", (S.RELEASED, S.DEFERRED), (SYSTEM,),
         (OPEN, ("FORBIDDEN", is_true(var("suppressed")))), S.REFUSED,
         "This recipient opted out after the release; the others are still written to.", emits="email.refused",
         on=On.DELIVERY, sets={"ended_at": arg("now")}, then={S.REFUSED: {"reason": const("suppressed")}}),
)  # fmt: skip

DECISIONS: tuple[Move, ...] = (
    move("T11", "approve", (S.HELD,), (REVIEWER,),
         (NOT_AUTHOR, SEEN, HEAD, NO_PLACEHOLDER, CONTENT, ONE_PERSON, UNFINISHED), S.RELEASED,
         "A reviewer lets exactly this content go.", emits="email.released", sets=OK1 | RELEASE | DECIDED,
         releases=True),
    move("T12", "approve_first", (S.HELD,), (REVIEWER,),
         (NOT_AUTHOR, SEEN, HEAD, NO_PLACEHOLDER, CONTENT, TWO_PERSON, NO_FIRST, UNFINISHED), S.HELD,
         "The first of two people approves.", sets=OK1),
    move("T13", "approve_second", (S.HELD,), (REVIEWER,),
         (NOT_AUTHOR, SEEN, HEAD, NO_PLACEHOLDER, CONTENT, TWO_PERSON, OTHERS_FIRST, UNFINISHED), S.RELEASED,
         "A second, different person approves the same content.", emits="email.released",
         sets=OK2 | RELEASE | DECIDED, releases=True),
    move("T14", "edit", (S.HELD,), (REVIEWER,), (SEEN, HEAD, OWN_EDIT, NOT_FROZEN), S.HELD,
         "A reviewer's edit takes the draft's place; earlier approvals fall.", emits="email.held",
         sets=ADOPT | NO_APPROVALS | HOLD | {"reviser": PRINCIPAL}),
    move("T15a", "edit_approve", (S.HELD,), (REVIEWER,),
         (NOT_AUTHOR, SEEN, HEAD, OWN_EDIT, NOT_FROZEN, EDIT_COMPLETE, ONE_PERSON, UNFINISHED), S.RELEASED,
         "A reviewer lets their own edit go.", emits="email.released",
         sets=ADOPT | OK1_EDIT | RELEASE | DECIDED | {"reviser": PRINCIPAL}, releases=True),
    move("T15b", "edit_approve", (S.HELD,), (REVIEWER,),
         (NOT_AUTHOR, SEEN, HEAD, OWN_EDIT, NOT_FROZEN, EDIT_COMPLETE, TWO_PERSON, UNFINISHED), S.HELD,
         "A reviewer's edit counts as the first of two approvals.", emits="email.held",
         sets=ADOPT | OK1_EDIT | HOLD | {"reviser": PRINCIPAL}),
    move("T16", "fall_back", (S.RELEASED, S.DEFERRED), (SYSTEM,), (NOT_RELEASABLE, NOT_CLAIMED), S.HELD,
         "The world became stricter before it left; a person must look.", emits="email.held", sets=HOLD | NO_APPROVALS,
         takes_back=S.HELD),
    move("T17", "send_back", (S.HELD,), (REVIEWER, OPERATOR),
         (NOTE, ("SENDABLE_BACK", SENDABLE_BACK)), S.REVISING,
         "A person asks the author for another draft.", emits="email.rejected",
         sets=NO_APPROVALS | DECIDED | ENDS | {
             "rounds": add(var("rounds"), ONE), "rejection_final": FALSE, "reason": arg("reason"),
         }),
    move("T18", "reject", (S.HELD,), (REVIEWER, OPERATOR), (("NOT_SENDABLE_BACK", negate(SENDABLE_BACK)),), S.REJECTED,
         "A person says no for good.", emits="email.rejected",
         sets=NO_APPROVALS | DECIDED | {"rejection_final": TRUE, "reason": arg("reason")}),
    move("T19", "revise", (S.REVISING, S.HELD), (SYSTEM,), (OWN_DRAFT, NOT_FROZEN), S.HELD,
         "Its author's rewrite stays held: policy must not free what was held.", emits="email.held",
         sets=ADOPT | NO_APPROVALS | HOLD | {"ask": TIGHTENED}),
    move("T20", "cancel", (*_UNSENT, S.DEFERRED), (AGENT, REVIEWER, OPERATOR), (OWN_OR_PERSON, NOT_CLAIMED), S.CANCELLED,
         "Its author or a person withdraws it before it is on the wire.", emits="email.cancelled",
         sets={"reason": arg("reason")}, takes_back=S.HELD),
    move("T21", "expire", (S.QUARANTINED, *_UNSENT), (SYSTEM,), (OVERDUE, NOT_CLAIMED), S.EXPIRED,
         "Time ends it unsent; it never approves.", emits="email.expired", takes_back=S.HELD),
    move("T22", "supersede", _UNSENT, (SYSTEM,), (NEWER, NOT_FROZEN), S.SUPERSEDED,
         "A newer draft answers a later mail of the customer.", emits="email.superseded", takes_back=S.HELD),
    move("T34", "system_mail", (), (SYSTEM,),
         (("SYSTEM_MAILBOX", eq(var("mailbox"), const("mbx_system"))), TEMPLATE, OVERSIGHT_ADDRESS), S.RELEASED,
         "The installation writes to the tenant's own oversight address, from a fixed template.",
         emits="email.released", sets=BORN | {"system_template": TRUE}, on=On.NEW, releases=True),
)  # fmt: skip

WIRE: tuple[Move, ...] = (
    move("T24", "claim", (S.RELEASED,), (SYSTEM,), (*CLAIM, NOT_USED), S.SENDING,
         "A sender takes a due delivery.", sets=CLAIMED, on=On.DELIVERY, by="sender"),
    move("T25", "retry", (S.DEFERRED,), (SYSTEM,), CLAIM, S.SENDING,
         "A sender takes a delivery that was put off.", sets=CLAIMED, on=On.DELIVERY, by="sender"),
    move("T26", "takeover", (S.SENDING,), (SYSTEM,), (IS_CLAIMED, LEASE_OVER), S.SENDING,
         "Its sender is gone before the last step; another goes on.",
         sets={"owner": arg("owner"), "lease_until": arg("lease_until")}, on=On.DELIVERY, by="sender"),
    move("T27", "announce", (S.SENDING,), (SYSTEM,), (IS_CLAIMED, OWNER), S.SENDING,
         "The intent is recorded just before the final dot.", sets={"phase": const("announced")},
         on=On.DELIVERY, by="sender"),
    move("T28", "accepted", (S.SENDING, S.UNCERTAIN), (SYSTEM,),
         (("IS_ANNOUNCED", any_of(eq(var("st_delivery"), const("uncertain")), IS_ANNOUNCED[1])),), S.DELIVERED,
         "The next hop took it: a 250, or a report that proves it.", emits="email.delivered", sets=END,
         on=On.DELIVERY, by="sender"),
    move("T29", "defer", (S.SENDING,), (SYSTEM,), (OWNER,), S.DEFERRED,
         "Not now: 4yz, or lost before the final dot. Only its owner: another may be past the intent.",
         emits="email.deferred", sets=OUTCOME | {"due_at": arg("due_at")}, on=On.DELIVERY, by="sender"),
    move("T30", "fail", (S.SENDING, S.DEFERRED, S.UNCERTAIN, S.DELIVERED), (SYSTEM,),
         (("PROVEN", any_of(ne(var("st_delivery"), const("delivered")), is_true(arg("proven")))),), S.BOUNCED,
         "Failed for good: 5yz, retry life over, or a proven report.", emits="email.bounced", sets=END,
         on=On.DELIVERY, by="sender"),
    move("T31", "lose", (S.SENDING,), (SYSTEM,), (IS_ANNOUNCED,), S.UNCERTAIN,
         "Nobody can know whether it was taken; it is never resent blindly.", emits="email.uncertain",
         sets=OUTCOME | {"phase": const("announced")}, on=On.DELIVERY, by="sender"),
    move("T32", "resolve_not_delivered", (S.UNCERTAIN,), (REVIEWER, OPERATOR), (NOTE,), S.HELD,
         "A person says that it did not arrive; it waits for another approval.", emits="email.held", on=On.DELIVERY,
         sets={"phase": const("none")}, then={S.HELD: NO_APPROVALS | ENDS | {"reason": arg("reason"), "held_at": arg("now")}}),
    move("T33", "resolve_delivered", (S.UNCERTAIN,), (REVIEWER, OPERATOR),
         (NOTE,), S.DELIVERED,
         "A person says that it arrived.", emits="email.delivered", sets={"phase": const("none"), "ended_at": arg("now")},
         on=On.DELIVERY, by=("gatekeeper", "sender")),
)  # fmt: skip

MOVES: tuple[Move, ...] = INBOUND + DRAFT + DECISIONS + WIRE + WORLD
BY_ID: dict[str, Move] = {m.id: m for m in MOVES}

__all__ = ["BY_ID", "MOVES", "SENTENCES", "WORLD", "Move"]
