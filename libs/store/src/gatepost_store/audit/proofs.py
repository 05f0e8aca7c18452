"""Reads proofs out of the stored tree: a handful of hashes a proof, whatever the log's size."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost_store.audit.tree import Range, consistency_ranges, inclusion_ranges, roots, stored
from gatepost_store.audit.verify_audit import RECEIPT
from gatepost_store.queries import Queries

Q = Queries.of("gatepost_store.audit")


class Reader(Protocol):
    """What proofs are read with: a connection, or something that reads like one."""

    async def fetch(self, sql: str, *args: Any) -> Any:
        """All rows."""

    async def fetchrow(self, sql: str, *args: Any) -> Any:
        """The first row."""


class Contents(Reader, Protocol):
    """A reader that brings contents, too, wherever they stand."""

    @property
    def content(self) -> Callable[[Any], Awaitable[bytes | None]]:
        """Gives the bytes of a row of raw or blob."""


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement of how far the log goes."""

    size: int
    root: bytes
    note: str


class Proofs:
    """Proofs against one checkpoint; hashes that were read once are kept."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._hashes: dict[tuple[int, int], bytes] = {}
        self._known: set[tuple[int, int, int]] = set()

    async def inclusion(self, indices: Iterable[int], size: int) -> list[list[bytes]]:
        """The path of each of these records in the tree of this size."""
        wanted = [inclusion_ranges(index, size) for index in indices]
        await self._read([one for ranges in wanted for one in ranges])
        return [roots(ranges, self._hashes) for ranges in wanted]

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `old` records begins that of `new`."""
        ranges = consistency_ranges(old, new)
        await self._read(ranges)
        return roots(ranges, self._hashes)

    async def _read(self, ranges: Sequence[Range]) -> None:
        missing = sorted(stored(ranges) - self._known)
        if missing:
            rows = await self._reader.fetch(Q["hashes"], *map(list, zip(*missing, strict=True)))
            self._hashes.update({(row["level"], row["n"]): bytes(row["hash"]) for row in rows})
            self._known.update(missing)


async def newest_checkpoint(reader: Reader) -> Checkpoint | None:
    """The newest signed statement; None before the first."""
    row = await reader.fetchrow(Q["newest_checkpoint"])
    return None if row is None else Checkpoint(row["size"], bytes(row["root"]), row["note"])


async def receipt(reader: Reader, subject_id: str, seq: int) -> dict[str, Any] | None:
    """The record with its place in the newest signed tree; None while it has none."""
    leaf = await reader.fetchrow(Q["leaf_of"], subject_id, seq)
    checkpoint = await newest_checkpoint(reader)
    tree = await reader.fetchrow(Q["tree"])
    if leaf is None or checkpoint is None or leaf["idx"] >= checkpoint.size:
        return None
    record = await reader.fetchrow(Q["record"], subject_id, seq)
    (path,) = await Proofs(reader).inclusion([leaf["idx"]], checkpoint.size)
    return {
        "format": RECEIPT, "key": tree["vkey"], "record": json.loads(record["record"]), "index": leaf["idx"],
        "proof": spelled(path), "checkpoint": checkpoint.note,
    }  # fmt: skip


def spelled(path: Sequence[bytes]) -> list[str]:
    """Hashes as they stand in files."""
    return [base64.b64encode(one).decode() for one in path]
