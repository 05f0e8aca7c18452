"""Claims about who does the machine's and the people's work, and about what is written down of it."""

from __future__ import annotations

from gatepost_oversight.mode import Mode
from gatepost_oversight.move import On
from proofs.claims import approved, base_level, gated
from proofs.symbols import Bool, both, either, implies, level, no
from proofs.system import Step
from proofs.wholes import Delivery


def raised(s: Step) -> Bool:
    """Something of the world became looser."""
    b, a = s.before, s.after
    return either(
        level(a.facts["mode"]) > level(b.facts["mode"]), level(a.facts["ceiling"]) > level(b.facts["ceiling"]),
        base_level(a) > base_level(b), both(a.covers_ask.value, no(b.covers_ask.value)),
        both(b.facts["paused"].value, no(a.facts["paused"].value)), both(b.one.suppressed.value, no(a.one.suppressed.value)),
        both(b.facts["two_person"].value, no(a.facts["two_person"].value)),
    )  # fmt: skip


def loosening(s: Step) -> Bool:
    """Only an operator loosens; the scanner alone clears its block; what others grant anew may only gate."""
    b, a = s.before.facts, s.after.facts
    cleared = both(b["policy_block"].value, no(a["policy_block"].value))
    new_grant = both(a["grant_live"].value, no(b["grant_live"].value))
    within = either(s.is_role("operator"), level(a["grant_mode"]) <= Mode.GATED_SEND.level)
    grants = no(a["grant_mode"].equals(b["grant_mode"]))
    return both(
        implies(raised(s), s.is_role("operator")), implies(cleared, s.is_role("system")), implies(new_grant, within),
        implies(both(grants, s.is_role("operator")), level(a["grant_mode"]) <= level(a["ceiling"])),
    )  # fmt: skip


def codes(s: Step) -> Bool:
    """A code is redeemed once it is right and open, and asked for only so often; a person or the system speaks as itself."""
    if s.row.does in {"redeem", "redeem_grant"}:
        return both(s.algebra.arg("code_ok").true, s.algebra.var("request_open").value, s.is_role("operator"))
    if s.row.does == "request":
        return both(no(s.algebra.var("asked_enough").value), no(s.is_role("system")))
    if s.row.does == "move_mails":
        there = both(s.algebra.var("exists").value, s.algebra.var("settled").value)
        return both(there, s.is_role("reviewer", "operator"))
    if s.row.does == "hold":
        return s.is_role("operator")
    if s.row.event == "erase":
        return s.is_role("operator", "system")
    if s.row.does == "lift_hold":
        return both(s.algebra.var("exists").value, s.is_role("operator"))
    if s.row.does in {"lift_pause", "unsuppress", "revoke_grant", "disable_endpoint", "suppress"}:
        return s.algebra.var("exists").value
    return True


def revisions(s: Step) -> Bool:
    """An author writes to an own mail that waits for it, a reviewer to what is held; never to what was attempted."""
    st, told = s.before["st"], s.algebra.arguments
    author = both(s.is_role("agent"), st.among("drafting", "revising", "held"), told["kind"].among("draft", "failed"))
    reviewer = both(s.is_role("reviewer"), st.is_("held"), told["kind"].is_("edit"))
    return both(
        either(author, reviewer), no(s.before.attempted), told["n"].equals(s.algebra.var("next_n")),
        s.before["direction"].is_("outbound"),
    )  # fmt: skip


def births(s: Step) -> Bool:
    """Mail that comes in is the system's to store, a draft an author's to ask for."""
    st = s.after["st"]
    return both(
        implies(st.among("received", "quarantined"), s.is_role("system")), implies(st.is_("drafting"), s.is_role("agent")),
        implies(st.is_("received"), s.algebra.arg("fine").true),
    )  # fmt: skip


def machine(s: Step) -> Bool:
    """Taking up, judging and falling back are the system's; an edit is a reviewer's; what may leave is not taken back."""
    was, now = s.before["st"], s.after["st"]
    changed = no(s.after["content"].equals(s.before["content"]))
    entered = no(now.equals(was))
    fell = both(was.among("released", "deferred"), now.is_("held"))
    draft = s.algebra.var("rev_kind").is_("draft")
    return both(
        implies(both(entered, now.among("drafted", "held")), s.is_role("system")), implies(fell, both(gated(s.before), no(_stands(s)))),
        implies(both(changed, draft), s.is_role("system")), implies(both(changed, no(draft)), s.is_role("reviewer")),
    )  # fmt: skip


def _stands(s: Step) -> Bool:
    w = s.before
    second = implies(w.facts["two_person"].value, w["ok2_for"].equals(w["release"]))
    return either(w["system_template"].value, both(approved(w), w["ok1_for"].equals(w["release"]), second))


