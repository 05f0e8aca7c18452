"""Breaks every row in every small way there is, and asks whether the proofs notice. `python -m proofs.mutation`.

What survives is either guarded twice (the lemmas make the second guard redundant) or does not matter; each survivor
stands in `survivors.txt` with its reason. A new survivor is a hole in the theorems or a guard nobody needs: it fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from gatepost_oversight.credential import Role
from gatepost_oversight.expr import NOTHING, Expr, negate
from gatepost_oversight.lifecycle import BY_ID, MOVES
from gatepost_oversight.move import Move, On
from gatepost_oversight.sql import SERVICES
from gatepost_oversight.states import DELIVERY_STATES, State
from gatepost_oversight.terms import Conjunct
from proofs import lockout, ownership, statics
from proofs.engine import catches

SURVIVORS = Path(__file__).parent / "survivors.txt"
MAIL_STATES = tuple(State)
TARGETS = (State.RELEASED, State.HELD, State.DRAFTED, State.DELIVERED, State.CANCELLED)
Mutant = tuple[str, Move]


def mutants(row: Move) -> Iterator[Mutant]:
    """Every small way to break this row, by name."""

    def broken(name: str, **fields: object) -> Mutant:
        return f"{row.id} {name}", dataclasses.replace(row, **fields)  # type: ignore[arg-type]

    for n, (name, condition) in enumerate(row.guard):
        yield broken(f"drop {name}", guard=_with(row.guard, n, None))
        yield broken(f"negate {name}", guard=_with(row.guard, n, (name, negate(condition))))
        if condition[0] in {"and", "or"}:
            for part in range(1, len(condition)):
                rest: Expr = condition[:part] + condition[part + 1 :]
                yield broken(
                    f"drop {name}.{part}", guard=_with(row.guard, n, (name, rest if len(rest) > 2 else rest[1]))
                )
    if row.src:
        states = DELIVERY_STATES if row.on is On.DELIVERY else MAIL_STATES
        yield from (broken(f"from {s}", src=row.src | {s}) for s in states if s not in row.src)
        if len(row.src) > 1:
            yield from (broken(f"not from {s}", src=row.src - {s}) for s in sorted(row.src))
    yield from (broken(f"by {r}", roles=row.roles | {r}) for r in Role if r not in row.roles)
    if len(row.roles) > 1:
        yield from (broken(f"not by {r}", roles=row.roles - {r}) for r in sorted(row.roles))
    if row.dst is not None:
        targets = DELIVERY_STATES if row.on is On.DELIVERY else TARGETS
        yield from (broken(f"to {s}", dst=s) for s in targets if s is not row.dst)
    for n, (name, value) in enumerate(row.set):
        yield broken(f"leave {name}", set=row.set[:n] + row.set[n + 1 :])
        if value != NOTHING:
            yield broken(f"clear {name}", set=(*row.set[:n], (name, NOTHING), *row.set[n + 1 :]))
    for n in range(len(row.then)):
        yield broken(f"forget then {row.then[n][0]}", then=row.then[:n] + row.then[n + 1 :])
    for event in row.emits:
        yield broken(f"hush {event}", emits=tuple(e for e in row.emits if e != event))
    yield from (broken(f"run by {s}", services=(*row.services, s)) for s in SERVICES if s not in row.services)
    if row.on is On.MESSAGE:
        yield broken("release too" if not row.releases else "make no deliveries", releases=not row.releases)
    if row.takes_back is not None:
        yield broken("leave deliveries", takes_back=None)
        other = State.REFUSED if row.takes_back is State.HELD else State.HELD
        yield broken(f"take back as {other}", takes_back=other)
    if row.does:
        yield broken("do nothing", does="")


def _with(guard: tuple[Conjunct, ...], n: int, conjunct: Conjunct | None) -> tuple[Conjunct, ...]:
    return (*guard[:n], *(() if conjunct is None else (conjunct,)), *guard[n + 1 :])


def is_noticed(mutant: Move) -> bool:
    """Does a claim fail?"""
    if any(problem is not None for _, _, problem in ownership.check([mutant])):
        return True
    moves = [mutant if m.id == mutant.id else m for m in MOVES]
    if any(statics.lint([mutant])):
        return True
    if catches(mutant) or lockout.check(moves, row=mutant.id).broken:
        return True
    return any(problem is not None for _, problem in statics.deterministic(moves, about=mutant.id))


def survivors_of(row_id: str) -> tuple[int, list[str]]:
    """How many mutants the row has, and those that nothing notices."""
    found = list(mutants(BY_ID[row_id]))
    return len(found), [name for name, mutant in found if not is_noticed(mutant)]


def reviewed(path: Path = SURVIVORS) -> set[str]:
    """The survivors that somebody has looked at."""
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("[")}


def run(rows: tuple[str, ...], workers: int = 2) -> tuple[int, set[str]]:
    """All mutants of these rows, and the survivors."""
    with ProcessPoolExecutor(workers) as pool:
        results = list(pool.map(survivors_of, rows))
    return sum(n for n, _ in results), {name for _, names in results for name in names}


def main() -> int:
    """Compare the survivors with the reviewed list; 1 where they differ."""
    parser = argparse.ArgumentParser(
        description="Break every row in every small way and see what the proofs do not notice."
    )
    parser.add_argument("rows", nargs="*", help="row ids; all when left out")
    parser.add_argument("--list", action="store_true", help="print every survivor")
    options = parser.parse_args()
    rows = tuple(options.rows) or tuple(m.id for m in MOVES)
    began = time.perf_counter()
    total, alive = run(rows)
    known = {name for name in reviewed() if name.split()[0] in rows}
    kinds = Counter(name.split()[1] for name in alive)
    print(
        f"{total} mutants of {len(rows)} rows, {total - len(alive)} caught, {len(alive)} survive, {time.perf_counter() - began:.0f} s"
    )
    print("survivors by kind: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))
    if options.list:
        print("\n".join(sorted(alive)))
    for name in sorted(alive - known):
        print(
            f"NEW SURVIVOR  {name}: no claim notices it. Add the theorem that should, or review it into {SURVIVORS.name}."
        )
    for name in sorted(known - alive):
        print(f"VANISHED      {name}: a claim notices it now. Take it out of {SURVIVORS.name}.")
    return 0 if alive == known else 1


if __name__ == "__main__":
    sys.exit(main())
