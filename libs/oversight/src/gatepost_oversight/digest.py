"""One digest over both tables: which rules a record, a grant or a checkpoint was made under."""

from __future__ import annotations

from functools import cache
from typing import Any

from gatepost_contracts.canonical import canonical, sha256_hex
from gatepost_oversight.lifecycle import MOVES
from gatepost_oversight.policy import POLICY


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int) else str(value)


def policy_document() -> dict[str, Any]:
    """Both tables as JSON."""
    return {
        "lifecycle": [
            {
                "id": m.id, "event": m.event, "on": m.on.value, "src": sorted(m.src), "roles": sorted(m.roles),
                "guard": _plain(m.guard), "dst": m.dst, "set": _plain(m.set), "emits": list(m.emits),
                "releases": m.releases, "takes_back": m.takes_back, "then": _plain(m.then), "does": m.does,
                "services": list(m.services), "doc": m.doc,
            }
            for m in MOVES
        ],
        "policy": [
            {"name": r.name, "fact": r.fact, "modes": sorted(r.modes), "verdict": r.verdict, "why": r.why}
            for r in POLICY
        ],
    }  # fmt: skip


@cache
def policy_digest() -> str:
    """SHA-256 of the canonical tables."""
    return sha256_hex(canonical(policy_document()))