def held_reasons(s: Step) -> Bool:
    """What is held anew says since when and why; a no says whether for good; an edit says whose; a taking up, under which rule."""
    b, a, told = s.before, s.after, s.algebra.arguments
    entered = no(a["st"].equals(b["st"]))
    changed = no(a["content"].equals(b["content"]))
    held = both(a["st"].is_("held"), either(entered, changed))
    rule = either(
        a["mode_grant_id"].equals(told["mode_grant_id"]),
        both(told["mode_grant_id"].missing, a["mode_grant_id"].equals(b["mode_grant_id"])),
    )
    no_for_good = both(a["rejection_final"].there, either(
        both(a["st"].is_("rejected"), a["rejection_final"].value), both(a["st"].is_("revising"), no(a["rejection_final"].value))))  # fmt: skip
    return both(
        implies(held, both(a["reasons"].equals(told["reasons"]), a["held_at"].equals(told["now"]), rule)),
        implies(both(entered, a["st"].among("revising", "rejected")), both(no_for_good, a["reason"].equals(told["reason"]))),
        implies(both(entered, a["st"].is_("cancelled")), a["reason"].equals(told["reason"])),
        implies(both(entered, a["st"].is_("refused")), a["reasons"].equals(told["reasons"])),
        implies(both(changed, s.is_role("reviewer")), a["reviser"].equals(s.principal)),
        implies(both(entered, a["st"].is_("drafted")), both(
            a["ask_at_submit"].equals(a["ask"]), rule, a["rule_category"].equals(told["rule_category"]),
            a["rule_revision"].equals(told["rule_revision"]))),
        implies(both(entered, a["st"].among("held", "released", "revising")), either(
            a["expires_at"].equals(told["expires_at"]), both(told["expires_at"].missing, a["expires_at"].equals(s.algebra.var("ends"))))),
    )  # fmt: skip


def adopted_ask(s: Step) -> Bool:
    """An author who asks for more care in a further draft gets it."""
    changed = both(no(s.after["content"].equals(s.before["content"])), s.algebra.var("rev_kind").is_("draft"))
    asked = s.algebra.var("rev_ask")
    return implies(both(changed, asked.there, s.before["ask"].there), level(s.after["ask"]) <= level(asked))


def outcomes(s: Step, b: Delivery, a: Delivery) -> Bool:
    """What the other side said is kept as it was said; who leaves the wire owns nothing; what ends says when."""
    if s.moved is not b:
        return True
    told = s.algebra.arguments
    left = both(b["st_delivery"].among("sending", "deferred", "uncertain", "delivered"), s.is_role("system"),
                a["st_delivery"].among("delivered", "deferred", "bounced", "uncertain"))  # fmt: skip
    said = both(*(a[n].equals(told[n]) for n in ("via", "stage", "code", "enhanced", "reply", "remote_id")))
    over = both(
        no(a["st_delivery"].equals(b["st_delivery"])), a["st_delivery"].among("delivered", "bounced", "refused")
    )
    return both(
        implies(left, both(said, a["owner"].missing, a["lease_until"].missing)),
        implies(over, a["ended_at"].equals(told["now"])),
        implies(both(left, a["st_delivery"].is_("deferred")), a["due_at"].equals(told["due_at"])),
    )  # fmt: skip


def wire_roles(s: Step, b: Delivery, a: Delivery) -> Bool:
    """The wire is the system's, but for a person's word on uncertain; refused is the suppressed or the forbidden alone."""
    if s.row.on is On.DELIVERY and s.moved is b:
        word = both(b["st_delivery"].is_("uncertain"), a["st_delivery"].among("held", "delivered"))
        by = either(s.is_role("system"), both(s.is_role("reviewer", "operator"), word))
        given_back = implies(a["st_delivery"].is_("held"), b["st_delivery"].is_("uncertain"))
    else:
        by, given_back = True, True
    enters = both(a["st_delivery"].is_("refused"), no(b["st_delivery"].is_("refused")))
    forbidden = both(
        b["st_delivery"].among("released", "deferred"), either(b.suppressed.value, s.after["st"].is_("refused"))
    )
    stopped = both(
        s.after["st"].is_("refused"), no(s.before["st"].is_("refused")), b["st_delivery"].among("released", "deferred")
    )
    alone = both(enters, b.suppressed.value) if s.row.on is On.DELIVERY else enters
    return both(by, given_back, implies(enters, both(forbidden, alone)),
                implies(both(stopped, s.row.on is On.MESSAGE), a["st_delivery"].is_("refused")))  # fmt: skip


def wire_moves(s: Step, b: Delivery, a: Delivery) -> Bool:
    """A step that stays on the wire announces, or is a takeover by who says so."""
    if s.moved is not b:
        return True
    stays = both(b["st_delivery"].is_("sending"), a["st_delivery"].is_("sending"))
    announces = both(b["phase"].is_("claimed"), a["phase"].is_("announced"))
    told = s.algebra.arguments
    takes = both(b["phase"].is_("claimed"), b["lease_over"].true, a["owner"].equals(told["owner"]),
                 a["lease_until"].equals(told["lease_until"]))  # fmt: skip
    return both(
        implies(stays, either(announces, takes)),
        implies(a["st_delivery"].is_("sending"), b["st_delivery"].among("sending", "released", "deferred")),
    )
