"""The rights of each NATS user, generated from the table of events and durables; never typed.

Allow lists only: a service publishes its own event types, asks and acks its own durables, and reads its own inbox.
Nobody but the operator may create a consumer: a push consumer delivers to any subject it names, commands included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatepost_contracts.catalogue import CONSUMERS, SERVICES, publishes
from gatepost_contracts.commands import COMMANDS

OPERATOR = "operator"
ASKS: Mapping[str, tuple[str, ...]] = {
    "api": ("cmd.gatekeeper.*", "cmd.sender.domain_key", "cmd.notifier.*"),
    "gatekeeper": ("cmd.gatekeeper.*",),
}
READS: Mapping[str, tuple[str, ...]] = {
    "api": tuple(f"$JS.API.STREAM.{what}.DEAD" for what in ("INFO", "MSG.GET", "MSG.DELETE")),
}
"""The doors count, show and drop dead letters."""
HEARS: Mapping[str, tuple[str, ...]] = {"api": ("email.*.*", "mailbox.*.*", "endpoint.*.*")}
"""What a user hears as it is published: the doors wake those who wait for a mail or follow the stream."""
ASKERS: Mapping[str, tuple[str, ...]] = {
    server: tuple(
        [asker for asker, asked in ASKS.items() if any(s.startswith(f"cmd.{server}.") for s in asked)] + [OPERATOR]
    )
    for server in sorted({command.server for command in COMMANDS.values()})
}
"""Who may have asked, by server: a command's reply inbox must be one of theirs."""


class Rights(NamedTuple):
    """What one user may do."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def inbox(user: str) -> str:
    """The prefix of this user's reply subjects."""
    return f"_INBOX_{user}"


def serves(service: str) -> str | None:
    """The subjects on which this service answers commands."""
    names = [command.name for command in COMMANDS.values() if command.server == service]
    if not names:
        return None
    return f"cmd.{service}.*" if len(names) > 1 else f"cmd.{service}.{names[0]}"


def rights_of(service: str) -> Rights:
    """The rights of one service's user."""
    durables = tuple(CONSUMERS.get(service, {}))
    publish = [f"{event_type}.*" for event_type in publishes(service)]
    publish += _durable_rights(durables)
    publish += [f"dead.{service}.>"] if durables else []
    publish += ASKS.get(service, ())
    publish += READS.get(service, ())
    served = serves(service)
    subscribe = [f"{inbox(service)}.>"] + ([f"{served} {service}"] if served else []) + list(HEARS.get(service, ()))
    return Rights(tuple(publish), tuple(subscribe), answers=served is not None)


def nats_users(passwords: Mapping[str, str], *, more: Sequence[str] = ()) -> str:
    """The `authorization` block of a nats-server's configuration, for the users in `passwords`.

    Passwords may be bcrypt hashes. The operator may do everything. `more` are lines of `consumer_user` and its like.
    """
    lines = ["authorization {", "  users = ["]
    for user, password in passwords.items():
        if user == OPERATOR:
            lines.append(_user(user, password, None))
        elif user in SERVICES:
            lines.append(_user(user, password, rights_of(user)))
        else:
            raise ValueError(f"there is no service {user!r}")
    return "\n".join([*lines, *more, "  ]", "}", ""])


def third_party_user(user: str, password: str, durable: str) -> str:
    """A user who can read one durable that the operator made, and do nothing else."""
    return _user(user, password, Rights(tuple(_durable_rights((durable,))), (f"{inbox(user)}.>",)))


def consumer_user(name: str, password: str, types: Sequence[str]) -> str:
    """A consumer of somebody's own: it reads its durables, buries what it cannot handle, and does nothing else."""
    durables = tuple(f"{name}_{event_type.replace('.', '_')}" for event_type in types)
    rights = Rights((*_durable_rights(durables), f"dead.{name}.>"), (f"{inbox(name)}.>",))
    return _user(name, password, rights)


def _durable_rights(durables: tuple[str, ...]) -> list[str]:
    return [
        right
        for durable in durables
        for right in (
            f"$JS.API.CONSUMER.INFO.EVENTS.{durable}",
            f"$JS.API.CONSUMER.MSG.NEXT.EVENTS.{durable}",
            f"$JS.ACK.EVENTS.{durable}.>",
        )
    ]


def _user(user: str, password: str, rights: Rights | None) -> str:
    if rights is None:
        return f"    {{ user: {json.dumps(user)}, password: {json.dumps(password)} }}"
    answers = ', allow_responses: { max: 1, expires: "10s" }' if rights.answers else ""
    return (
        f"    {{ user: {json.dumps(user)}, password: {json.dumps(password)}, permissions: {{\n"
        f"      publish: {{ allow: {json.dumps(rights.publish)} }},\n"
        f"      subscribe: {{ allow: {json.dumps(rights.subscribe)} }}{answers} }} }}"
    )
