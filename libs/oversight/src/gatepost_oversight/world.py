"""What people change around mail: modes, pauses, suppressions. These rows never touch a mail."""

from __future__ import annotations

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import (
    FALSE,
    NOTHING,
    TRUE,
    Expr,
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
)
from gatepost_oversight.mode import Mode
from gatepost_oversight.move import Move, On, move
from gatepost_oversight.terms import is_true

AGENT, REVIEWER, OPERATOR, SYSTEM = Role.AGENT, Role.REVIEWER, Role.OPERATOR, Role.SYSTEM
ANYONE = (AGENT, REVIEWER, OPERATOR, SYSTEM)
NEW_CEILING = ite(ne(arg("ceiling"), NOTHING), arg("ceiling"), var("ceiling"))
UP_TO_CEILING = ("UP_TO_CEILING", le(level(arg("mode")), level(NEW_CEILING)))
LOWER = ("LOWER", all_of(eq(arg("ceiling"), NOTHING), le(level(arg("mode")), level(var("mode")))))
EXISTS = ("EXISTS", is_true(var("exists")))
COVERS: dict[str, Expr] = {"covers_ask": is_true(arg("covers_ask"))}
# `grant_now`: the mode of the grant in force under that name, else the mailbox's; `grant_live`: there is one in force.
GRANT_UP_TO_CEILING = ("UP_TO_CEILING", le(level(arg("mode")), level(var("ceiling"))))
LOWER_GRANT = ("LOWER", all_of(
    le(level(arg("mode")), level(var("grant_now"))), negate(arg("covers_ask")),
    # what nobody granted may only gate: it would outlast a mailbox that becomes stricter
    any_of(is_true(var("grant_live")), le(level(arg("mode")), level(const(Mode.GATED_SEND)))),
))  # fmt: skip
LOWER_WITHOUT = ("LOWER", all_of(
    le(level(var("mode")), level(var("grant_now"))), any_of(negate(var("covers_ask")), is_true(var("grant_covers"))),
))  # fmt: skip
CODE = ("CODE", all_of(is_true(arg("code_ok")), is_true(var("request_open"))))
EFFECTS: dict[str, dict[str, Expr]] = {
    "pause": {"paused": TRUE}, "lift_pause": {"paused": FALSE},
    "suppress": {"suppressed": TRUE}, "unsuppress": {"suppressed": FALSE},
    "grant": {"grant_live": TRUE, "grant_mode": arg("mode"), "grant_covers": is_true(arg("covers_ask"))},
    "lower_grant": {
        "grant_live": TRUE, "grant_mode": arg("mode"),
        "grant_covers": all_of(is_true(var("grant_live")), is_true(var("grant_covers"))),
    },
    "redeem_grant": {"grant_live": TRUE, "grant_mode": arg("mode"), "grant_covers": is_true(arg("covers_ask"))},
    "revoke_grant": {"grant_live": FALSE}, "set_rule": {}, "request": {}, "redeem": {}, "disable_endpoint": {},
    "move_mails": {}, "hold": {}, "lift_hold": {},
}  # fmt: skip
"""What world rows do to rows of their own (a pause, a suppression, a grant): the fact, and what it becomes."""
OF_ACCOUNT = frozenset(("W4", "W5", "W6", "W6u", "W6c", "W7", "W14", "W15", "W16", "N1", "N2"))
"""Rows that may concern a whole account. Named with the system mailbox they stand in that account's own records."""
_SUPPRESSERS = ("ingest", "api", "sender", "gatekeeper")

