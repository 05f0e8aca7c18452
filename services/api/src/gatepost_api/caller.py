"""Who calls: the key behind a request, its scopes, and what it may see."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost_api.access import ANY_KEY, OPERATOR, PERSON, PUBLIC
from gatepost_api.errors import Refusal
from gatepost_oversight.credential import Role, allows, roles_of

_KNOWN_MOST = 10_000


@dataclass(frozen=True)
class Caller:
    """One credential at work. The gatekeeper loads it again and believes nothing of this."""

    key_id: str
    tenant_id: str
    principal_id: str
    kind: str
    name: str
    prefix: str
    scopes: frozenset[str]
    mailbox_ids: tuple[str, ...] = ()
    is_first: bool = False  # the operator's oldest key: administrative acts by it need no code

    @property
    def roles(self) -> frozenset[Role]:
        """What this call may be."""
        return roles_of(self.scopes, self.kind)

    @property
    def is_reviewer(self) -> bool:
        """A person that decides."""
        return Role.REVIEWER in self.roles

    @property
    def is_operator(self) -> bool:
        """A person that administers."""
        return Role.OPERATOR in self.roles

    @property
    def is_person(self) -> bool:
        """A reviewer or an operator."""
        return self.is_reviewer or self.is_operator

    def may(self, scope: Sequence[str]) -> bool:
        """Is one of these scopes, or role words, given?"""
        return any(self._has(word) for word in scope)

    def _has(self, word: str) -> bool:
        match word:
            case "public" | "any":
                return True
            case "operator":
                return self.is_operator
            case "person":
                return self.is_person
            case _:
                return allows(self.scopes, word)

    def demand(self, scope: Sequence[str]) -> None:
        """Refuse what no scope of this key allows."""
        if self.may(scope):
            return
        if tuple(scope) == (OPERATOR,):
            raise Refusal("operator_redeems", scope="admin")
        needed = next((word for word in scope if word not in {OPERATOR, PERSON, ANY_KEY, PUBLIC}), "oversight")
        raise Refusal("scope_missing", hint=f"Use a key with the scope `{needed}`.", scope=needed)

    def sees(self, mailbox_id: str) -> bool:
        """Is the mailbox among those the key is bound to?"""
        return not self.mailbox_ids or mailbox_id in self.mailbox_ids

    @property
    def bound(self) -> list[str] | None:
        """The mailboxes this key is bound to; None: all of the account."""
        return list(self.mailbox_ids) or None


class KeyStore(Protocol):
    """What the key ring reads and writes."""

    async def fetchrow(self, name: str, *args: Any) -> Any:
        """One row of a named statement."""

    async def execute(self, name: str, *args: Any) -> Any:
        """Run a named statement."""


class KeyRing:
    """Looks keys up by their hash, believes an answer for a moment, and remembers which were used."""

    def __init__(self, store: KeyStore, believed_s: float) -> None:
        self._store, self._believed_s = store, believed_s
        self._known: dict[str, tuple[float, Caller | None]] = {}
        self._calls: dict[tuple[str, str], int] = {}

    async def caller(self, headers: Mapping[str, str]) -> Caller:
        """The caller behind these headers, or 401."""
        digest = digest_of(presented(headers))
        now = time.monotonic()
        until, found = self._known.get(digest, (0.0, None))
        if until < now:
            row = await self._store.fetchrow("key", digest)
            found = None if row is None else _caller(row)
            if len(self._known) > _KNOWN_MOST:
                self._known.clear()
            self._known[digest] = (now + self._believed_s, found)
        if found is None:
            raise Refusal("unauthenticated")
        who = (found.tenant_id, found.key_id)
        self._calls[who] = self._calls.get(who, 0) + 1
        return found

    def forget(self) -> None:
        """Look every key up again: one was revoked."""
        self._known.clear()

    async def note_used(self) -> None:
        """Write down which keys were used since the last time, and how often."""
        calls, self._calls = self._calls, {}
        if calls:
            await self._store.execute("key_used", sorted(key_id for _, key_id in calls))
            tenants, ids = [tenant for tenant, _ in calls], [key_id for _, key_id in calls]
            await self._store.execute("calls_made", tenants, ids, list(calls.values()))


def presented(headers: Mapping[str, str]) -> str:
    """The key in `Authorization: Bearer` or `X-API-Key`."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip() if kind.lower() == "bearer" else ""
    token = token or headers.get("x-api-key", "").strip()
    if not token or len(token) > 500:
        raise Refusal("unauthenticated")
    return token


def digest_of(key: str) -> str:
    """What is stored of a key: it has 256 bits of entropy, so one plain digest is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(prefix: str) -> str:
    """A fresh key behind a prefix that secret scanners can find."""
    return prefix + secrets.token_urlsafe(32)


def _caller(row: Any) -> Caller:
    return Caller(
        row["id"], row["tenant_id"], row["principal_id"], row["kind"], row["principal_name"], row["prefix"],
        frozenset(row["scopes"]), tuple(row["mailbox_ids"]), bool(row["is_first"]),
    )  # fmt: skip
