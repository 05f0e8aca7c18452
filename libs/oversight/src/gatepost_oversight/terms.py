"""The names that do the work: what the guards of the lifecycle are made of.

A conjunct is a name and an expression. The name comes back when it fails, and `SENTENCES` says it in words.
"""

from __future__ import annotations

from gatepost_oversight.expr import (
    NOTHING,
    PRINCIPAL,
    ROLE,
    TRUE,
    Expr,
    add,
    all_of,
    any_of,
    arg,
    const,
    eq,
    ite,
    le,
    level,
    ne,
    negate,
    var,
)  # fmt: skip
from gatepost_oversight.mode import Mode

Conjunct = tuple[str, Expr]


def is_true(a: Expr) -> Expr:
    """It holds."""
    return eq(a, TRUE)


def one_of(a: Expr, *values: str) -> Expr:
    """It is one of these."""
    return any_of(*(eq(a, const(v)) for v in values))


def stricter(a: Expr, b: Expr) -> Expr:
    """The stricter of two modes."""
    return ite(le(level(a), level(b)), a, b)


BASE = ite(ne(var("granted_mode"), NOTHING), var("granted_mode"), var("mode"))
COVERED = any_of(eq(var("ask"), NOTHING), all_of(is_true(var("covers_ask")), eq(var("ask"), const(Mode.GATED_SEND))))
ASKED = ite(COVERED, BASE, var("ask"))
LIMIT = stricter(BASE, var("ceiling"))
EFFECTIVE = stricter(LIMIT, ASKED)
GATED = negate(le(level(const(Mode.MONITORED)), level(EFFECTIVE)))  # what is no mode gates
READ_ONLY = any_of(
    eq(var("mode"), const(Mode.READ_ONLY)),
    eq(var("ceiling"), const(Mode.READ_ONLY)),
    eq(EFFECTIVE, const(Mode.READ_ONLY)),
)


def approval(n: str, release: Expr) -> Expr:
    """Approval `ok1` or `ok2` stands: of exactly this content, by a key that is still active, for this release."""
    return all_of(
        ne(var("content"), NOTHING), ne(var(n), NOTHING), eq(var(f"{n}_hash"), var("content")),
        is_true(var(f"{n}_active")), eq(var(f"{n}_for"), release),
    )  # fmt: skip


NEXT = add(var("release"), const(1))
FIRST = approval("ok1", NEXT)  # while it is held: for the release it would make
TWO = is_true(var("two_person"))
APPROVED_NOW = all_of(
    approval("ok1", var("release")),
    any_of(negate(TWO), all_of(approval("ok2", var("release")), ne(var("ok1"), var("ok2")))),
)
RELEASABLE_NOW = any_of(negate(GATED), APPROVED_NOW, is_true(var("system_template")))
REFUSABLE = any_of(is_true(var("suppressed")), is_true(var("policy_block")), READ_ONLY)
SENDABLE_BACK = all_of(
    is_true(arg("has_note")),
    le(add(var("rounds"), const(1)), var("rounds_max")),
    negate(arg("final")),
    negate(var("attempted")),
)