WORLD: tuple[Move, ...] = (
    move("W1", "set_mode", (), (OPERATOR,), (UP_TO_CEILING,), None,
         "An operator sets how far agents may go.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode"), "ceiling": NEW_CEILING} | COVERS),
    move("W1g", "grant_mode", (), (OPERATOR,), (GRANT_UP_TO_CEILING,), None,
         "An operator grants a category or listed recipients a mode of their own.", emits="mailbox.mode_changed",
         on=On.WORLD, does="grant"),
    move("W1r", "revoke_grant", (), (OPERATOR,), (EXISTS,), None,
         "An operator takes a grant away; the mailbox's mode holds again.", emits="mailbox.mode_changed", on=On.WORLD,
         does="revoke_grant"),
    move("W2", "lower_mode", (), (AGENT, REVIEWER), (LOWER,), None,
         "Anyone may make a mailbox stricter.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode")}),
    move("W2g", "lower_grant", (), (AGENT, REVIEWER), (LOWER_GRANT,), None,
         "Anyone may make a category stricter.", emits="mailbox.mode_changed", on=On.WORLD, does="lower_grant"),
    move("W2r", "drop_grant", (), (AGENT, REVIEWER), (EXISTS, LOWER_WITHOUT), None,
         "Anyone may give up a grant that is looser than the mailbox.", emits="mailbox.mode_changed", on=On.WORLD,
         does="revoke_grant"),
    move("W3", "set_two_person", (), (OPERATOR,), (), None,
         "An operator asks for two people, or for one.", on=On.WORLD,
         sets={"two_person": is_true(arg("on"))}),
    move("W4", "pause", (), ANYONE, (), None,
         "Anyone stops new attempts.", emits="mailbox.paused", on=On.WORLD, does="pause"),
    move("W5", "resume", (), (OPERATOR,), (EXISTS,), None,
         "Only an operator lets attempts go on.", emits="mailbox.resumed", on=On.WORLD, does="lift_pause"),
    move("W4t", "tell_pause", (), (SYSTEM,), (), None,
         "A stop that covers more than its own mailbox is told to each mailbox it covers.", emits="mailbox.paused",
         on=On.WORLD),
    move("W5t", "tell_resume", (), (SYSTEM,), (), None,
         "Its end is told to each of them too.", emits="mailbox.resumed", on=On.WORLD),
    move("W6", "add_suppression", (), ANYONE, (EXISTS,), None,
         "Nobody writes to this address any more.", on=On.WORLD, by=_SUPPRESSERS, does="suppress"),
    move("W6u", "unsubscribe", (), ANYONE, (EXISTS,), None,
         "A recipient opted out.", emits="email.unsubscribed", on=On.WORLD, by=("ingest", "api"), does="suppress"),
    move("W6c", "complain", (), ANYONE, (EXISTS,), None,
         "A recipient complained, provably.", emits="email.complained", on=On.WORLD, by=("ingest", "api"), does="suppress"),
    move("W7", "remove_suppression", (), (OPERATOR,), (EXISTS,), None,
         "Only an operator lets mail go there again.", on=On.WORLD, does="unsuppress"),
    move("W8", "scan", (), (SYSTEM,), (), None,
         "The scanner blocks a mailbox, or clears it.", on=On.WORLD, sets={"policy_block": is_true(arg("on"))}),
    move("W9", "demote", (), (SYSTEM,), (LOWER,), None,
         "Quality dropped; the mailbox becomes stricter by itself.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode")}),
    move("W9g", "demote_category", (), (SYSTEM,), (LOWER_GRANT,), None,
         "Quality dropped; a category becomes stricter by itself.", emits="mailbox.mode_changed", on=On.WORLD,
         does="lower_grant"),
    move("W10", "set_rule", (), (OPERATOR,), (), None,
         "An operator says which mail is of a category, or that none is any more.", on=On.WORLD, does="set_rule"),
    move("W11", "request_upgrade", (), (AGENT, REVIEWER, OPERATOR), (("RATE", negate(var("asked_enough"))),), None,
         "A looser mode is asked for; a code goes to the oversight address, and nothing changes.", on=On.WORLD,
         does="request"),
    move("W12", "redeem_upgrade", (), (OPERATOR,), (CODE, GRANT_UP_TO_CEILING), None,
         "An operator redeems the code: the mailbox gets the mode that was asked for.", emits="mailbox.mode_changed",
         on=On.WORLD, sets={"mode": arg("mode")} | COVERS, does="redeem"),
    move("W12g", "redeem_listing", (), (OPERATOR,), (CODE, GRANT_UP_TO_CEILING), None,
         "An operator redeems the code: the recipients that were asked for get that mode.", emits="mailbox.mode_changed",
         on=On.WORLD, does="redeem_grant"),
    move("W13", "move_mails", (), (REVIEWER, OPERATOR), (EXISTS, ("SETTLED", is_true(var("settled")))), None,
         "A person puts mails of one thread into another, or takes that back.", on=On.WORLD, does="move_mails"),
    move("W14", "place_hold", (), (OPERATOR,), (), None,
         "An operator says that data must be kept, whatever a clock or a person says.", on=On.WORLD, does="hold"),
    move("W15", "lift_hold", (), (OPERATOR,), (EXISTS,), None,
         "An operator lets the clocks and the requests go on.", on=On.WORLD, does="lift_hold"),
    move("W16", "erase", (), (OPERATOR, SYSTEM), (), None,
         "Personal data is erased, on request or by a clock; the records of it stay.", on=On.WORLD),
    move("N1", "disable_endpoint", (), (SYSTEM,), (EXISTS,), None,
         "A webhook endpoint is switched off.", emits="endpoint.disabled", on=On.WORLD, by="notifier", does="disable_endpoint"),
    move("N2", "exhaust_endpoint", (), (SYSTEM,), (), None,
         "A webhook delivery ran out of attempts.", emits="endpoint.exhausted", on=On.WORLD, by="notifier"),
)  # fmt: skip
