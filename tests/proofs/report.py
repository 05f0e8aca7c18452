"""What `make prove` prints: each claim with its count and time, the assumptions beside them, and what broke in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from gatepost_oversight.digest import policy_digest
from gatepost_oversight.lifecycle import MOVES
from proofs import controls, doors, lockout, policies, protocol_controls, search, statics
from proofs.engine import ALIVE, Broken, Tally, prove

ASSUMPTIONS = (
    "The role and the principal of a credential never change; a role change is a new credential.",
    "SHA-256 has no collisions, Ed25519 signatures are not forged, and only the gatekeeper holds the grant key.",
    "The hashed content covers everything the recipient sees; date, DKIM and identity headers come later and are not in it.",
    "Each step is decided by one statement under the lock of its mail; a change of the world that commits later counts as later.",
    "The generated SQL means what the table means: tested row by row on a real Postgres by `make check`, not proved.",
    "The deliveries made at release, taken back, and summed up in the mail's state are modelled once by hand, as the SQL has them.",
    "The z3 solver and the evaluator are right.",
    "Theorems 3, 4 and 27 speak of the moment of the claim: mail on the wire cannot be called back.",
    "A person with two accounts under two principals is two people to us.",
    "A reviewer who edits and approves is a co-author; only the two-person rule puts a second pair of eyes on it.",
    "What other code finds out (injection, commitments, category) is as good as that code; so is what the gatekeeper gathers.",
    "Who holds the gatekeeper's database password can release by hand; no mail leaves without its signed grant.",
)


@dataclass
class Part:
    """One section of the report."""

    title: str
    tally: Tally
    seconds: float
    note: str = ""
    details: bool = True
    lines: tuple[str, ...] = field(default=())


def table() -> Part:
    """The table is well formed."""
    tally = Tally()
    tally.asked["the table is well formed"] = len(MOVES)
    tally.broken += [Broken("the table is well formed", "lint", (problem,)) for problem in statics.lint(MOVES)]
    return Part("table", tally, 0.0, f"{len(MOVES)} rows")


def theorems() -> Part:
    """z3: lemmas and theorems, row by row."""
    return Part("theorems on every row (z3)", prove(MOVES), 0.0)


def wholes() -> Part:
    """z3: claims about the whole table."""
    return Part("the table as a whole (z3)", statics.check(MOVES), 0.0)


def possible() -> Part:
    """z3: the no-lock-out conditions."""
    return Part("what must always be possible (z3)", lockout.check(MOVES), 0.0)


def policy() -> Part:
    """z3 and enumeration: the policy table."""
    return Part("the policy table (z3)", policies.check(), 0.0)


def access() -> Part:
    """Enumeration: the access table and credentials."""
    return Part("the access table and the credentials (every row, every set of scopes)", doors.check(), 0.0)


def broken_tables() -> Part:
    """The named negative controls."""
    tally = controls.check()
    return Part("negative controls: each broken table must be caught by the claim it names", tally, 0.0,
                f"{tally.total - len(tally.broken)} of {tally.total} caught", details=False)  # fmt: skip


def crashes() -> Part:
    """The delivery protocol."""
    tally, worlds = protocol_controls.check()
    return Part(
        "the delivery protocol under crashes (explicit states, at most 2 crashes)", tally, 0.0, f"{worlds} worlds"
    )


def reachable() -> Part:
    """The exhaustive search with the services' own evaluator."""
    found = search.search(MOVES)
    tally = Tally()
    tally.asked["no promise is broken in a reachable state"] = found.states
    tally.broken += [Broken(why, row, (str(mail),)) for why, row, mail in found.violations[:5]]
    return Part(
        "exhaustive search with the services' evaluator", tally, 0.0, f"{found.states} states, {found.steps} steps"
    )


PARTS: tuple[Callable[[], Part], ...] = (
    table, theorems, possible, wholes, policy, access, broken_tables, crashes, reachable,
)  # fmt: skip


def timed(part: Callable[[], Part]) -> Part:
    """The part, with how long it took."""
    began = time.perf_counter()
    done = part()
    done.seconds = time.perf_counter() - began
    return done


def run(workers: int = 2) -> Iterator[Part]:
    """Every part, in order; the long ones beside each other."""
    with ProcessPoolExecutor(workers) as pool:
        begun = [pool.submit(timed, part) for part in sorted(PARTS, key=lambda p: p not in {theorems, broken_tables})]
        names = sorted(PARTS, key=lambda p: p not in {theorems, broken_tables})
        yield from (begun[names.index(part)].result() for part in PARTS)


def lines(part: Part) -> Iterator[str]:
    """One section as text."""
    state = "FAILED" if part.tally.broken else "ok"
    yield f"{part.title}: {part.note or f'{part.tally.total} obligations'}, {part.seconds:.1f} s, {state}"
    if part.details:
        shown = [n for n in part.tally.asked if n != ALIVE]
        for name in sorted(shown, key=_place):
            yield f"    {name:<96} {part.tally.asked[name]:>5}  {part.tally.seconds[name]:6.2f} s"
        if ALIVE in part.tally.asked:
            yield f"    {ALIVE:<96} {part.tally.asked[ALIVE]:>5}"


def _place(name: str) -> tuple[int, int, str]:
    head = name.split(".")[0]
    digits = "".join(c for c in head if c.isdigit())
    return (name.startswith("lemma"), int(digits) if digits and "." in name else 999, name)


def failures(part: Part) -> Iterator[str]:
    """What broke, with its counterexample."""
    for broken in part.tally.broken:
        yield f"BROKEN  {broken.claim}  [{broken.row}]"
        yield from (f"        {line}" for line in broken.story)


def main() -> int:
    """Print everything; 1 where something broke."""
    began = time.perf_counter()
    print(
        f"Gatepost's oversight tables, proved from the very tuples the services run.\npolicy digest {policy_digest()}\n"
    )
    done = []
    for part in run():
        done.append(part)
        print("\n".join(lines(part)), flush=True)
    print("\nThis holds under these assumptions (docs/reference/proofs.md says what is not proved):")
    print("\n".join(f"  * {text}" for text in ASSUMPTIONS))
    broken = [line for part in done for line in failures(part)]
    total = sum(part.tally.total for part in done if part.title != "exhaustive search with the services' evaluator")
    print(f"\n{total} obligations in {time.perf_counter() - began:.1f} s: {'FAILED' if broken else 'all hold'}")
    print("\n".join(broken), end="\n" if broken else "")
    return 1 if broken else 0
