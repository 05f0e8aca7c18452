"""Every reachable state of one outbound mail with one recipient, by the evaluator that the services' tables come with.

Bounds: two contents, three modes, five credentials of four people, one round of revision, one recipient.
A violation is a sentence and the step that broke the promise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gatepost_oversight.evaluate import step
from gatepost_oversight.expr import Values, evaluate
from gatepost_oversight.move import Move, On
from gatepost_oversight.states import DERIVABLE, State
from gatepost_oversight.terms import GATED, RELEASABLE_NOW

MODES = ("read_only", "gated_send", "autonomous")
HASHES = ("h1", "h2")


READS_SUPPRESSED = frozenset(("drafted", "held", "released", "deferred"))


class Who(NamedTuple):
    """A credential."""

    role: str
    principal: str | None


AGENT, SELF, ANN, BOB, OPERATOR, SYSTEM = (
    Who("agent", "a"), Who("reviewer", "a"), Who("reviewer", "ann"), Who("reviewer", "bob"), Who("operator", "op"), Who("system", None)
)  # fmt: skip
ACTORS = (AGENT, SELF, ANN, BOB, OPERATOR, SYSTEM)
REVIEWERS = frozenset(("ann", "bob", "a"))


class Mail(NamedTuple):
    """One mail, its delivery, and the world around it."""

    st: str = "drafting"
    mode: str = "gated_send"
    two_person: bool = False
    suppressed: bool = False
    paused: bool = False
    content: str | None = None
    ok1: str | None = None
    ok1_hash: str | None = None
    ok1_for: int | None = None  # counted from the present release, which is always written as 1
    ok2: str | None = None
    ok2_hash: str | None = None
    ok2_for: int | None = None
    rounds: int = 0
    st_delivery: str | None = None
    phase: str = "none"
    used: bool = False
    attempted: bool = False


FIXED: dict[str, Any] = {
    "ceiling": "autonomous", "granted_mode": None, "covers_ask": None, "ask": None, "policy_block": False, "thread_head": "m1",
    "due": True, "turn": True, "overdue": True, "newer": True, "lease_over": True, "drafter": "a", "system_template": False,
    "mode_grant_id": None, "placeholder": False, "ok1_active": True, "ok2_active": True, "rounds_max": 1, "revision": 1, "rev_n": 2,
    "rev_ask": None, "rev_placeholder": False, "rev_recipients": (), "rev_subject": "", "rev_category": None, "rev_evidence": None,
    "release": 1, "of_release": 1, "owner": "s", "attempts": 0, "version": 1, "mailbox": "mbx", "direction": "outbound", "ends": "later",
}  # fmt: skip


def variables(mail: Mail, revision: tuple[str, str, str] | None) -> dict[str, Any]:
    """The table's variables in this state; `revision` is (kind, author, hash) of the revision the step names."""
    kind, author, content = revision or (None, None, None)
    return {
        **FIXED, **mail._asdict(), "claimed": mail.st_delivery == "sending", "rev_kind": kind, "rev_author": author,
        "rev_content": content, "unfinished": mail.st_delivery not in {"delivered", "bounced", "refused"},
    }  # fmt: skip


def arguments(row: Move, mail: Mail) -> Iterator[tuple[dict[str, Any], tuple[str, str, str] | None]]:
    """Everything that a caller could say to this row."""
    told = {"owner": "s", "grant_ok": True, "proven": True, "version": 1, "has_note": True, "seen_head": "m1"}
    if row.id in {"T06", "T19"}:
        yield from ((told, ("draft", author, content)) for author in ("a", "ann") for content in HASHES)
    elif row.id in {"T14", "T15a", "T15b"}:
        for author in ("a", "ann", "bob"):
            for content in HASHES:
                yield told | {"seen_hash": mail.content}, ("edit", author, content)
        yield told | {"seen_hash": "stale"}, ("edit", "ann", "h2")
    elif row.id in {"T11", "T12", "T13"}:
        yield from ((told | {"seen_hash": seen}, None) for seen in HASHES)
    elif row.id in {"T08", "T09", "T10"}:
        yield from ((told | {"verdict": verdict}, None) for verdict in ("release", "hold", "refuse"))
    elif row.id in {"T17", "T18"}:
        yield from (
            (told | {"has_note": note, "final": final}, None) for note in (True, False) for final in (True, False)
        )
    else:
        yield told, None


def moved(row: Move, mail: Mail, who: Who, known: dict[str, Any]) -> Iterator[Mail]:
    """The states that this row leads to; `known` are the variables of this state."""
    current = mail.st_delivery if row.on is On.DELIVERY else mail.st
    if current not in row.src or who.role not in row.roles:
        return
    for told, revision in arguments(row, mail):
        if revision is not None:
            known["rev_kind"], known["rev_author"], known["rev_content"] = revision
        stepped = step(row, known, told, who.role, who.principal, explain=False)
        if stepped.moved:
            changes = {name: value for name, value in stepped.changes.items() if name in Mail._fields}
            yield _settled(row, mail, mail._replace(**changes))


def _settled(row: Move, before: Mail, after: Mail) -> Mail:
    """What the statements do beside the row's own settings: deliveries, and the mail's state that follows them."""
    if row.releases:
        return after._replace(
            st_delivery="released",
            phase="none",
            used=False,
            ok1_for=_older(after.ok1_for),
            ok2_for=_older(after.ok2_for),
        )
    if row.takes_back is not None and before.st_delivery in {"released", "deferred"}:
        return after._replace(st_delivery=str(row.takes_back.value))
    if row.on is On.DELIVERY:
        after = after._replace(attempted=before.attempted or after.used)
        if before.st in {s.value for s in DERIVABLE}:
            after = after._replace(st=after.st_delivery or before.st)
        then = next((dict(values) for state, values in row.then if state == after.st), {})
        cleared = {name: None for name, value in then.items() if name in Mail._fields and value == ("const", None)}
        after = after._replace(**cleared)
    return after


