"""What must always be possible: without these, a table that refuses everything would keep every promise.

Each condition is asked twice: that its row fires in every whole that meets the lemmas and the condition, and that there
is such a whole at all. `told` are the arguments that the caller is free to give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from gatepost_oversight.lifecycle import BY_ID
from gatepost_oversight.move import Move
from proofs.claims import approved, effective_level, gated
from proofs.engine import Broken, Tally, whole
from proofs.symbols import NOTHING, Bool, Symbolic, Term, both, code, either, implies, level, no
from proofs.system import Step, steps
from proofs.wholes import Delivery, Whole

Rows = Mapping[str, Move]
Told = Mapping[str, Any]


@dataclass(frozen=True)
class Fired:
    """One row, asked by one kind of actor with these arguments."""

    row: str
    role: str
    told: tuple[tuple[str, Any], ...] = ()
    who: Callable[[Whole, Term], Bool] = lambda _w, p: p.there


def fire(row: str, role: str = "system", who: Callable[[Whole, Term], Bool] | None = None, **told: Any) -> Fired:
    """The row, asked so."""
    if who is None:
        return Fired(row, role, tuple(told.items()))
    return Fired(row, role, tuple(told.items()), who)


@dataclass(frozen=True)
class Possible:
    """Under `when`, exactly one of `rows` fires (`exactly`), or at least one does."""

    number: str
    name: str
    rows: tuple[Fired, ...]
    when: Callable[[Whole, Step], Bool]
    exactly: bool = False


def _is(*states: str) -> Callable[[Whole, Step], Bool]:
    return lambda w, _: w["st"].among(*states)


def _anybody(_: Whole, __: Term) -> Bool:
    return True


def _not_author(w: Whole, p: Term) -> Bool:
    return both(p.there, no(p.equals(w["drafter"])))


def _second(w: Whole, p: Term) -> Bool:
    return both(_not_author(w, p), no(p.equals(w["ok1"])))


def _author(w: Whole, p: Term) -> Bool:
    return both(p.there, p.equals(w["drafter"]))


def _complete(w: Whole, s: Step) -> Bool:
    """Held, with a text, shown as it is, and somebody to send it to."""
    return both(
        w["st"].is_("held"),
        w["content"].there,
        no(w["placeholder"].true),
        s.algebra.var("unfinished").true,
        _shown(w, s),
    )


def _shown(w: Whole, s: Step) -> Bool:
    told = s.algebra.arguments
    return both(told["seen_hash"].equals(w["content"]), told["seen_head"].equals(w.facts["thread_head"]))


def _edit(w: Whole, s: Step) -> Bool:
    v = s.algebra.variables
    return both(
        w["st"].is_("held"), no(w.attempted), _shown(w, s), v["rev_kind"].is_("edit"), v["rev_author"].equals(s.principal),
        v["rev_content"].there, v["rev_n"].there, v["rev_n"].value > w["revision"].value, no(v["rev_placeholder"].true),
    )  # fmt: skip


def _draft(w: Whole, s: Step) -> Bool:
    v = s.algebra.variables
    return both(v["rev_kind"].is_("draft"), v["rev_author"].equals(w["drafter"]), v["rev_content"].there,
                v["rev_n"].there, v["rev_n"].value > w["revision"].value)  # fmt: skip


def _clear(w: Whole, d: Delivery) -> Bool:
    facts = w.facts
    open_mode = both(no(facts["mode"].is_("read_only")), no(facts["ceiling"].is_("read_only")), effective_level(w) > 0)
    return both(open_mode, no(facts["paused"].value), no(facts["policy_block"].value), no(d.suppressed.value))


def _may_leave(w: Whole) -> Bool:
    in_force = implies(
        w["ok1"].there, both(*(implies(w[n].there, w[f"{n}_for"].equals(w["release"])) for n in ("ok1", "ok2")))
    )
    return either(no(gated(w)), w["system_template"].value, both(approved(w), in_force))


def _at(*states: str) -> Callable[[Whole, Step], Bool]:
    def of(w: Whole, s: Step) -> Bool:
        assert s.moved is not None
        return both(s.moved.exists, s.moved["st_delivery"].among(*states))

    return of


def _ready(state: str) -> Callable[[Whole, Step], Bool]:
    def of(w: Whole, s: Step) -> Bool:
        d = s.moved
        assert d is not None
        return both(_at(state)(w, s), d["due"].value, d["turn"].value, _clear(w, d), _may_leave(w))

    return of


def _owned(w: Whole, s: Step) -> Bool:
    assert s.moved is not None
    owner = s.algebra.arguments["owner"]
    return both(_at("sending")(w, s), owner.there, s.moved["owner"].equals(owner))


def _phase(phase: str, state: str = "sending") -> Callable[[Whole, Step], Bool]:
    return lambda w, s: both(_at(state)(w, s), s.moved["phase"].is_(phase) if s.moved is not None else False)


def _one_person(w: Whole, s: Step) -> Bool:
    return both(_complete(w, s), no(w.facts["two_person"].value))


def _two_people(w: Whole, s: Step) -> Bool:
    return both(_complete(w, s), w.facts["two_person"].value)


def _has_first(w: Whole, s: Step) -> Bool:
    return both(
        _two_people(w, s), w["ok1"].there, w["ok1_for"].value == w["release"].value + 1, w.facts["ok1_active"].value
    )


def _has_no_first(w: Whole, s: Step) -> Bool:
    return both(_two_people(w, s), either(w["ok1"].missing, w["ok1_for"].value != w["release"].value + 1))


def _covered(w: Whole, s: Step) -> Bool:
    f, v = w.facts, s.algebra.variables
    return both(
        w["st"].is_("drafted"), w["ask"].is_("gated_send"), f["grant_live"].value, f["grant_mode"].is_("monitored"),
        f["grant_covers"].true, f["ceiling"].among("monitored", "autonomous"), no(f["mode"].is_("read_only")),
        no(f["policy_block"].value), no(v["suppressed"].value), no(w["placeholder"].true), v["unfinished"].true,
    )  # fmt: skip


def _rounds_left(w: Whole, _: Step) -> Bool:
    return both(w["st"].is_("held"), no(w.attempted), w["rounds"].value < w.facts["rounds_max"].value)


def _overdue(*states: str) -> Callable[[Whole, Step], Bool]:
    return lambda w, _: both(w["st"].among(*states), w["expires_at"].there, w.facts["overdue"].true)


def _unreleasable(w: Whole, _: Step) -> Bool:
    return both(w["st"].among("released", "deferred"), gated(w), no(approved(w)), no(w["system_template"].value))


def _new_mode(w: Whole, s: Step) -> Bool:
    mode, ceiling = s.algebra.arguments["mode"], s.algebra.arguments["ceiling"]
    return both(mode.among("read_only", "gated_all", "gated_send", "monitored", "autonomous"), ceiling.missing,
                level(mode) <= level(w.facts["ceiling"]))  # fmt: skip


def _lower(w: Whole, s: Step) -> Bool:
    return both(_new_mode(w, s), level(s.algebra.arguments["mode"]) <= level(w.facts["mode"]))


def _writes(w: Whole, s: Step) -> Bool:
    v, told = s.algebra.variables, s.algebra.arguments
    return both(
        w["st"].among("drafting", "revising"),
        w["direction"].is_("outbound"),
        no(w.attempted),
        told["n"].equals(v["next_n"]),
    )


def _writes_held(w: Whole, s: Step) -> Bool:
    v, told = s.algebra.variables, s.algebra.arguments
    return both(w["st"].is_("held"), w["direction"].is_("outbound"), no(w.attempted), told["n"].equals(v["next_n"]))


def _lower_grant(w: Whole, s: Step) -> Bool:
    mode = s.algebra.arguments["mode"]
    return both(mode.among("read_only", "gated_all", "gated_send"), level(mode) <= level(s.algebra.var("grant_now")),
                no(s.algebra.arguments["covers_ask"].true))  # fmt: skip


def _drop_grant(w: Whole, s: Step) -> Bool:
    now = s.algebra.var("grant_now")
    return both(s.algebra.var("exists").value, level(w.facts["mode"]) <= level(now), level(w.facts["mode"]) >= 0,
                level(now) >= 0, no(s.algebra.var("covers_ask").true))  # fmt: skip


def _blocked(state: str) -> Callable[[Whole, Step], Bool]:
    return lambda w, _: both(w["st"].is_(state), w.facts["policy_block"].value)


def _opted_out(state: str) -> Callable[[Whole, Step], Bool]:
    return lambda w, s: both(_at(state)(w, s), s.moved.suppressed.value if s.moved is not None else False)


def _outdated(state: str) -> Callable[[Whole, Step], Bool]:
    return lambda w, _: both(w["st"].is_(state), w.facts["newer"].value, no(w.attempted))


VERDICTS = ("release", "hold", "refuse")
POSSIBLE: tuple[Possible, ...] = (
    Possible("C1", "an author asks for a mail, in any mode", (fire("T05", "agent", _anybody),), lambda w, s: True),
    Possible("C1b", "its draft is taken up in every mode but read_only", (fire("T06"),), lambda w, s: both(
        w["st"].is_("drafting"), _draft(w, s), effective_level(w) > 0, w["ask"].missing, s.algebra.var("rev_ask").missing,
        no(w.facts["mode"].is_("read_only")), no(w.facts["ceiling"].is_("read_only")))),
    *(Possible(f"C2 {v}", f"of a draft that policy would {v}, exactly one of pass, hold and refuse fires",
               tuple(fire(row, verdict=v) for row in ("T08", "T09", "T10")), _is("drafted"), exactly=True) for v in VERDICTS),
    Possible("C3", "a reviewer who is not the author approves a complete draft, also while paused",
             (fire("T11", "reviewer", _not_author),), _one_person),
    Possible("C4", "the first of two approves", (fire("T12", "reviewer", _not_author),), _has_no_first),
    Possible("C4b", "the second of two completes it", (fire("T13", "reviewer", _second),), _has_first),
    Possible("C5", "a reviewer edits what was never attempted", (fire("T14", "reviewer"),), _edit),
    Possible("C5b", "a reviewer lets their own edit go, or gives it the first of two approvals",
             (fire("T15a", "reviewer", _not_author), fire("T15b", "reviewer", _not_author)),
             lambda w, s: both(_edit(w, s), s.algebra.var("unfinished").true), exactly=True),
    *(Possible(f"C6 {role}", f"a {role} rejects what is held, whatever the rounds",
               (fire("T18", role, final=True),), _is("held")) for role in ("reviewer", "operator")),
    Possible("C6b", "a no is a sending back or the end, never both or neither",
             (fire("T17", "reviewer", has_note=True), fire("T18", "reviewer", has_note=True)), _is("held"), exactly=True),
    Possible("C7", "a reviewer sends it back while rounds are left",
             (fire("T17", "reviewer", has_note=True, final=False),), _rounds_left),
    Possible("C8", "its author writes a further revision", (fire("R1", "agent", _author, kind="draft"),), _writes),
    Possible("C8b", "which is adopted from revising", (fire("T19"),), lambda w, s: both(
        w["st"].is_("revising"), _draft(w, s), no(w.attempted))),
    Possible("C8c", "or from held", (fire("T19"),), lambda w, s: both(w["st"].is_("held"), _draft(w, s), no(w.attempted))),
    Possible("C8d", "its author revises what is held", (fire("R1", "agent", _author, kind="draft"),), _writes_held),
    *(Possible(f"C8e {state}", f"a failed draft reaches a person from {state}", (fire("T07"),), _is(state)) for state in ("drafting", "revising")),
    Possible("C9", "an agent cancels its own before it is claimed", (fire("T20", "agent", _author),), lambda w, _: both(
        w["st"].among("drafting", "drafted", "held", "revising", "released", "deferred"), no(w.claimed))),
    *(Possible(f"C10 {role}", f"a {role} stops anything that is not on the wire", (fire("T20", role),),
               _is("drafting", "drafted", "held", "revising", "released", "deferred")) for role in ("reviewer", "operator")),
    *(Possible(f"C11 {role}", f"{role}: anyone pauses", (fire("W4", role, _anybody),), lambda w, s: True)
      for role in ("agent", "reviewer", "operator", "system")),
    Possible("C11b", "an operator resumes", (fire("W5", "operator"),), lambda w, s: s.algebra.var("exists").value),
    *(Possible(f"C11c {role}", f"{role}: anyone suppresses", tuple(fire(r, role, _anybody) for r in (row,)),
               lambda w, s: s.algebra.var("exists").value)
      for row in ("W6", "W6u", "W6c") for role in ("agent", "reviewer", "operator", "system")),
    *(Possible(f"C11d {role}", f"{role}: anyone asks for a looser mode", (fire("W11", role, _anybody),),
               lambda w, s: no(s.algebra.var("asked_enough").value)) for role in ("agent", "reviewer", "operator")),
    Possible("C12", "what may leave is claimed when it is due and its turn", (fire("T24", grant_ok=True),), _ready("released")),
    Possible("C13", "what was deferred is tried again", (fire("T25", grant_ok=True),), _ready("deferred")),
    Possible("C14 2yz", "a 250 is recorded", (fire("T28"),), _phase("announced")),
    Possible("C14 4yz", "a 4yz is recorded by its owner", (fire("T29"),), _owned),
    Possible("C14 5yz", "a 5yz is recorded", (fire("T30"),), _at("sending")),
    Possible("C14 lost", "a lost connection after the dot is recorded", (fire("T31"),), _phase("announced")),
    Possible("C15", "an abandoned claim is taken over", (fire("T26"),), lambda w, s: both(
        _phase("claimed")(w, s), s.moved["lease_over"].true if s.moved is not None else False)),
    Possible("C15b", "an abandoned intent becomes uncertain", (fire("T31"),), _phase("announced")),
    *(Possible(f"C16 {role} {row}", f"a {role} resolves uncertain: {word}", (fire(row, role, has_note=True),), _at("uncertain"))
      for role in ("reviewer", "operator") for row, word in (("T32", "not delivered"), ("T33", "delivered"))),
    Possible("C16b", "a report settles uncertain: delivered", (fire("T28"),), _at("uncertain")),
    Possible("C16c", "a report settles uncertain: failed", (fire("T30"),), _at("uncertain")),
    Possible("C17", "a reviewer admits quarantined mail", (fire("T03", "reviewer"),), _is("quarantined")),
    *(Possible(f"C17b {role}", f"a {role} discards it", (fire("T04", role),), _is("quarantined")) for role in ("reviewer", "operator")),
    Possible("C18", "what may not leave any more goes back to held", (fire("T16"),), _unreleasable),
    Possible("C19", "an operator sets any mode up to the ceiling", (fire("W1", "operator"),), _new_mode),
    *(Possible(f"C19b {role}", f"an {role} lowers it" if role == "agent" else f"a {role} lowers it", (fire("W2", role),), _lower)
      for role in ("agent", "reviewer")),
    *(Possible(f"C19c {role}", f"{role}: anyone tightens a grant", (fire("W2g", role),), _lower_grant) for role in ("agent", "reviewer")),
    *(Possible(f"C19d {role}", f"{role}: anyone gives up a looser grant", (fire("W2r", role),), _drop_grant) for role in ("agent", "reviewer")),
    *(Possible(f"C19e {role}", f"{role}: a person puts mails into another thread", (fire("W13", role, _anybody),),
               lambda w, s: both(s.algebra.var("exists").value, s.algebra.var("settled").value))
      for role in ("reviewer", "operator") if "W13" in BY_ID),
    *(Possible(f"C22 {state}", f"what policy forbids ends from {state}", (fire("T10"),), _blocked(state))
      for state in ("drafted", "held", "released", "deferred")),
    *(Possible(f"C23 {state}", f"a late opt-out ends one recipient of what is {state}", (fire("T10d"),), _opted_out(state))
      for state in ("released", "deferred")),
    *(Possible(f"C24 {state}", f"what is outdated ends from {state}", (fire("T22"),), _outdated(state))
      for state in ("drafting", "drafted", "held", "revising", "released")),
    Possible("C20", "a grant that covers the ask lets a clean draft pass", (fire("T08", verdict="release"),), _covered),
    # 16. nothing gets stuck: a system row fires from every open state, and each leads further towards an end
    Possible("16 waiting", "what waits too long ends", (fire("T21"),),
             _overdue("quarantined", "drafting", "drafted", "held", "revising", "released")),
    Possible("16 drafted", "what is drafted is judged", tuple(fire(r) for r in ("T08", "T09", "T10")), _is("drafted")),
    Possible("16 deferred", "what is deferred can end", (fire("T30"),), _at("deferred")),
    Possible("16 sending", "what is on the wire can end", (fire("T30"),), _at("sending")),
    Possible("16 report", "a late report ends what was delivered", (fire("T30", proven=True),), _at("delivered")),
)  # fmt: skip


def check(moves: Sequence[Move], *, about: str = "", row: str | None = None) -> Tally:
    """All conditions, or those whose name begins so, or those that speak of this row."""
    tally, rows = Tally(), {m.id: m for m in moves}
    for possible in POSSIBLE:
        name, began = f"{possible.number}. {possible.name}", time.perf_counter()
        if not name.startswith(about) or (row is not None and row not in {f.row for f in possible.rows}):
            continue
        tally.asked[name] += 1
        missing = [fired.row for fired in possible.rows if fired.row not in rows]
        problem = f"there is no row {', '.join(missing)}" if missing else _problem(possible, rows)
        if problem is not None:
            tally.broken.append(Broken(name, possible.rows[0].row, (problem,)))
        tally.seconds[name] += time.perf_counter() - began
    return tally


def _problem(possible: Possible, rows: Rows) -> str | None:
    world, known = whole()
    fires, asked = [], None
    for fired in possible.rows:
        step = _told(steps(rows[fired.row], world)[0], fired)
        enabled = step.fires
        fires.append(z3.BoolVal(enabled) if isinstance(enabled, bool) else enabled)
        asked = step
    assert asked is not None
    when = both(known if asked.row.src else True, possible.when(world, asked), _actors(possible, world, asked))
    solver = z3.SolverFor("QF_LIA")
    solver.add(z3.BoolVal(when) if isinstance(when, bool) else when)
    if solver.check() != z3.sat:
        return "nothing meets the condition, so it says nothing"
    wanted = z3.PbEq([(f, 1) for f in fires], 1) if possible.exactly else z3.Or(*fires)
    solver.add(z3.Not(wanted))
    if solver.check() == z3.unsat:
        return None
    model = solver.model()
    shown = {d.name(): str(model[d]) for d in model.decls() if not d.name().startswith(("told.", "rest"))}
    return "it does not fire with " + ", ".join(f"{k}={v}" for k, v in sorted(shown.items())[:40])


def _told(step: Step, fired: Fired) -> Step:
    """The step with this actor and these arguments; the others stay free."""
    import dataclasses

    given = {name: NOTHING if value is None else Term(value if isinstance(value, bool) else z3.IntVal(code(value)))
             for name, value in fired.told}  # fmt: skip
    a = step.algebra
    algebra: Symbolic = dataclasses.replace(
        a, arguments={**a.arguments, **given}, actor_role=Term(z3.IntVal(code(fired.role)))
    )
    row, state = step.row, step.before["st"] if step.moved is None else step.moved["st_delivery"]
    parts = [algebra.actor_role.among(*row.roles), state.among(*row.src) if row.src else True]
    guard = both(*parts, *(algebra.of(condition).true for _, condition in row.guard))
    if step.moved is not None:
        guard = both(step.moved.exists, guard)
    return dataclasses.replace(step, algebra=algebra, fires=guard)


def _actors(possible: Possible, world: Whole, step: Step) -> Bool:
    if step.role.value is None or possible.rows[0].role == "system":
        return True
    return possible.rows[0].who(world, step.principal)


__all__ = ["POSSIBLE", "check"]