# The conjuncts.
RELEASABLE: Conjunct = ("RELEASABLE", RELEASABLE_NOW)
NOT_RELEASABLE: Conjunct = ("NOT_RELEASABLE", negate(RELEASABLE_NOW))
NOT_READ_ONLY: Conjunct = ("NOT_READ_ONLY", negate(READ_ONLY))
NOT_PAUSED: Conjunct = ("NOT_PAUSED", negate(var("paused")))
NOT_SUPPRESSED: Conjunct = ("NOT_SUPPRESSED", negate(var("suppressed")))
NOT_BLOCKED: Conjunct = ("NOT_BLOCKED", negate(var("policy_block")))
CLEAR = (NOT_READ_ONLY, NOT_PAUSED, NOT_SUPPRESSED, NOT_BLOCKED)
NOT_REFUSABLE: Conjunct = ("NOT_REFUSABLE", negate(REFUSABLE))
OWN: Conjunct = ("OWN", all_of(ne(PRINCIPAL, NOTHING), eq(PRINCIPAL, var("drafter"))))
OWN_OR_PERSON: Conjunct = ("OWN", any_of(ne(ROLE, const("agent")), OWN[1]))
NOT_AUTHOR: Conjunct = ("NOT_AUTHOR", all_of(ne(PRINCIPAL, NOTHING), ne(PRINCIPAL, var("drafter"))))
SEEN: Conjunct = ("SEEN", eq(arg("seen_hash"), var("content")))
HEAD: Conjunct = ("HEAD", eq(arg("seen_head"), var("thread_head")))
CONTENT: Conjunct = ("CONTENT", ne(var("content"), NOTHING))
NO_PLACEHOLDER: Conjunct = ("PLACEHOLDER", negate(var("placeholder")))
FITS_POLICY = all_of(
    RELEASABLE_NOW, negate(var("placeholder")), ne(var("content"), NOTHING), is_true(var("unfinished"))
)
LETS_GO: Conjunct = ("VERDICT", eq(arg("verdict"), const("release")))
MUST_HOLD: Conjunct = (
    "VERDICT",
    all_of(ne(arg("verdict"), const("refuse")), negate(all_of(eq(arg("verdict"), const("release")), FITS_POLICY))),
)
UNFINISHED: Conjunct = ("UNFINISHED", is_true(var("unfinished")))
NOT_FROZEN: Conjunct = ("NEVER_TRIED", negate(var("attempted")))
NOT_CLAIMED: Conjunct = ("OFF_WIRE", negate(var("claimed")))
ONE_PERSON: Conjunct = ("ONE_PERSON", negate(TWO))
TWO_PERSON: Conjunct = ("TWO_PERSON", TWO)
NO_FIRST: Conjunct = ("NO_FIRST", negate(FIRST))
OTHERS_FIRST: Conjunct = ("OTHER_PERSON", all_of(FIRST, ne(var("ok1"), PRINCIPAL)))
OWN_DRAFT: Conjunct = (
    "BY_AUTHOR",
    all_of(
        eq(var("rev_kind"), const("draft")), eq(var("rev_author"), var("drafter")), ne(var("rev_content"), NOTHING),
        le(add(var("revision"), const(1)), var("rev_n")),
    ),
)  # fmt: skip
OWN_EDIT: Conjunct = (
    "OWN_EDIT",
    all_of(
        eq(var("rev_kind"), const("edit")), eq(var("rev_author"), PRINCIPAL), ne(var("rev_content"), NOTHING),
        le(add(var("revision"), const(1)), var("rev_n")),
    ),
)  # fmt: skip
EDIT_COMPLETE: Conjunct = ("PLACEHOLDER", negate(var("rev_placeholder")))
TIGHTENED = ite(
    any_of(eq(var("rev_ask"), NOTHING), le(level(var("ask")), level(var("rev_ask")))), var("ask"), var("rev_ask")
)
ASK: Conjunct = ("NOT_LOOSER", any_of(eq(TIGHTENED, NOTHING), le(level(TIGHTENED), level(LIMIT))))
OPEN: Conjunct = (
    "OPEN",
    all_of(
        one_of(var("st"), "released", "sending", "deferred", "uncertain"), eq(var("of_release"), var("release")),
        ne(var("content"), NOTHING),
    ),
)  # fmt: skip
GRANT: Conjunct = ("GRANT", is_true(arg("grant_ok")))
DUE: Conjunct = ("DUE", is_true(var("due")))
TURN: Conjunct = ("TURN", is_true(var("turn")))
NOT_USED: Conjunct = ("NOT_USED", negate(var("used")))
NOTE: Conjunct = ("NOTE", is_true(arg("has_note")))
CLAIM = (OPEN, RELEASABLE, *CLEAR, GRANT, DUE, TURN)
IS_CLAIMED: Conjunct = ("IS_CLAIMED", eq(var("phase"), const("claimed")))
IS_ANNOUNCED: Conjunct = ("IS_ANNOUNCED", eq(var("phase"), const("announced")))
OWNER: Conjunct = ("OWNER", all_of(ne(arg("owner"), NOTHING), eq(var("owner"), arg("owner"))))
LEASE_OVER: Conjunct = ("LEASE_OVER", is_true(var("lease_over")))
SYSTEM_TEMPLATES = ("upgrade_code", "approval_code", "demoted", "waiting", "deviated", "endpoint")
"""The fixed texts in which the installation writes to the oversight address."""
TEMPLATE: Conjunct = ("TEMPLATE", one_of(arg("template"), *SYSTEM_TEMPLATES))
OVERSIGHT_ADDRESS: Conjunct = ("OVERSIGHT_ADDRESS", is_true(var("to_oversight")))
OVERDUE: Conjunct = ("OVERDUE", is_true(var("overdue")))
NEWER: Conjunct = ("NEWER", is_true(var("newer")))