def _older(release: int | None) -> int | None:
    return None if release is None else max(release - 1, 0)


def world(mail: Mail) -> Iterator[Mail]:
    """What changes around a mail, at any time."""
    yield from (mail._replace(mode=mode) for mode in MODES if mode != mail.mode)
    yield mail._replace(two_person=not mail.two_person)
    if mail.st in READS_SUPPRESSED:
        yield mail._replace(suppressed=not mail.suppressed)
    if mail.st_delivery in {"released", "deferred"}:
        yield mail._replace(paused=not mail.paused)


def seen_as(mail: Mail) -> Mail:
    """The state without facts that no row reads in it: the world may set them again whenever one does."""
    if mail.paused and mail.st_delivery not in {"released", "deferred"}:
        mail = mail._replace(paused=False)
    if mail.suppressed and mail.st not in READS_SUPPRESSED:
        mail = mail._replace(suppressed=False)
    return mail


def broken(row: Move, who: Who, before: Mail, after: Mail) -> Iterator[str]:
    """The promises that this step breaks."""
    is_attempt = after.st_delivery == "sending" and before.st_delivery != "sending"
    if is_attempt:
        values: Values[Any] = Values(variables(before, None), {})
        if evaluate(GATED, values) is True:
            if before.ok1 not in REVIEWERS - {"a"} or before.ok1_hash != before.content or before.content is None:
                yield "gated means approved, by a reviewer who is not its author, of exactly this content"
            if before.two_person and (
                before.ok2 not in REVIEWERS - {"a"} or before.ok2 == before.ok1 or before.ok2_hash != before.content
            ):
                yield "two different people where two are asked for"
        if before.suppressed:
            yield "the suppressed are never attempted"
        if before.paused or before.mode == "read_only":
            yield "off means off"
        if before.st_delivery not in {"released", "deferred"}:
            yield "attempts start only from released or deferred"
        if who.role != "system":
            yield "only system steps begin attempts"
        if before.st_delivery == "released" and before.used:
            yield "an approval is used at most once"
    if after.st == "released" and before.st != "released" and row.on is On.MESSAGE:
        released: Values[Any] = Values(variables(after, None), {})
        if evaluate(RELEASABLE_NOW, released) is not True:
            yield "what enters released is releasable"
    if before.st in {"held", "revising"} and after.st in {"released", "sending"} and who.role != "reviewer":
        yield "once held, only a person releases"
    if after.content != before.content:
        if (after.ok1 and after.ok1_hash != after.content) or (after.ok2 and after.ok2_hash != after.content):
            yield "an edit drops every earlier approval"
        if before.attempted:
            yield "content is frozen after the first attempt"
    gained = (after.ok1 and after.ok1 != before.ok1) or (after.ok2 and after.ok2 != before.ok2)
    if gained and who.role != "reviewer":
        yield "only reviewers approve"
    if gained and who.principal == "a":
        yield "the author never approves"
    ended = {"delivered", "bounced", "rejected", "refused", "cancelled", "expired", "superseded"}
    if before.st in ended and after.st != before.st and (before.st, after.st) != ("delivered", "bounced"):
        yield "the end is the end"
    if before.st_delivery == "sending" and after.st_delivery not in {
        "sending",
        "delivered",
        "deferred",
        "bounced",
        "uncertain",
    }:
        yield "on the wire only an outcome ends it"
    if after.st_delivery == "delivered" and before.phase != "announced" and before.st_delivery != "uncertain":
        yield "delivered only after an announced attempt"
    if (
        before.st_delivery == "uncertain"
        and after.st_delivery in {"released", "sending", "deferred"}
        and who.role != "reviewer"
    ):
        yield "uncertain is never resent without a person"
    if after.st in {"sending", "uncertain", "deferred"} and after.st != after.st_delivery:
        yield "the mail tells the truth about its delivery"


class Found(NamedTuple):
    """What a search saw."""

    states: int
    steps: int
    fired: frozenset[str]
    violations: tuple[tuple[str, str, Mail], ...]


def search(moves: Sequence[Move], *, until: str | None = None) -> Found:
    """From a fresh draft to everything; or until a promise that begins with these words is broken."""
    rows = [
        m
        for m in moves
        if (m.on in {On.MESSAGE, On.DELIVERY} and State.QUARANTINED not in m.src - {State.DRAFTING}) or m.id == "T21"
    ]
    rows = [m for m in rows if m.id not in {"T03", "T04"}]
    seen = {Mail()}
    queue = deque([Mail()])
    steps, fired = 0, set()
    violations: list[tuple[str, str, Mail]] = []
    while queue:
        mail = queue.popleft()
        following: list[Mail] = (
            list(world(mail)) if mail.st not in {"rejected", "cancelled", "expired", "superseded", "refused"} else []
        )
        known = variables(mail, None)
        for row in rows:
            for who in ACTORS:
                for after in moved(row, mail, who, known):
                    steps += 1
                    fired.add(row.id)
                    following.append(after)
                    violations.extend((why, row.id, mail) for why in broken(row, who, mail, after))
        if until is not None and any(why.startswith(until) for why, _, _ in violations):
            break
        for after in map(seen_as, following):
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return Found(len(seen), steps, frozenset(fired), tuple(violations))


def without(moves: Iterable[Move], row: str, **changes: Any) -> list[Move]:
    """A broken copy of the table."""
    import dataclasses

    copy = [dataclasses.replace(m, **changes) if m.id == row else m for m in moves]
    assert copy != list(moves), "the control changed nothing"
    return copy
