"""Which hashes prove what: the Merkle tree of RFC 9162 2.1, as ranges of leaves and as subtrees that are stored.

A proof is a list of ranges of leaves, each of which has one root. A range falls into complete subtrees; the roots of those
with 256, 65,536 ... leaves are stored, the ones between are computed from at most 255 hashes below them. Appending keeps
nothing but the frontier: the complete subtrees at the right edge, one for each bit of the size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field

from gatepost_store.audit.verify_audit import leaf_hash, node_hash

STRIDE = 8
"""Every eighth level of the tree is stored."""
EMPTY = hashlib.sha256().digest()
HASH_BYTES = 32

Range = tuple[int, int]  # leaves from, to (exclusive)
Stored = tuple[int, int, int]  # level, first and last (exclusive) number of subtrees of that level; level 0 are leaves


@dataclass
class Frontier:
    """A tree of which only the right edge is kept."""

    size: int = 0
    edge: list[bytes] = field(default_factory=list)  # largest subtree first

    def append(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Add one leaf; the complete subtrees to store: level, number, hash."""
        level, number, node = 0, self.size, leaf
        while number & 1:
            node = node_hash(self.edge.pop(), node)
            level, number = level + 1, number >> 1
            if level % STRIDE == 0:
                yield level, number, node
        self.edge.append(node)
        self.size += 1

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaves; all complete subtrees to store."""
        return [node for leaf in leaves for node in self.append(leaf)]

    def root(self) -> bytes:
        """The root of the tree so far."""
        return _fold(self.edge) if self.edge else EMPTY

    def to_bytes(self) -> bytes:
        """The edge, for the row that keeps it."""
        return b"".join(self.edge)

    @classmethod
    def of(cls, size: int, edge: bytes) -> Frontier:
        """What to_bytes wrote; raises ValueError when it is not the edge of a tree of this size."""
        if len(edge) != HASH_BYTES * size.bit_count():
            raise ValueError("the frontier is not that of a tree of this size")
        return cls(size, [edge[at : at + HASH_BYTES] for at in range(0, len(edge), HASH_BYTES)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over subtrees that stand side by side, largest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _split(start: int, end: int) -> int:
    """Where a range is divided: after the largest power of two that is smaller than it."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that a leaf is in a tree of this size, from the leaf upwards (RFC 9162 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    found: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots prove that a tree of `old` leaves begins one of `new` (RFC 9162 2.1.4.1)."""
    if not 0 <= old <= new:
        raise ValueError("a tree does not shrink")
    if old in {0, new}:
        return []
    found: list[Range] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = _split(start, end)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """The complete subtrees that a range of a proof falls into, largest first: level and number."""
    found = []
    while start < end:
        level = min((start & -start).bit_length() - 1 if start else 63, (end - start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def stored(ranges: Sequence[Range]) -> set[Stored]:
    """What to read for the roots of these ranges."""
    return {_below(level, number) for start, end in ranges for level, number in subtrees(start, end)}


def roots(ranges: Sequence[Range], hashes: MutableMapping[tuple[int, int], bytes]) -> list[bytes]:
    """The roots of these ranges, from the stored hashes by level and number."""
    return [_fold([_root(level, number, hashes) for level, number in subtrees(*one)]) for one in ranges]


def _below(level: int, number: int) -> Stored:
    base = level - level % STRIDE
    return base, number << level - base, number + 1 << level - base


def _root(level: int, number: int, hashes: MutableMapping[tuple[int, int], bytes]) -> bytes:
    """The root of one complete subtree; what is computed is kept beside what was read."""
    found = hashes.get((level, number))
    if found is None:
        left, right = (_root(level - 1, 2 * number + side, hashes) for side in (0, 1))
        found = hashes[level, number] = node_hash(left, right)
    return found


__all__ = ["EMPTY", "Frontier", "consistency_ranges", "inclusion_ranges", "leaf_hash", "node_hash", "roots", "stored"]
