"""What is said of a step, in formulas that quote nothing from the guards they judge.

A claim takes a fired step and says what must be true of it. "An attempt begins" means that a delivery enters `sending`
from elsewhere, not that it is `sending`: the world may turn stricter while bytes are on the wire.
"""

from __future__ import annotations

from collections.abc import Callable
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


def least(*numbers: Any) -> Any:
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
    return least(base, level(w.facts["ceiling"]), choose(either(ask.missing, covered), base, level(ask)))


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


def attempt(claim: Callable[[Step, Delivery, Delivery], Bool]) -> Claim:
    def of(s: Step) -> Bool:
        if s.moved is None or s.moved_after is None:
            return True
        return implies(s.begins, claim(s, s.moved, s.moved_after))

    return of


def delivery(claim: Callable[[Step, Delivery, Delivery], Bool]) -> Claim:
    """Of each of the two deliveries, whichever the row moves."""

    def of(s: Step) -> Bool:
        pairs = ((s.before.one, s.after.one), (s.before.other, s.after.other))
        return both(*(implies(b.exists, claim(s, b, a)) for b, a in pairs))

    return of


def kept(s: Step, *names: str) -> Bool:
    return both(*(s.after[n].equals(s.before[n]) for n in names))


def end(s: Step) -> Bool:
    was, now = s.before["st"], s.after["st"]
    return implies(was.among(*ENDED), either(now.equals(was), both(was.is_("delivered"), now.is_("bounced"))))


def delivery_end(_: Step, b: Delivery, a: Delivery) -> Bool:
    was, now = b["st_delivery"], a["st_delivery"]
    ended = was.among("delivered", "bounced", "refused")
    return implies(ended, either(now.equals(was), both(was.is_("delivered"), now.is_("bounced"))))


def edit_drops(s: Step) -> Bool:
    own = either(s.after["ok1"].missing, both(
        s.after["ok1"].equals(s.principal), s.is_role("reviewer"), s.after["ok1_hash"].equals(s.after["content"])
    ))  # fmt: skip
    return either(s.after["content"].equals(s.before["content"]), both(own, s.after["ok2"].missing))


def frozen(s: Step) -> Bool:
    changed = no(s.after["content"].equals(s.before["content"]))
    sent = True
    if s.moved_after is not None:
        sent = implies(s.begins, s.moved_after["sent_hash"].equals(s.before["content"]))
    return both(implies(s.before.attempted, no(changed)), sent)


def used_once(s: Step, b: Delivery, a: Delivery) -> Bool:
    starts = both(b["st_delivery"].is_("released"), a["st_delivery"].is_("sending"))
    return both(
        implies(b["used"].value, a["used"].value),
        implies(starts, both(no(b["used"].value), a["used"].value)),
        implies(both(no(b["used"].value), a["used"].value), starts),
        a["of_release"].equals(b["of_release"]),
        implies(a["st_delivery"].is_("released"), b["st_delivery"].is_("released")),
    )


def one_release(s: Step) -> Bool:
    """Who let it go did so for this very release."""
    new = no(s.after["release"].equals(s.before["release"]))
    return implies(new, both(
        s.after["release"].value == s.before["release"].value + 1,
        either(no(gated(s.after)), s.after["system_template"].value, both(
            s.after["ok1_for"].there, s.after["ok1_for"].equals(s.after["release"]),
            implies(s.after.facts["two_person"].value, s.after["ok2_for"].equals(s.after["release"])),
        )),
    ))  # fmt: skip


def counted(s: Step, b: Delivery, a: Delivery) -> Bool:
    begins = both(no(b["st_delivery"].is_("sending")), a["st_delivery"].is_("sending"))
    return a["attempts"].value == b["attempts"].value + choose(begins, z3.IntVal(1), z3.IntVal(0))


def agents_never_raise(s: Step) -> Bool:
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


def asks_within(s: Step) -> Bool:
    ask = s.after["ask"]
    entered = both(s.after["st"].is_("drafted"), no(s.before["st"].is_("drafted")))
    limit = least(base_level(s.before), level(s.before.facts["ceiling"]))
    return implies(both(entered, ask.there), level(ask) <= limit)


