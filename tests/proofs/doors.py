"""The access table and the credentials, by enumeration: every row, every set of scopes, every kind of principal."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Sequence

from gatepost_api.access import ACCESS, ANY_KEY, OPERATOR, PERSON, PUBLIC, Access
from gatepost_api.caller import Caller
from gatepost_oversight.credential import CONTAINS, SCOPES, Role, allows, role_of, roles_of, scope_conflict
from proofs.engine import Broken, Tally

KINDS = ("agent", "person", "service")
SETS = tuple(frozenset(c) for n in range(len(SCOPES) + 1) for c in itertools.combinations(SCOPES, n))
READING = ("read", "oversight_read")
OPEN_TO_ALL = frozenset({
    "unsubscribe", "show_unsubscribe", "health", "openapi", "sign_up", "signing_keys", "setup_multimail", "oauth_resource",
    "verify_page", "open_attachment", "show_approval", "review_page",
})  # fmt: skip
ANYONE_STOPS = frozenset({"create_pause", "report_issue"})  # stopping, and telling the operator, is anyone's
DECIDING = frozenset({"oversight", OPERATOR, PERSON})
INSTALLATION_WIDE = frozenset({"get_audit_checkpoint"})  # a size and a hash over all tenants: of nobody in particular
LOOSENING = frozenset({"delete_pause", "remove_suppression"})
Found = tuple[str, str, str | None]


def _caller(scopes: frozenset[str], kind: str) -> Caller:
    return Caller("key", "ten", "prn", kind, "", "", scopes)


def _read_only_callers() -> Iterator[Caller]:
    for scopes in SETS:
        if scopes <= set(READING):
            yield from (_caller(scopes, kind) for kind in KINDS)


def rows(table: Sequence[Access]) -> Iterator[Found]:
    """Of each row of the access table."""
    words = {*SCOPES, OPERATOR, PERSON, ANY_KEY, PUBLIC}
    for row in table:
        paths = (*row.rest, *row.zapier)
        yield (
            "every row has a scope",
            row.command,
            None if row.scope and set(row.scope) <= words else f"its scopes are {row.scope}",
        )
        named = any(re.search(r"{(?!token)\w+}", path) for _, path in paths)
        has_tenant = row.tenant not in {"", "none"} or (row.status == 501 and not row.mutates)  # 501: it does nothing
        yield (
            "every row is tied to a tenant",
            row.command,
            (
                None
                if has_tenant
                or ((row.scope == (PUBLIC,) or row.command in INSTALLATION_WIDE) and not named and not row.mutates)
                else f"its tenant column is {row.tenant!r}"
            ),
        )
        got = [path for method, path in paths if method in {"GET", "HEAD"}]
        yield "no GET mutates", row.command, f"{got[0]} mutates" if row.mutates and got else None
        reached = [c for c in _read_only_callers() if row.mutates and c.may(row.scope)]
        allowed = not reached or row.command in ANYONE_STOPS | {"unsubscribe"}
        yield (
            "reading reaches nothing that mutates",
            row.command,
            None if allowed else f"{sorted(reached[0].scopes)} reaches it",
        )
        is_public = PUBLIC in row.scope
        yield (
            "public rows are few and known",
            row.command,
            "it is public" if is_public and row.command not in OPEN_TO_ALL else None,
        )
        yield (
            "what goes outside mutates",
            row.command,
            "it is outward and does not mutate" if row.outward and not row.mutates else None,
        )
        if row.command in LOOSENING:
            yield (
                "loosening is an operator's",
                row.command,
                None if row.scope == (OPERATOR,) else f"its scopes are {row.scope}",
            )
        if set(row.scope) <= DECIDING:
            agents = [s for s in SETS if scope_conflict(s, "agent") is None and _caller(s, "agent").may(row.scope)]
            yield (
                "no agent's key decides",
                row.command,
                f"{sorted(agents[0])} of an agent reaches it" if agents else None,
            )
    commands = [row.command for row in table]
    yield "one row a command", "table", None if len(commands) == len(set(commands)) else "a command has two rows"
    named_paths = [(m, p) for row in table for m, p in (*row.rest, *row.zapier)]
    yield "one row a path", "table", None if len(named_paths) == len(set(named_paths)) else "a path has two rows"


def credentials() -> Iterator[Found]:
    """Of each set of scopes and kind of principal that a key may have."""
    for a, b in itertools.product(SCOPES, SCOPES):
        wanted = a == b or b in {"oversight": {"oversight_read"}, "admin": {"read"}}.get(a, set())
        yield (
            "a scope contains what it says and no more",
            f"{a} {b}",
            None if allows({a}, b) == wanted else f"CONTAINS is {CONTAINS}",
        )
    for scopes, kind in itertools.product(SETS, KINDS):
        if scope_conflict(scopes, kind) is not None:
            continue
        roles, who = roles_of(scopes, kind), f"{sorted(scopes)} {kind}"
        yield "no key both sends and decides", who, "it does" if {"send", "oversight"} <= scopes else None
        yield (
            "a reviewer holds oversight",
            who,
            "it does not" if Role.REVIEWER in roles and "oversight" not in scopes else None,
        )
        yield (
            "an operator is a person with admin",
            who,
            ("it is not" if Role.OPERATOR in roles and not (kind == "person" and "admin" in scopes) else None),
        )
        yield (
            "an agent's key is an agent",
            who,
            f"it is {sorted(roles)}" if kind == "agent" and roles != {Role.AGENT} else None,
        )
        yield "nobody is the system by a key", who, "it is" if Role.SYSTEM in roles else None
        yield "a key has one strongest role", who, None if role_of(scopes, kind) in roles else "it has none"


def check(table: Sequence[Access] = ACCESS) -> Tally:
    """All of it."""
    tally = Tally()
    for source in (rows(table), credentials()):
        began = time.perf_counter()
        for name, part, problem in source:
            tally.asked[f"doors: {name}"] += 1
            now = time.perf_counter()
            tally.seconds[f"doors: {name}"] += now - began
            began = now
            if problem is not None:
                tally.broken.append(Broken(f"doors: {name}", part, (problem,)))
    return tally
