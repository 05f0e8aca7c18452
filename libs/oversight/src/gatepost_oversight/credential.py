"""What a credential may be in a step, read from its scopes and the kind of its principal."""

from __future__ import annotations

from collections.abc import Collection

from gatepost_oversight.move import Role

SCOPES = ("read", "send", "oversight_read", "oversight", "admin")
_STRENGTH = (Role.OPERATOR, Role.REVIEWER, Role.AGENT)


def roles_of(scopes: Collection[str], kind: str) -> frozenset[Role]:
    """Every role it may act in: `oversight` makes a reviewer, `admin` of a person an operator, all else is an agent."""
    roles: set[Role] = set()
    if "oversight" in scopes:
        roles.add(Role.REVIEWER)
    if "admin" in scopes and kind == "person":
        roles.add(Role.OPERATOR)
    return frozenset(roles or {Role.AGENT})


def role_of(scopes: Collection[str], kind: str, among: Collection[Role] = _STRENGTH) -> Role:
    """The role to act in: the strongest it has that the row admits, else the strongest it has."""
    roles = roles_of(scopes, kind)
    fitting = [role for role in _STRENGTH if role in roles and role in among]
    return fitting[0] if fitting else next(role for role in _STRENGTH if role in roles)


def scope_conflict(scopes: Collection[str]) -> str | None:
    """Why these scopes cannot stand in one credential, or None."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown:
        return f"unknown scope {unknown[0]}"
    if "send" in scopes and "oversight" in scopes:
        return "no credential holds both send and oversight: who writes may not approve"
    if "send" in scopes and "admin" in scopes:
        return "no credential holds both send and admin: who writes may not raise its own autonomy"
    return None
