"""Who asks: the credential behind a command, loaded here and believed from nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from gatepost_contracts.commands import Command
from gatepost_gatekeeper.case import Reader
from gatepost_oversight.credential import Role, roles_of
from gatepost_store import Actor

SYSTEM_MAILBOX = "mbx_system"


@dataclass(frozen=True)
class Caller:
    """A key that exists, of the principal it claims."""

    key_id: str
    tenant_id: str
    principal_id: str
    door: str
    roles: frozenset[Role]
    mailbox_ids: frozenset[str]

    def as_actor(self, role: Role) -> Actor:
        """For a step in this role."""
        return Actor(role=role, principal=self.principal_id, actor=self.key_id, door=self.door)

    def may_see(self, mailbox_id: str) -> bool:
        """False for mailboxes the key is not bound to, and for the one nobody writes to."""
        return mailbox_id != SYSTEM_MAILBOX and (not self.mailbox_ids or mailbox_id in self.mailbox_ids)

    @property
    def is_operator(self) -> bool:
        """May loosen."""
        return Role.OPERATOR in self.roles


async def caller_of(store: Reader, command: Command) -> Caller | None:
    """The caller of a command; none when the key is unknown, revoked or somebody else's."""
    if command.key_id is None:
        return None
    key = await store.fetchrow("credential", command.key_id)
    if key is None or key["tenant_id"] != command.tenant_id or key["principal_id"] != command.principal_id:
        return None
    if key["revoked_at"] is not None and key["revoked_at"] <= datetime.now(UTC):
        return None
    return Caller(
        key["id"], key["tenant_id"], key["principal_id"], command.door, roles_of(key["scopes"], key["kind"]),
        frozenset(key["mailbox_ids"]),
    )  # fmt: skip