def asking_tightens(s: Step) -> Bool:
    old, new = s.before["ask"], s.after["ask"]
    return implies(old.there, both(new.there, level(new) <= level(old)))


def no_approval_gained(s: Step) -> Bool:
    gained = either(*(both(s.after[n].there, no(s.after[n].equals(s.before[n]))) for n in ("ok1", "ok2")))
    again = either(
        *(both(s.after[n].there, no(s.after[f"{n}_for"].equals(s.before[f"{n}_for"]))) for n in ("ok1", "ok2"))
    )
    return implies(no(s.is_role("reviewer")), no(either(gained, again)))


def agent_does_little(s: Step) -> Bool:
    own = both(s.principal.there, s.principal.equals(s.before["drafter"]))
    if s.row.on is On.REVISION:
        return implies(s.is_role("agent"), own)
    return implies(s.is_role("agent"), both(own, s.after["st"].is_("cancelled"), kept(s, "content", "ask", "drafter")))


def releasable(s: Step) -> Bool:
    enters = both(s.after["st"].is_("released"), no(s.before["st"].is_("released")))
    if s.row.on is On.NEW:
        enters = s.after["st"].is_("released")
    return implies(enters, either(no(gated(s.after)), s.after["system_template"].value, approved(s.after)))


def outcome_ends(_: Step, b: Delivery, a: Delivery) -> Bool:
    ends = a["st_delivery"].among("sending", "delivered", "deferred", "bounced", "uncertain")
    return implies(b["st_delivery"].is_("sending"), ends)


def uncertain(s: Step, b: Delivery, a: Delivery) -> Bool:
    now = a["st_delivery"]
    given = both(now.is_("held"), s.is_role("reviewer", "operator"), s.algebra.arg("has_note").true)
    return implies(b["st_delivery"].is_("uncertain"), either(now.among("uncertain", "delivered", "bounced"), given))


def delivered(s: Step, b: Delivery, a: Delivery) -> Bool:
    enters = both(a["st_delivery"].is_("delivered"), no(b["st_delivery"].is_("delivered")))
    person = both(s.is_role("reviewer", "operator"), s.algebra.arg("has_note").true, b["st_delivery"].is_("uncertain"))
    return implies(enters, both(b["phase"].is_("announced"), either(s.is_role("system"), person)))


def reasoned(s: Step) -> Bool:
    return implies(s.after["st"].is_("refused"), both(s.after["reason"].there, no(s.after["reason"].is_(""))))


def system_writes_nothing(s: Step) -> Bool:
    a, b = s.after, s.before
    adopted = both(
        b["st"].among("drafting", "revising", "held"), s.algebra.var("rev_kind").is_("draft"),
        s.algebra.var("rev_author").equals(b["drafter"]), a["content"].equals(s.algebra.var("rev_content")),
    ) if s.row.on is On.MESSAGE else False  # fmt: skip
    cleared = both(*(either(a[n].missing, kept(s, n, f"{n}_hash", f"{n}_for")) for n in ("ok1", "ok2")))
    return implies(s.is_role("system"), both(either(kept(s, "content"), adopted), kept(s, "drafter"), cleared))


def only_people_free(s: Step) -> Bool:
    freed = both(s.before["st"].among("held", "revising"), s.after["st"].among("released", "sending"))
    return implies(freed, s.is_role("reviewer"))


def system_mail(s: Step) -> Bool:
    made = both(
        s.after["system_template"].value, no(s.before["system_template"].value) if s.row.on is not On.NEW else True
    )
    fixed = s.algebra.arg("template").among(*SYSTEM_TEMPLATES)
    right = both(s.after["mailbox"].is_("mbx_system"), fixed, s.algebra.var("to_oversight").true, s.is_role("system"))
    return implies(made, right if s.row.on is On.NEW else False)


def taken_back(s: Step, b: Delivery, _: Delivery) -> Bool:
    return both(mail_is_open(s.before), b["of_release"].equals(s.before["release"]))


