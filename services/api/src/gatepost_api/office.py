"""What every command has at hand, and how it finds the things a caller names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gatepost_api.access import Route
from gatepost_api.caller import Caller, KeyRing
from gatepost_api.errors import Refusal, invalid
from gatepost_api.lenient import Fields
from gatepost_api.limits import Limits
from gatepost_api.live import Live
from gatepost_api.settings import ApiSettings
from gatepost_api.status import Row
from gatepost_api.views import Eyes
from gatepost_contracts.commands import Command, CommandReply, Door
from gatepost_contracts.ids import new_id
from gatepost_mail import tokens
from gatepost_oversight.credential import Role
from gatepost_runtime.dead import DeadLetters
from gatepost_runtime.targets import Targets
from gatepost_store import Actor, Store

NOBODY = Caller("", "", "", "service", "", "", frozenset())


@dataclass(frozen=True)
class Call:
    """One request, understood: who, by which route, with which fields."""

    route: Route
    caller: Caller
    fields: Fields
    headers: Mapping[str, str] = field(default_factory=dict)
    is_head: bool = False

    @property
    def door(self) -> Door:
        """The door as the audit log names it."""
        match self.route.door:
            case "token" | "rpc" | "mcp":
                return self.route.door
            case _:
                return "rest"


@dataclass(frozen=True)
class Reply:
    """What a command answers; bytes go out as they are, and what is iterated goes out as it comes."""

    body: dict[str, Any] | bytes | AsyncIterator[bytes]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass
class Office:
    """The commands' surroundings: the store, the gatekeeper's ear, the keys of this service."""

    store: Store
    ask: Callable[[Command], Awaitable[CommandReply]]
    settings: ApiSettings
    is_dev: bool
    public_url: str
    token_key: bytes
    notifier_seal: X25519PublicKey
    keys: KeyRing
    targets: Targets
    dead: Callable[[], DeadLetters]
    ready: Callable[[], Awaitable[bool]]
    limits: Limits
    live: Live
    identity: EllipticCurvePublicKey
    openapi: Callable[[], dict[str, Any]] = dict

    # -- looking ---------------------------------------------------------------------------------------------------

    def eyes(self, call: Call, *, include: Sequence[str] = ()) -> Eyes:
        """How this caller sees mails."""
        trusted = call.fields.text("fields") == "trusted"
        return Eyes(
            call.caller, self.message_id_of, include=(*call.fields.words("include"), *include), trusted_only=trusted
        )

    def message_id_of(self, message_id: str, thread_id: str, domain: str) -> str:
        """The Message-ID that a mail of ours has or will have."""
        return tokens.message_id_for(self.token_key, message_id, thread_id, domain)

    async def mailboxes(self, call: Call, words: Sequence[str]) -> list[Row]:
        """Mailboxes by id or address; each that is unknown, or not of this key, is 404."""
        names = [word.strip() for word in words]
        ids = [name for name in names if "@" not in name]
        addresses = [name.lower() for name in names if "@" in name]
        rows = await self.store.fetch("mailboxes_by", call.caller.tenant_id, [*ids, *map(as_id, ids)], addresses)
        seen: list[Row] = [row for row in rows if call.caller.sees(row["id"])]
        known = {row["id"].lower() for row in seen} | {row["address"] for row in seen}
        if any(name.lower() not in known for name in names):
            raise Refusal("not_found", "There is no such mailbox.")
        return seen

    async def mailbox(self, call: Call, field_name: str = "mailbox") -> Row | None:
        """The one mailbox a request names, by whatever words; two that differ are refused."""
        given = call.fields.all(field_name)
        if not given:
            return None
        if not all(isinstance(value, str) for _, value in given):
            raise invalid(field_name, "must be a mailbox id or address")
        words = [_bare_of(value) for _, value in given]
        rows = await self.mailboxes(call, words)
        if len({row["id"] for row in rows}) > 1:
            raise Refusal(
                "conflicting_fields", f"`{given[0][0]}` and `{given[-1][0]}` name different mailboxes.",
                fields={name: "" for name, _ in given},
            )  # fmt: skip
        return rows[0]

    async def only_mailbox(self, call: Call) -> Row:
        """The one that was named, else the only one there is."""
        found = await self.mailbox(call)
        if found is not None:
            return found
        rows = await self.store.fetch("mailboxes_all", call.caller.tenant_id, call.caller.bound)
        if len(rows) != 1:
            raise invalid("mailbox", "is missing", "Name the mailbox by id or address.")
        only: Row = rows[0]
        return only

    async def scope(self, call: Call) -> list[str] | None:
        """The mailboxes a list is about: the one named, else all that the key may see."""
        found = await self.mailbox(call)
        return call.caller.bound if found is None else [found["id"]]

    async def mails(self, call: Call, ids: Sequence[str]) -> dict[str, Row]:
        """Mails by id, as far as this caller may see them."""
        if not ids:
            return {}
        rows = await self.store.fetch("emails", call.caller.tenant_id, list(ids))
        return {row["id"]: row for row in rows if call.caller.sees(row["mailbox_id"]) and may_see(call.caller, row)}

    async def mail(self, call: Call, message_id: str) -> Row:
        """One mail, or 404; a mailbox named beside it has to be its own."""
        found = (await self.mails(call, [message_id])).get(message_id)
        if found is None:
            raise Refusal("not_found", "There is no such mail.")
        box = await self.mailbox(call)
        if box is not None and box["id"] != found["mailbox_id"]:
            raise Refusal("not_found", "There is no such mail in this mailbox.")
        return found

    # -- doing -----------------------------------------------------------------------------------------------------

    def actor(self, call: Call, role: Role | None = None) -> Actor:
        """Who steps, for the audit record."""
        caller = call.caller
        roles = caller.roles
        chosen = role or next(r for r in (Role.REVIEWER, Role.OPERATOR, Role.AGENT) if r in roles)
        return Actor(chosen, caller.principal_id or None, caller.key_id or "api", call.door)

    def command_fields(self, call: Call) -> dict[str, Any]:
        """What every command to another service carries."""
        return {
            "command_id": new_id("cmd"), "tenant_id": call.caller.tenant_id, "key_id": call.caller.key_id,
            "principal_id": call.caller.principal_id, "door": call.door, "at": datetime.now(UTC),
        }  # fmt: skip

    async def demand(self, command: Command) -> CommandReply:
        """Ask, and turn a no into the refusal that the caller reads."""
        reply = await self.ask(command)
        if not reply.ok:
            raise refusal_of(reply)
        return reply


def refusal_of(reply: CommandReply) -> Refusal:
    """The gatekeeper's no, in its own words."""
    extra: dict[str, Any] = dict(reply.extra)
    if reply.failed:
        extra["failed"] = list(reply.failed)
    if reply.decided_by:
        extra["decided_by"] = reply.decided_by
    if reply.decided_at:
        extra["decided_at"] = reply.decided_at.isoformat().replace("+00:00", "Z")
    if reply.message_id or reply.id:
        extra["id"] = reply.id or reply.message_id
    if reply.state:
        extra["state"] = reply.state
    return Refusal(reply.code, reply.error, hint=reply.hint, **extra)


def may_see(caller: Caller, mail: Row) -> bool:
    """Inbound mail that waits for a person is shown to persons only; agents see it once it was let through."""
    if caller.is_person or mail["direction"] == "outbound" or mail["state"] == "received":
        return True
    return mail["state"] == "quarantined" and "gated_all" not in mail["quarantined_for"]


def as_id(word: str) -> str:
    """An id as it is stored, however it was spelled."""
    prefix, mark, rest = word.partition("_")
    return f"{prefix.lower()}_{rest.upper()}" if mark else word


def _bare_of(word: str) -> str:
    """`Name <a@b>` or a bare word."""
    if word.endswith(">") and "<" in word:
        return word[word.rindex("<") + 1 : -1]
    return word
