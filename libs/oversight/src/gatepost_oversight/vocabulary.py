"""What every variable and argument of the table is: its kind, whether it may be missing, and what it means.

The prover takes its sorts from here, the tests their random worlds, the documentation its glossary. A variable that a
row reads or sets and that is not listed here fails the table's own check (`unexplained`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gatepost_oversight.expr import Expr, names
from gatepost_oversight.move import Move


class Kind(StrEnum):
    """What sort of value it is."""

    STATE = "state"
    MODE = "mode"
    TEXT = "text"  # compared for equality only
    NUMBER = "number"
    FLAG = "flag"
    OTHER = "other"  # moments and lists: stored, never compared


class Of(StrEnum):
    """Whose it is."""

    MAIL = "the mail"
    LIVE = "live facts around the mail"
    REVISION = "the revision that the step names"
    DELIVERY = "one delivery"
    BIRTH = "a mail that is being made"
    WORLD = "what a world row changes"
    STEP = "what the step is given"


@dataclass(frozen=True)
class Word:
    """One variable or argument."""

    name: str
    of: Of
    kind: Kind
    doc: str
    may_be_missing: bool = False


def _words(of: Of, *rows: tuple[str, Kind, str] | tuple[str, Kind, str, bool]) -> tuple[Word, ...]:
    return tuple(Word(row[0], of, row[1], row[2], *row[3:]) for row in rows)


_STATE, _MODE, _TEXT = Kind.STATE, Kind.MODE, Kind.TEXT
_NUMBER, _FLAG, _OTHER = Kind.NUMBER, Kind.FLAG, Kind.OTHER
MISSING = True

VARIABLES: tuple[Word, ...] = (
    *_words(
        Of.MAIL,
        ("st", _STATE, "its state"),
        ("version", _NUMBER, "how many steps it has made; the number of its newest audit record"),
        ("mailbox", _TEXT, "the mailbox it belongs to"),
        ("direction", _TEXT, "inbound or outbound"),
        ("drafter", _TEXT, "the principal whose draft it is", MISSING),
        ("ask", _MODE, "the mode its author asked for; it may only tighten", MISSING),
        ("ask_at_submit", _MODE, "the same, when it was first taken up", MISSING),
        ("content", _TEXT, "the hash over all that a recipient sees", MISSING),
        ("revision", _NUMBER, "the adopted revision; 0: none yet"),
        ("recipients", _OTHER, "to, cc and bcc of the adopted revision"),
        ("subject", _OTHER, "the subject line of the adopted revision"),
        ("category", _TEXT, "its category", MISSING),
        ("evidence", _OTHER, "which source supports which sentence"),
        ("placeholder", _FLAG, "it holds a [REVIEWER: ...] mark"),
        ("system_template", _FLAG, "it is a mail of the installation itself, from a fixed template"),
        ("rule_category", _TEXT, "the category that the gatekeeper's own rules gave it", MISSING),
        ("rule_revision", _NUMBER, "the revision of that rule", MISSING),
        ("mode_grant_id", _TEXT, "the rule or allowlist entry whose looser mode it uses", MISSING),
        ("ok1", _TEXT, "the principal of the first approval", MISSING),
        ("ok1_hash", _TEXT, "the content that the first approval is of", MISSING),
        ("ok1_key", _TEXT, "the key that gave the first approval", MISSING),
        ("ok1_for", _NUMBER, "the release that the first approval is for", MISSING),
        ("ok2", _TEXT, "the principal of the second approval", MISSING),
        ("ok2_hash", _TEXT, "the content that the second approval is of", MISSING),
        ("ok2_key", _TEXT, "the key that gave the second approval", MISSING),
        ("ok2_for", _NUMBER, "the release that the second approval is for", MISSING),
        ("rounds", _NUMBER, "how often it was sent back to its author"),
        ("release", _NUMBER, "the number of its present release; 0: never released"),
        ("grant_token", _OTHER, "the signed grant of the present release", MISSING),
        ("reason", _TEXT, "why it was refused, rejected, cancelled or given back", MISSING),
        ("reasons", _OTHER, "every policy rule that spoke against it"),
        ("rejection_final", _FLAG, "a person's no was for good", MISSING),
        ("reviser", _TEXT, "the reviewer who edited it last", MISSING),
        ("decided_by", _TEXT, "the person who decided last", MISSING),
        ("held_at", _OTHER, "since when it waits", MISSING),
        ("decided_at", _OTHER, "when a person decided last", MISSING),
        ("released_at", _OTHER, "when it was last let go", MISSING),
        ("expires_at", _OTHER, "when waiting ends unsent", MISSING),
    ),
    *_words(
        Of.LIVE,
        ("mode", _MODE, "the mailbox's mode"),
        ("ceiling", _MODE, "the loosest mode that any grant may reach here"),
        ("granted_mode", _MODE, "the mode a person granted for its category or recipients", MISSING),
        ("covers_ask", _FLAG, "that grant covers a caller's gated_send", MISSING),
        ("two_person", _FLAG, "two different people must approve"),
        ("rounds_max", _NUMBER, "how often a draft may be sent back"),
        ("policy_block", _FLAG, "the scanner blocks this mail or its mailbox"),
        ("paused", _FLAG, "a pause covers it; never true of the system mailbox"),
        ("suppressed", _FLAG, "a recipient opted out or bounced; of a delivery: its recipient"),
        ("ok1_active", _FLAG, "the key of the first approval was not revoked"),
        ("ok2_active", _FLAG, "the key of the second approval was not revoked"),
        ("thread_head", _TEXT, "the newest inbound mail of the thread", MISSING),
        ("overdue", _FLAG, "its waiting time is over", MISSING),
        ("ends", _OTHER, "when its waiting would end if it began now"),
        ("newer", _FLAG, "a newer draft of the thread answers a later mail"),
        ("next_n", _NUMBER, "the number of its next revision"),
        ("attempted", _FLAG, "an attempt of one of its deliveries was begun, ever"),
        ("claimed", _FLAG, "one of its deliveries is on the wire"),
        ("unfinished", _FLAG, "a recipient has no end yet"),
    ),
    *_words(
        Of.REVISION,
        ("rev_n", _NUMBER, "its number", MISSING),
        ("rev_kind", _TEXT, "draft, edit or failed", MISSING),
        ("rev_author", _TEXT, "the principal who wrote it", MISSING),
        ("rev_content", _TEXT, "the hash of its content", MISSING),
        ("rev_placeholder", _FLAG, "it holds a [REVIEWER: ...] mark", MISSING),
        ("rev_ask", _MODE, "the mode its author asked for", MISSING),
        ("rev_recipients", _OTHER, "to, cc and bcc", MISSING),
        ("rev_subject", _OTHER, "its subject line", MISSING),
        ("rev_category", _TEXT, "its author's label, else the mail's", MISSING),
        ("rev_evidence", _OTHER, "which source supports which sentence", MISSING),
    ),
    *_words(
        Of.DELIVERY,
        ("st_delivery", _STATE, "its state"),
        ("of_release", _NUMBER, "the release it was made by"),
        ("used", _FLAG, "an attempt has begun under this release"),
        ("sent_hash", _TEXT, "the content that was last attempted", MISSING),
        ("phase", _TEXT, "none, claimed, or announced: the intent before the final dot"),
        ("owner", _TEXT, "the sender process that works on it", MISSING),
        ("lease_until", _OTHER, "how long its owner has said to need", MISSING),
        ("attempts", _NUMBER, "how many attempts were begun"),
        ("due", _FLAG, "undo window, send_at and retry time are over"),
        ("due_at", _OTHER, "when it is due"),
        ("turn", _FLAG, "no older mail of this thread to this recipient is still under way"),
        ("lease_over", _FLAG, "its owner's time is over", MISSING),
        ("via", _OTHER, "mx or relay", MISSING),
        ("stage", _OTHER, "how far the last attempt came", MISSING),
        ("code", _OTHER, "the other side's reply code", MISSING),
        ("enhanced", _OTHER, "its enhanced code", MISSING),
        ("reply", _OTHER, "its words", MISSING),
        ("remote_id", _OTHER, "its queue id", MISSING),
        ("ended_at", _OTHER, "when it ended", MISSING),
    ),
    *_words(
        Of.BIRTH,
        ("to_oversight", _FLAG, "its one recipient is the tenant's oversight address", MISSING),
    ),
    *_words(
        Of.WORLD,
        ("exists", _FLAG, "what the step speaks of is there and has not ended"),
        ("grant_live", _FLAG, "a grant under that name is in force"),
        ("grant_mode", _MODE, "its mode", MISSING),
        ("grant_covers", _FLAG, "it covers a caller's gated_send", MISSING),
        ("grant_now", _MODE, "its mode, else the mailbox's"),
        ("settled", _FLAG, "no draft or delivery of the mails that are moved is still open"),
        ("asked_enough", _FLAG, "three codes were asked for within the last hour"),
        ("request_open", _FLAG, "the request for this mode is neither redeemed nor too old nor out of tries"),
    ),
)  # fmt: skip

ARGUMENTS: tuple[Word, ...] = _words(
    Of.STEP,
    ("actor_key", _TEXT, "the key of the one who acts", MISSING),
    ("seen_hash", _TEXT, "the content that was looked at", MISSING),
    ("seen_head", _TEXT, "the newest inbound mail that was looked at", MISSING),
    ("verdict", _TEXT, "what policy says: release, hold or refuse", MISSING),
    ("mode_grant_id", _TEXT, "the rule that the gatekeeper matched", MISSING),
    ("has_note", _FLAG, "the person gave a note", MISSING),
    ("final", _FLAG, "the person wants no further draft", MISSING),
    ("reason", _TEXT, "why", MISSING),
    ("reasons", _OTHER, "every policy rule that spoke against it", MISSING),
    ("now", _OTHER, "the moment of the step"),
    ("expires_at", _OTHER, "when waiting ends unsent", MISSING),
    ("due_at", _OTHER, "when it is due", MISSING),
    ("grant_token", _OTHER, "the signed grant", MISSING),
    ("grant_ok", _FLAG, "the grant was verified against the bytes", MISSING),
    ("owner", _TEXT, "the sender process that acts", MISSING),
    ("lease_until", _OTHER, "how long it needs", MISSING),
    ("proven", _FLAG, "a report proves it", MISSING),
    ("via", _OTHER, "mx or relay", MISSING),
    ("stage", _OTHER, "how far the attempt came", MISSING),
    ("code", _OTHER, "the other side's reply code", MISSING),
    ("enhanced", _OTHER, "its enhanced code", MISSING),
    ("reply", _OTHER, "its words", MISSING),
    ("remote_id", _OTHER, "its queue id", MISSING),
    ("fine", _FLAG, "ingest's verdict on inbound mail", MISSING),
    ("kind", _TEXT, "draft, edit or failed", MISSING),
    ("n", _NUMBER, "the number that the author gave the revision", MISSING),
    ("mode", _MODE, "the new mode", MISSING),
    ("ceiling", _MODE, "the new ceiling", MISSING),
    ("on", _FLAG, "on or off", MISSING),
    ("covers_ask", _FLAG, "an operator ticked that the grant covers a caller's gated_send", MISSING),
    ("code_ok", _FLAG, "the one-time code was compared and is right", MISSING),
    ("rule_category", _TEXT, "the category that the gatekeeper's own rules gave it", MISSING),
    ("rule_revision", _NUMBER, "the revision of that rule", MISSING),
    ("template", _TEXT, "the template of a system mail", MISSING),
)  # fmt: skip

VARIABLE: dict[str, Word] = {word.name: word for word in VARIABLES}
ARGUMENT: dict[str, Word] = {word.name: word for word in ARGUMENTS}


def expressions(row: Move) -> Iterator[Expr]:
    """Every expression of a row."""
    yield from (condition for _, condition in row.guard)
    yield from (value for _, value in row.set)
    yield from (value for _, values in row.then for _, value in values)


def unexplained(moves: Sequence[Move]) -> frozenset[str]:
    """Names that rows use and this page does not explain."""
    found: set[str] = set()
    for row in moves:
        found |= {name for name, _ in row.set} | {name for _, values in row.then for name, _ in values}
        for expr in expressions(row):
            found |= set(names(expr, "var"))
    arguments = {name for row in moves for expr in expressions(row) for name in names(expr, "arg")}
    return frozenset((found - set(VARIABLE)) | {f"arg {name}" for name in arguments - set(ARGUMENT)})