def mail_stands(s: Step) -> Bool:
    b, a = s.before, s.after
    kept = both(*(a[n].equals(b[n]) for n in b.mail))
    for was, now in ((b.one, a.one), (b.other, a.other)):
        kept = both(kept, *(now[n].equals(was[n]) for n in was.at))
    return kept


def both_people(w: Whole) -> Bool:
    return both(w["ok2"].there, no(w["ok2"].equals(w["ok1"])), no(w["ok2"].equals(w["drafter"])),
                w["ok2_hash"].equals(w["content"]), w.approver[1] == code("reviewer"))  # fmt: skip


def unless_system(w: Whole, claim: Bool) -> Bool:
    return implies(both(gated(w), no(w["system_template"].value)), claim)


def seen(s: Step) -> Bool:
    """Who approves or edits was shown this content and the newest mail of the thread; their own edit is of it."""
    told = s.algebra.arguments
    shown = both(told["seen_hash"].equals(s.before["content"]), told["seen_head"].equals(s.before.facts["thread_head"]))
    changed = no(s.after["content"].equals(s.before["content"]))
    own = both(s.algebra.var("rev_kind").is_("edit"), s.algebra.var("rev_author").equals(s.principal))
    by_reviewer = both(s.is_role("reviewer"), changed)
    return both(implies(either(approves(s), by_reviewer), shown), implies(by_reviewer, own))


def approves(s: Step) -> Bool:
    """An approval is given: a first or second one, or the same again for another release."""
    if s.row.on is not On.MESSAGE:
        return False
    return either(*(
        both(s.after[n].there, either(no(s.after[n].equals(s.before[n])), no(s.after[f"{n}_for"].equals(s.before[f"{n}_for"]))))
        for n in ("ok1", "ok2")
    ))  # fmt: skip


def complete(s: Step) -> Bool:
    """Nobody approves what has no content, an open question, or nobody left to write to."""
    whole = both(s.after["content"].there, no(s.after["placeholder"].true), s.algebra.var("unfinished").true)
    return implies(approves(s), whole)


def written_down(s: Step) -> Bool:
    a, told = s.after, s.algebra.arguments
    out = both(
        s.before["st"].among("held", "quarantined"),
        a["st"].among("released", "revising", "rejected", "received", "discarded"),
    )
    decided = both(a["decided_by"].equals(s.principal), a["decided_at"].equals(told["now"]))
    keys = both(*(
        implies(both(a[n].there, no(a[n].equals(s.before[n]))), a[f"{n}_key"].equals(told["actor_key"])) for n in ("ok1", "ok2")
    ))  # fmt: skip
    return both(implies(out, decided), implies(approves(s), keys))


def carries_its_grant(s: Step) -> Bool:
    new = no(s.after["release"].equals(s.before["release"]))
    told = s.algebra.arguments
    return implies(
        new, both(s.after["grant_token"].equals(told["grant_token"]), s.after["released_at"].equals(told["now"]))
    )


def ready(s: Step, b: Delivery, a: Delivery) -> Bool:
    told = s.algebra.arguments
    return both(
        b["due"].true, b["turn"].true, told["grant_ok"].true, a["phase"].is_("claimed"), a["owner"].equals(told["owner"]),
        a["lease_until"].equals(told["lease_until"]),
    )  # fmt: skip


def fenced(s: Step, b: Delivery, a: Delivery) -> Bool:
    """Only its owner announces or puts off; only an ended lease changes the owner on the wire."""
    told, is_moved = s.algebra.arguments["owner"], s.moved is b
    if not is_moved:
        return both(a["phase"].equals(b["phase"]), a["owner"].equals(b["owner"]))
    announces = both(no(b["phase"].is_("announced")), a["phase"].is_("announced"))
    puts_off = both(b["st_delivery"].is_("sending"), a["st_delivery"].is_("deferred"))
    stays = both(b["st_delivery"].is_("sending"), a["st_delivery"].is_("sending"))
    other = both(stays, no(a["owner"].equals(b["owner"])))
    mine = both(told.there, b["owner"].equals(told))
    return both(
        implies(either(announces, puts_off), mine), implies(announces, b["phase"].is_("claimed")),
        implies(other, both(b["lease_over"].true, b["phase"].is_("claimed"), a["owner"].equals(told), a["lease_until"].equals(s.algebra.arguments["lease_until"]))),
    )  # fmt: skip


