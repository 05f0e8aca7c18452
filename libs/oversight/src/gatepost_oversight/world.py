"""What people change around mail: modes, pauses, suppressions. These rows never touch a mail."""

from __future__ import annotations

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import NOTHING, all_of, arg, eq, ite, le, level, ne, var
from gatepost_oversight.move import Move, On, move
from gatepost_oversight.terms import is_true

AGENT, REVIEWER, OPERATOR, SYSTEM = Role.AGENT, Role.REVIEWER, Role.OPERATOR, Role.SYSTEM
ANYONE = (AGENT, REVIEWER, OPERATOR, SYSTEM)
NEW_CEILING = ite(ne(arg("ceiling"), NOTHING), arg("ceiling"), var("ceiling"))
UP_TO_CEILING = ("UP_TO_CEILING", le(level(arg("mode")), level(NEW_CEILING)))
LOWER = ("LOWER", all_of(eq(arg("ceiling"), NOTHING), le(level(arg("mode")), level(var("mode")))))
EXISTS = ("EXISTS", is_true(var("exists")))
_SUPPRESSERS = ("ingest", "api", "sender", "gatekeeper")

WORLD: tuple[Move, ...] = (
    move("W1", "set_mode", (), (OPERATOR,), (UP_TO_CEILING,), None,
         "An operator sets how far agents may go.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode"), "ceiling": NEW_CEILING}),
    move("W2", "lower_mode", (), (AGENT, REVIEWER), (LOWER,), None,
         "Anyone may make a mailbox stricter.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode")}),
    move("W3", "set_two_person", (), (OPERATOR,), (), None,
         "An operator asks for two people, or for one.", on=On.WORLD,
         sets={"two_person": is_true(arg("on"))}),
    move("W4", "pause", (), ANYONE, (), None,
         "Anyone stops new attempts.", emits="mailbox.paused", on=On.WORLD),
    move("W5", "resume", (), (OPERATOR,), (EXISTS,), None,
         "Only an operator lets attempts go on.", emits="mailbox.resumed", on=On.WORLD),
    move("W6", "add_suppression", (), ANYONE, (EXISTS,), None,
         "Nobody writes to this address any more.", on=On.WORLD, by=_SUPPRESSERS),
    move("W6u", "unsubscribe", (), ANYONE, (EXISTS,), None,
         "A recipient opted out.", emits="email.unsubscribed", on=On.WORLD, by=("ingest", "api")),
    move("W6c", "complain", (), ANYONE, (EXISTS,), None,
         "A recipient complained, provably.", emits="email.complained", on=On.WORLD, by=("ingest", "api")),
    move("W7", "remove_suppression", (), (OPERATOR,), (EXISTS,), None,
         "Only an operator lets mail go there again.", on=On.WORLD),
    move("W8", "scan", (), (SYSTEM,), (), None,
         "The scanner blocks a mailbox, or clears it.", on=On.WORLD, sets={"policy_block": is_true(arg("on"))}),
    move("W9", "demote", (), (SYSTEM,), (LOWER,), None,
         "Quality dropped; the mailbox becomes stricter by itself.", emits="mailbox.mode_changed", on=On.WORLD,
         sets={"mode": arg("mode")}),
    move("N1", "disable_endpoint", (), (SYSTEM,), (EXISTS,), None,
         "A webhook endpoint is switched off.", emits="endpoint.disabled", on=On.WORLD, by="notifier"),
    move("N2", "exhaust_endpoint", (), (SYSTEM,), (), None,
         "A webhook delivery ran out of attempts.", emits="endpoint.exhausted", on=On.WORLD, by="notifier"),
)  # fmt: skip
