"""Broken copies of the tables, each with the theorem that must notice: a proof that cannot fail proves nothing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from gatepost_api.access import ACCESS
from gatepost_oversight.credential import Role
from gatepost_oversight.expr import NOTHING, Expr, arg, const, var
from gatepost_oversight.lifecycle import BY_ID, MOVES
from gatepost_oversight.move import Move
from gatepost_oversight.policy import POLICY, RULES, Verdict
from gatepost_oversight.states import State
from gatepost_oversight.terms import BASE
from proofs import doors, lockout, policies, statics
from proofs.engine import Broken, Tally, prove

Change = Callable[[Move], Move]


@dataclass(frozen=True)
class Control:
    """A row broken on purpose, and the beginning of the claim that must fail."""

    name: str
    row: str
    change: Change
    caught_by: str


def without(*conjuncts: str) -> Change:
    """The row without these conditions."""
    return lambda m: dataclasses.replace(m, guard=tuple((n, e) for n, e in m.guard if n not in conjuncts))


def unset(*names: str) -> Change:
    """The row that no longer sets these."""
    return lambda m: dataclasses.replace(m, set=tuple((n, e) for n, e in m.set if n not in names))


def sets(**values: Expr) -> Change:
    """The row that sets these so."""
    return lambda m: dataclasses.replace(m, set=tuple({**dict(m.set), **values}.items()))


def open_to(*roles: Role) -> Change:
    """The row that these may run too."""
    return lambda m: dataclasses.replace(m, roles=m.roles | set(roles))


def only_by(*roles: Role) -> Change:
    """The row that only these may run."""
    return lambda m: dataclasses.replace(m, roles=frozenset(roles))


def also_from(*states: State) -> Change:
    """The row that starts there too."""
    return lambda m: dataclasses.replace(m, src=m.src | set(states))


def to(state: State, *, releases: bool = False) -> Change:
    """The row that ends there."""
    return lambda m: dataclasses.replace(m, dst=state, releases=releases or m.releases)


def changed(**fields: object) -> Change:
    """The row with these columns."""
    return lambda m: dataclasses.replace(m, **fields)  # type: ignore[arg-type]


def then(*changes: Change) -> Change:
    """One after the other."""

    def all_of_them(m: Move) -> Move:
        for change in changes:
            m = change(m)
        return m

    return all_of_them


S = State
CONTROLS: tuple[Control, ...] = (
    Control("a claim forgets the mode", "T24", without("RELEASABLE"), "1."),
    Control("a retry forgets the mode", "T25", without("RELEASABLE"), "1."),
    Control("a claim sends what was approved before", "T24", sets(sent_hash=const("an older one")), "1."),
    Control("the second approver may be the first", "T13", without("OTHER_PERSON"), "lemma: two approvals"),
    Control("one approval is enough for two", "T11", without("ONE_PERSON"), "19."),
    Control("a claim forgets suppression", "T24", without("NOT_SUPPRESSED"), "3."),
    Control("a retry forgets suppression", "T25", without("NOT_SUPPRESSED"), "3."),
    Control("a retry forgets the pause", "T25", without("NOT_PAUSED"), "4."),
    Control("a claim forgets read_only", "T24", without("NOT_READ_ONLY"), "4."),
    Control("a claim forgets the block", "T24", without("NOT_BLOCKED"), "4."),
    Control("a way out of rejected", "T11", also_from(S.REJECTED), "5."),
    Control("a bounce that a person calls delivered", "T33", also_from(S.BOUNCED), "5."),
    Control("an edit keeps approvals", "T14", unset("ok1", "ok1_hash", "ok2", "ok2_hash"), "6."),
    Control("a rewrite keeps approvals", "T19", unset("ok1", "ok1_hash", "ok2", "ok2_hash"), "6."),
    Control("an edit after an attempt", "T14", without("NEVER_TRIED"), "7."),
    Control("a rewrite after an attempt", "T19", without("NEVER_TRIED"), "7."),
    Control("a claim does not use the approval up", "T24", unset("used"), "8."),
    Control("a deferral makes the delivery fresh", "T29", to(S.RELEASED), "8."),
    Control("an old approval serves a new release", "T11", sets(ok1_for=var("release")), "8b."),
    Control("an agent raises the mode", "W1", open_to(Role.AGENT), "9."),
    Control("lowering without a limit", "W2", without("LOWER"), "9."),
    Control("an agent ends a pause", "W5", open_to(Role.AGENT), "9."),
    Control("an agent clears a suppression", "W7", open_to(Role.AGENT), "9."),
    Control("an agent turns off the second person", "W3", open_to(Role.AGENT), "9."),
    Control("an agent clears the block", "W8", open_to(Role.AGENT), "9."),
    Control("an agent gives up a grant that covers less", "W2r", without("LOWER"), "9."),
    Control("an agent redeems its own code", "W12", open_to(Role.AGENT), "9."),
    Control("an agent redeems its own code for recipients", "W12g", open_to(Role.AGENT), "9."),
    Control("a submit asks for anything", "T06", without("NOT_LOOSER"), "10."),
    Control("a person begins an attempt", "T24", open_to(Role.REVIEWER), "11."),
    Control("gated_all receives", "T01", without("FINE"), "12."),
    Control("an agent admits", "T03", open_to(Role.AGENT), "13."),
    Control("an agent approves", "T11", then(open_to(Role.AGENT), without("NOT_AUTHOR")), "14."),
    Control("an operator approves", "T11", open_to(Role.OPERATOR), "14."),
    Control("the author approves", "T11", without("NOT_AUTHOR"), "lemma: an approval"),
    Control("an attempt is not counted", "T25", unset("attempts"), "17b."),
    Control("an agent cancels another's", "T20", without("OWN"), "18."),
    Control("an agent rejects", "T18", open_to(Role.AGENT), "18."),
    Control("policy passes what must be seen", "T08", without("RELEASABLE"), "19."),
    Control("a mail is withdrawn on the wire", "T32", also_from(S.SENDING), "20."),
    Control("a claim from uncertain", "T25", also_from(S.UNCERTAIN), "21."),
    Control("uncertain falls back by itself", "T32", only_by(Role.SYSTEM), "22."),
    Control("accepted without an intent", "T28", without("IS_ANNOUNCED"), "23."),
    Control("a refusal without a reason", "T10", unset("reason"), "24."),
    Control("a late opt-out leaves no reason", "T10d", changed(then=()), "24."),
    Control("any revision is taken up", "T06", without("BY_AUTHOR"), "25."),
    Control("policy frees a rewrite", "T19", to(S.RELEASED, releases=True), "26."),
    Control("policy passes what was held", "T08", also_from(S.HELD), "26."),
    Control("a rewrite loosens its ask", "T19", sets(ask=var("rev_ask")), "27b."),
    Control("system mail from any mailbox", "T34", without("SYSTEM_MAILBOX"), "28."),
    Control("system mail to anybody", "T34", without("OVERSIGHT_ADDRESS"), "28."),
    Control("what falls back stays claimable", "T16", changed(takes_back=None), "lemma: what is under way"),
    Control("an approval of nothing", "T11", without("CONTENT"), "lemma: an approval"),
    Control("released to nobody", "T11", without("UNFINISHED"), "lemma: a mail reads"),
    Control("an expiry leaves deliveries behind", "T21", changed(takes_back=None), "lemma: what is under way"),
    Control("what is held never ends", "T09", sets(expires_at=NOTHING), "lemma: what waits"),
    Control("a placeholder is approved", "T11", without("PLACEHOLDER"), "lemma: what was released"),
    Control("the outcome keeps the intent", "T29", unset("phase"), "lemma: on the wire"),
    Control("nobody may approve", "T11", only_by(Role.SYSTEM), "C3."),
    Control("approving needs an operator's word", "T11", lambda m: dataclasses.replace(m, guard=(*m.guard, ("NOTE", ("eq", arg("on"), const(True))))), "C3."),
    Control("a no only while rounds are left", "T18", only_by(Role.OPERATOR), "C6 reviewer."),
    Control("an agent may not lower", "W2", only_by(Role.REVIEWER), "C19b agent."),
    Control("a retry waits for a fresh approval", "T25", lambda m: dataclasses.replace(m, guard=(*m.guard, ("NOT_USED", ("not", var("used"))))), "C13."),
    Control("only an agent pauses", "W4", only_by(Role.AGENT), "C11 operator."),
)  # fmt: skip


def _broken_by(control: Control) -> list[Broken]:
    whole = BY_ID[control.row]
    broken = control.change(whole)
    assert broken != whole, f"the control {control.name!r} changed nothing"
    if control.caught_by.startswith("C"):
        moves = [broken if m.id == control.row else m for m in MOVES]
        return lockout.check(moves, about=control.caught_by).broken
    return prove([broken], about=control.caught_by, stop=True).broken


def check() -> Tally:
    """Each control must be caught, and by the claim it names."""
    tally = Tally()
    for control in CONTROLS:
        began = time.perf_counter()
        caught = [b.claim for b in _broken_by(control)]
        _note(tally, control.name, control.caught_by, caught, time.perf_counter() - began)
    for name, caught_by, broken in _others():
        began = time.perf_counter()
        _note(tally, name, caught_by, [b.claim for b in broken()], time.perf_counter() - began)
    return tally


def _note(tally: Tally, name: str, caught_by: str, caught: list[str], seconds: float) -> None:
    tally.asked[name] += 1
    tally.seconds[name] += seconds
    if not any(claim.startswith(caught_by) for claim in caught):
        tally.broken.append(
            Broken(f"control: {name}", caught_by, (f"not caught by {caught_by!r}, but by {sorted(set(caught))}",))
        )


def _others() -> list[tuple[str, str, Callable[[], list[Broken]]]]:
    """Controls of the other tables and terms."""

    def policy(*, drop: str | None = None, first: str | None = None, soften: str | None = None) -> list[Broken]:
        rules = [r for r in POLICY if r.name != drop]
        if first is not None:
            rules = [RULES[first], *(r for r in rules if r.name != first)]
        rules = [dataclasses.replace(r, verdict=Verdict.RELEASE) if r.name == soften else r for r in rules]
        assert tuple(rules) != POLICY
        return policies.check(rules).broken

    def door(command: str, **fields: object) -> list[Broken]:
        table = tuple(dataclasses.replace(r, **fields) if r.command == command else r for r in ACCESS)  # type: ignore[arg-type]
        assert table != ACCESS
        return doors.check(table).broken

    def modes(**terms: Expr) -> list[Broken]:
        return [Broken(f"27. {name}", "", ()) for name, problem in statics.modes(**terms) if problem is not None]

    return [
        ("an ask is ignored", "27.", lambda: modes(effective=BASE)),
        ("a ceiling is ignored", "27.", lambda: modes(effective=("ite", ("eq", var("ask"), NOTHING), BASE, var("ask")))),
        ("policy forgets placeholders", "policy: what is always held", lambda: policy(drop="placeholder")),
        ("policy lets suspected injections go", "policy: what is always held", lambda: policy(soften="suspected_injection")),
        ("policy lets gated_send go", "policy: gated modes", lambda: policy(drop="gated")),
        ("our own templates come first", "policy: what refuses", lambda: policy(first="system_template")),
        ("the default comes first", "policy: no rule is dead", lambda: policy(first="default")),
        ("policy is not total", "policy: total", lambda: policy(drop="default")),
        ("a mutating route for readers", "doors: reading reaches", lambda: door("decide_email", scope=("read",))),
        ("a route without a tenant", "doors: every row is tied", lambda: door("read_email", tenant="none")),
        ("a route without a scope", "doors: every row has a scope", lambda: door("send_email", scope=())),
        ("a GET that decides", "doors: no GET mutates", lambda: door("decide_email", rest=(("GET", "/v1/oversight/decide"),))),
        ("a public route more", "doors: public rows", lambda: door("list_pending", scope=("public",))),
        ("a reviewer lifts a pause", "doors: loosening", lambda: door("delete_pause", scope=("oversight", "operator"))),
    ]  # fmt: skip
