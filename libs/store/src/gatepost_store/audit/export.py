"""The log as a file that anybody can verify without us: all of it, or what concerns somebody.

A whole log has every record on a line of its own, exactly as it was hashed, and each signed checkpoint where it was made.
A selection has whole mails and mailboxes, each record with its place and path, against one checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from gatepost_contracts.canonical import canonical
from gatepost_store.audit.contents import openings
from gatepost_store.audit.proofs import Checkpoint, Contents, Proofs, Q, Reader, newest_checkpoint, spelled
from gatepost_store.audit.verify_audit import LOG, SELECTION, digests_of
from gatepost_store.errors import StoreError

PAGE = 5000


class NothingSigned(StoreError):
    """There is no checkpoint yet."""


async def whole_log(reader: Contents, *, with_contents: bool = False) -> AsyncIterator[str]:
    """The lines of the whole log up to the newest checkpoint, without their ends; with what its records name by digest."""
    head, checkpoint = await _head(reader, LOG)
    notes = {row["size"]: row["note"] for row in await reader.fetch(Q["checkpoints"], checkpoint.size)}
    yield canonical(head | {"records": checkpoint.size, "checkpoints": len(notes)})
    for line in await _tables(reader, await _all_policies(reader, checkpoint.size)):
        yield line
    named = set[tuple[str, str]]()
    for start in range(0, checkpoint.size, PAGE):
        rows = await reader.fetch(Q["log_page"], start, min(start + PAGE, checkpoint.size), PAGE)
        for row in rows:
            yield row["record"]
            if with_contents:
                named |= digests_of(json.loads(row["record"]))
            if (note := notes.get(row["idx"] + 1)) and row["idx"] + 1 < checkpoint.size:
                yield canonical({"checkpoint": note})
    async for said in openings(reader, sorted({subject for subject, _ in named}), named):
        yield canonical({"opening": said})
    yield canonical({"checkpoint": checkpoint.note})


async def selection(
    reader: Contents,
    subjects: Sequence[str],
    scope: dict[str, Any],
    *,
    since: Iterable[int] = (),
    with_contents: bool = False,
) -> AsyncIterator[str]:
    """The lines of a selection: every record of these mails, mailboxes and accounts, and what they name by digest.

    `since` are sizes of checkpoints kept.
    """
    head, checkpoint = await _head(reader, SELECTION)
    rows = await reader.fetch(Q["records_of"], list(subjects), checkpoint.size)
    proofs, named = Proofs(reader), set[tuple[str, str]]()
    yield canonical(head | {"records": len(rows), "checkpoints": 1, "scope": scope})
    for line in await _tables(reader, {json.loads(row["record"])["policy"] for row in rows}):
        yield line
    for start in range(0, len(rows), PAGE):
        page = rows[start : start + PAGE]
        paths = await proofs.inclusion([row["idx"] for row in page], checkpoint.size)
        for row, path in zip(page, paths, strict=True):
            record = json.loads(row["record"])
            named |= digests_of(record) if with_contents else set()
            yield canonical({"index": row["idx"], "proof": spelled(path), "record": record})
    async for said in openings(reader, sorted({subject for subject, _ in named}), named):
        yield canonical({"opening": said})
    for old in sorted({size for size in since if size < checkpoint.size}):
        yield canonical({"size": old, "consistency": spelled(await proofs.consistency(old, checkpoint.size))})
    yield canonical({"checkpoint": checkpoint.note})


async def _head(reader: Reader, kind: str) -> tuple[dict[str, Any], Checkpoint]:
    checkpoint, tree = await newest_checkpoint(reader), await reader.fetchrow(Q["tree"])
    if checkpoint is None or tree is None:
        raise NothingSigned("nothing is signed yet: the gatekeeper makes the first checkpoint when it runs")
    return {"format": kind, "key": tree["vkey"], "origin": tree["origin"]}, checkpoint


async def _all_policies(reader: Reader, size: int) -> set[str]:
    rows = await reader.fetch(Q["policies_of_log"], size)
    return {row["policy"] for row in rows}


async def _tables(reader: Reader, digests: set[str]) -> list[str]:
    rows = await reader.fetch(Q["policies"], sorted(digests))
    return [f'{{"table":{row["document"]}}}' for row in rows]
