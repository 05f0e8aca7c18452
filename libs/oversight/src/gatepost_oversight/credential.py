"""What a key may be: its role follows from its scopes and its principal's kind, and some scopes never meet."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

SCOPES = ("read", "send", "oversight_read", "oversight", "admin")
CONTAINS = {"oversight": {"oversight_read"}, "admin": {"read"}}


class Role(StrEnum):
    """Who acts in a step."""

    AGENT = "agent"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    SYSTEM = "system"


def roles_of(scopes: Iterable[str], kind: str) -> frozenset[Role]:
    """A reviewer holds oversight, an operator is a person's admin, everyone else is an agent."""
    held = set(scopes)
    found = {Role.REVIEWER} if "oversight" in held else set()
    if "admin" in held and kind == "person":
        found.add(Role.OPERATOR)
    return frozenset(found or {Role.AGENT})


def allows(scopes: Iterable[str], needed: str) -> bool:
    """Does one of the scopes give what is needed?"""
    return any(scope == needed or needed in CONTAINS.get(scope, ()) for scope in scopes)


def scope_conflict(scopes: Iterable[str], kind: str = "person") -> str | None:
    """Why these scopes may not stand on one key, or None."""
    held = set(scopes)
    if unknown := sorted(held - set(SCOPES)):
        return f"unknown scope: {', '.join(unknown)}"
    if {"send", "oversight"} <= held:
        return "no key may both send and decide"
    if {"send", "admin"} <= held and kind != "person":
        return "no key of a program may both send and administer"
    if "oversight" in held and kind == "agent":
        return "only a person decides, or a program that an operator gave a person's place"
    return None


def role_of(scopes: Iterable[str], kind: str) -> Role:
    """The strongest role of a key."""
    roles = roles_of(scopes, kind)
    return next(role for role in (Role.OPERATOR, Role.REVIEWER, Role.AGENT) if role in roles)
