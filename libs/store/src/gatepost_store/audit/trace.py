"""The trace check: do the records lead to the rows? For tests, for `gatepost audit verify`, and for the live auditor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from gatepost_oversight.replay import Deviation, Replay
from gatepost_store.audit.proofs import Q, Reader

PAGE = 500
Records = Mapping[str, Sequence[Mapping[str, Any]]]


async def records_of(reader: Reader, subjects: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The records of some mails and mailboxes, each one's in order."""
    found: dict[str, list[dict[str, Any]]] = {subject: [] for subject in subjects}
    for row in await reader.fetch(Q["trace_records"], list(subjects)):
        found[row["subject_id"]].append(json.loads(row["record"]))
    return found


async def compare(reader: Reader, replays: Mapping[str, Replay], *, is_live: bool) -> list[Deviation]:
    """Hold the replays against the rows. While steps go on (`is_live`), a row may be further: by records that are there.

    A record commits with its row, so one that is read after the row is at least as far; what only the row says was edited.
    """
    found: list[Deviation] = []
    further: dict[str, int] = {}
    for row in await reader.fetch(Q["trace_mails"], [name for name in replays if not is_carrier(name)]):
        one = replays[row["id"]]
        if is_live and row["version"] > one.seq:
            further[row["id"]] = row["version"]
            continue
        if not (row["is_content"] and row["is_addressed"]):
            found.append(Deviation(one.subject, one.seq, "its content or a recipient is not what was adopted"))
        try:
            one.compare(row, _json(row["deliveries"]))
        except Deviation as deviation:
            found.append(deviation)
    for row in await reader.fetch(Q["trace_carriers"], [name for name in replays if is_carrier(name)]):
        one = replays[row["id"]]
        if row["version"] > one.seq and is_live:
            further[row["id"]] = row["version"]
            continue
        said = (one.seq, one.row, one.variables["st"])
        if said != (row["version"], row["last_row"], row["mode"]):
            stored = (row["version"], row["last_row"], row["mode"])
            found.append(Deviation(one.subject, one.seq, f"it is at {stored}, and the log leads to {said}"))
    for newest in await reader.fetch(Q["newest_numbers"], list(further)) if further else ():
        version = further[newest["id"]]
        if newest["seq"] < version:
            why = f"it is at version {version}, and its newest record is number {newest['seq']}"
            found.append(Deviation(newest["id"], newest["seq"], why))
    return found


def replayed(records: Records) -> tuple[dict[str, Replay], list[Deviation]]:
    """What each subject's records lead to; those whose records break a rule are told and left out."""
    found: dict[str, Replay] = {}
    broken: list[Deviation] = []
    for subject, said in records.items():
        one = Replay(subject)
        try:
            for record in said:
                one.take(record)
        except Deviation as deviation:
            broken.append(deviation)
        else:
            found[subject] = one
    return found, broken


async def deviations(
    reader: Reader,
    *,
    is_live: bool = False,
    leave_out: Callable[[str, Sequence[Mapping[str, Any]]], bool] | None = None,
) -> AsyncIterator[Deviation]:
    """Every deviation of the whole database; `leave_out` names subjects that are not judged."""
    last = ""
    while subjects := [row["subject_id"] for row in await reader.fetch(Q["subjects_with_records"], last, PAGE)]:
        last = subjects[-1]
        records = await records_of(reader, subjects)
        if leave_out is not None:
            records = {name: said for name, said in records.items() if not leave_out(name, said)}
        replays, broken = replayed(records)
        for deviation in (*broken, *await compare(reader, replays, is_live=is_live)):
            yield deviation


def is_carrier(subject: str) -> bool:
    """True for a mailbox and an account, whose records are of the world and not of a mail."""
    return subject.startswith(("mbx_", "ten_"))


def _json(value: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(value) if isinstance(value, str) else value
    return found