SENTENCES: dict[str, str] = {
    "STATE": "it is not in a state in which this can be done",
    "ROLE": "the credential's role may not do this",
    "VERSION": "it changed in the meantime",
    "RELEASABLE": "its mode asks for an approval of exactly this content",
    "NOT_RELEASABLE": "it may still leave",
    "NOT_READ_ONLY": "the mailbox is read-only",
    "NOT_PAUSED": "sending is paused",
    "NOT_SUPPRESSED": "the recipient opted out or bounced",
    "NOT_BLOCKED": "a policy block is set",
    "NOT_REFUSABLE": "policy forbids it by now",
    "VERDICT": "policy's verdict on it is another one",
    "FORBIDDEN": "nothing forbids it",
    "OWN": "it is another author's draft",
    "NOT_AUTHOR": "the author of a draft may not approve it",
    "SEEN": "the draft is not the one that was looked at",
    "HEAD": "the customer has written again since it was looked at",
    "CONTENT": "it has no content yet",
    "PLACEHOLDER": "it still asks a reviewer to fill something in",
    "UNFINISHED": "every recipient already has an outcome",
    "NEVER_TRIED": "an attempt was made, so its content can no longer change",
    "OFF_WIRE": "a delivery is on the wire",
    "ONE_PERSON": "two different people must approve",
    "TWO_PERSON": "one person is enough here",
    "NO_FIRST": "the first approval is already given",
    "OTHER_PERSON": "the second approval needs a first one by another person",
    "BY_AUTHOR": "no newer draft of this author was found under that number",
    "OWN_EDIT": "no newer edit of this person was found under that number",
    "NOT_LOOSER": "it asks for more autonomy than the mailbox gives",
    "OPEN": "it is not released any more",
    "GRANT": "the grant does not cover it",
    "DUE": "it is not due yet",
    "TURN": "an older mail of this thread to this recipient goes first",
    "NOT_USED": "this approval was used already",
    "NOTE": "a note is needed",
    "SENDABLE_BACK": "it needs a note and a round left, and its content must be open",
    "NOT_SENDABLE_BACK": "with a note and rounds left it goes back to its author",
    "IS_CLAIMED": "nobody has claimed it",
    "IS_ANNOUNCED": "its last step before the wire was not recorded",
    "OWNER": "another sender owns it",
    "LEASE_OVER": "its owner still works on it",
    "OVERDUE": "its time is not over",
    "NEWER": "no newer draft answers a later mail",
    "FINE": "the mail is not fine, or the mailbox holds all inbound mail",
    "NOT_FINE": "the mail is fine",
    "PROVEN": "only a proven report can end what was delivered",
    "THREAD": "the thread belongs to another mailbox",
    "EXPECTED": "another revision came first",
    "KIND": "this kind of revision is not theirs to write, or not now",
    "OUTBOUND": "it is not a mail of ours",
    "SYSTEM_MAILBOX": "only the system mailbox sends this",
    "UP_TO_CEILING": "the mode is above the ceiling",
    "CODE": "the code is not valid, was used, or is too old",
    "RATE": "too many codes were asked for in the last hour",
    "SETTLED": "a draft or a delivery of these mails is still open",
    "TEMPLATE": "system mail has fixed texts",
    "OVERSIGHT_ADDRESS": "system mail goes to the account's oversight address alone",
    "LOWER": "only an operator may raise a mode",
    "EXISTS": "there is no such thing, or it has ended",
}