def lost(s: Step, b: Delivery, a: Delivery) -> Bool:
    """Uncertain is only what was announced; it keeps the intent, and a bounce of what was delivered is proven."""
    told = s.algebra.arguments
    late = both(b["st_delivery"].is_("delivered"), a["st_delivery"].is_("bounced"))
    enters = both(a["st_delivery"].is_("uncertain"), no(b["st_delivery"].is_("uncertain")))
    return both(implies(enters, b["phase"].is_("announced")), implies(late, told["proven"].true))


def ways(s: Step) -> Bool:
    """Who may bring a mail where: what was let go, sent back, refused or ended came there by whom it may."""
    was, now = s.before["st"], s.after["st"]
    entered = no(now.equals(was))
    if s.row.on is not On.MESSAGE:
        return True
    return both(
        implies(both(entered, now.is_("released")), either(
            both(was.is_("drafted"), s.is_role("system"), s.algebra.arg("verdict").is_("release")),
            both(was.is_("held"), s.is_role("reviewer")))),
        implies(both(entered, now.among("revising", "rejected")), both(was.is_("held"), s.is_role("reviewer", "operator"))),
        implies(both(entered, now.is_("revising")), both(s.algebra.arg("has_note").true, s.after["rounds"].value == s.before["rounds"].value + 1)),
        implies(both(entered, now.is_("drafted")), was.is_("drafting")),
        implies(both(entered, now.is_("held")), was.among("drafting", "drafted", "revising", "released", "deferred")),
        implies(both(entered, now.is_("refused")), both(s.is_role("system"), either(
            s.algebra.var("suppressed").true, s.before.facts["policy_block"].value,
            both(was.is_("drafted"), either(off(s.before), s.algebra.arg("verdict").is_("refuse")))))),
        implies(both(entered, now.is_("expired")), both(s.is_role("system"), s.before.facts["overdue"].true)),
        implies(both(entered, now.is_("superseded")), both(s.is_role("system"), s.before.facts["newer"].value, no(s.before.attempted))),
        implies(both(entered, now.among("cancelled", "expired", "superseded", "refused")), both(
            no(was.among("received", "discarded")), no(s.before.claimed))),
        implies(both(entered, now.among("cancelled", "superseded", "refused", "rejected", "revising")), no(was.is_("quarantined"))),
        implies(both(entered, now.among("received", "discarded")), both(was.is_("quarantined"), s.is_role("reviewer", "operator"))),
        implies(both(was.is_("drafted"), now.is_("released")), both(no(off(s.before)), no(s.before.facts["policy_block"].value),
                                                                    no(s.algebra.var("suppressed").true))),
    )  # fmt: skip


def off(w: Whole) -> Bool:
    return either(w.facts["mode"].is_("read_only"), w.facts["ceiling"].is_("read_only"), effective_level(w) == 0)


def adopted(s: Step) -> Bool:
    """What is adopted is one newer revision, whole: its number, content, open question, recipients and subject."""
    a, v = s.after, s.algebra.variables
    changed = either(no(a["content"].equals(s.before["content"])), no(a["revision"].equals(s.before["revision"])))
    names = ("content", "placeholder", "recipients", "subject", "category", "evidence")
    whole = both(v["rev_n"].there, a["revision"].equals(v["rev_n"]), a["revision"].value > s.before["revision"].value,
                 v["rev_content"].there, *(a[n].equals(v[f"rev_{n}"]) for n in names))  # fmt: skip
    return implies(changed, whole)


def modes_stay(s: Step) -> Bool:
    f = s.after.facts
    up = both(f["mode"].there, f["ceiling"].there)
    within = implies(level(f["mode"]) > level(s.before.facts["mode"]), level(f["mode"]) <= level(f["ceiling"]))
    return both(up, within)
