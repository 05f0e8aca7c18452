"""One digest of both tables: it stands in every audit record and grant, so that one can tell under which rules."""

from __future__ import annotations

from functools import cache

from gatepost_contracts.canonical import canonical, sha256_hex

from gatepost_oversight.lifecycle import BIRTHS, MOVES
from gatepost_oversight.policy import POLICY


@cache
def policy_digest() -> str:
    """SHA-256 over the lifecycle rows and the policy's names, order and verdicts."""
    rows = [[m.id, m.event, m.src, sorted(m.roles), m.guard, m.dst, m.sets, m.emits, m.of, m.releases] for m in MOVES]
    rules = [[rule.name, rule.verdict, rule.why] for rule in POLICY]
    return sha256_hex(canonical({"births": BIRTHS, "moves": rows, "policy": rules}))
