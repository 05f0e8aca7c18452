"""Gives every record its place in the log, and signs how far the log goes.

Off the path of mail: a step only queues its record. One transaction places what waits: leaves, the subtrees that became
complete, the new frontier, and a checkpoint when one is due. It holds an advisory lock, and the frontier moves on only
from where it stood, so two replicas never both place. A crash undoes the whole batch; the next one begins with the same
records. The order is that of the steps: a mail's records are queued under its lock, so in the order of their numbers.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.canonical import canonical
from gatepost_oversight.digest import policy_digest, policy_document
from gatepost_oversight.lifecycle import MOVES
from gatepost_store.audit.note import checkpoint_text, receipt_text, sign_note, verifier_key
from gatepost_store.audit.tree import Frontier
from gatepost_store.errors import StoreError
from gatepost_store.queries import Queries
from gatepost_store.step import iso
from gatepost_store.store import Store

LOCK = 0x6761746570617564  # "gatepaud"
Q = Queries.of("gatepost_store.audit")


PROMISED = frozenset(move.id for move in MOVES if "email.delivered" in move.emits)
"""Rows whose records are promised one by one: the webhook that tells of them carries the promise."""


class ForeignKey(StoreError):
    """The checkpoint key is not the one that this log was begun with."""


@dataclass(frozen=True)
class Placed:
    """What one turn did."""

    records: int
    size: int
    checkpoint: str | None = None


class Sequencer:
    """The writer of the tree."""

    def __init__(
        self, store: Store, key: Ed25519PrivateKey, host: str, *, checkpoint_s: float = 5, batch: int = 2000
    ) -> None:
        self._store, self._key, self._host = store, key, host
        self._checkpoint_s, self.batch = checkpoint_s, batch
        self._frontier = Frontier()
        self._signed_size, self._signed_at = -1, 0.0
        self._ready = False

    async def place(self, *, sign_now: bool = False) -> Placed | None:
        """Place what waits; None: another replica does it at this moment."""
        if not self._ready:
            await self._begin()
        async with self._store.transaction() as connection:
            if not await connection.fetchval(Q["lock"], LOCK):
                return None
            tree = await connection.fetchrow(Q["tree_locked"])
            self._check_key(tree)
            frontier = self._frontier
            if frontier.size != tree["size"] or not frontier.size:
                frontier = Frontier.of(tree["size"], bytes(tree["frontier"]))
            frontier = Frontier(frontier.size, list(frontier.edge))  # a copy: the commit may fail
            records = await self._append(connection, frontier, tree["origin"])
            note = None
            if self._is_due(frontier.size) or (sign_now and frontier.size not in {0, self._signed_size}):
                note = await self._sign(connection, tree["origin"], frontier)
        self._frontier = frontier
        if note is not None:
            self._signed_size, self._signed_at = frontier.size, time.monotonic()
        return Placed(records, frontier.size, note)

    async def _append(self, connection: Any, frontier: Frontier, origin: str) -> int:
        rows = await connection.fetch(Q["unplaced"], self.batch)
        if not rows:
            return 0
        before, leaves = frontier.size, [bytes(row["leaf"]) for row in rows]
        nodes = frontier.extend(leaves)
        subjects, numbers = [row["subject_id"] for row in rows], [row["seq"] for row in rows]
        await connection.execute(Q["place"], before, subjects, numbers, leaves)
        if nodes:
            await connection.execute(Q["add_nodes"], *map(list, zip(*nodes, strict=True)))
        await connection.execute(Q["placed"], [row["n"] for row in rows])
        if told := [row for row in rows if row["row_id"] in PROMISED]:
            texts = [receipt_text(origin, row["subject_id"], row["seq"], bytes(row["leaf"])) for row in told]
            promises = [sign_note(text, origin, self._key) for text in texts]
            await connection.execute(Q["promise"], [r["subject_id"] for r in told], [r["seq"] for r in told], promises)
        if await connection.fetchval(Q["move_on"], before, frontier.size, frontier.to_bytes()) is None:
            raise StoreError("the log moved on under its lock")
        return len(rows)

    def _is_due(self, size: int) -> bool:
        return size not in {0, self._signed_size} and time.monotonic() - self._signed_at >= self._checkpoint_s

    async def _sign(self, connection: Any, origin: str, frontier: Frontier) -> str:
        root = frontier.root()
        said = (f"policy {policy_digest()}", f"at {iso(datetime.now(UTC))}")
        note = sign_note(checkpoint_text(origin, frontier.size, root, said), origin, self._key)
        await connection.execute(Q["add_checkpoint"], frontier.size, root, note)
        return note

    async def _begin(self) -> None:
        """The log's name, once; the tables of this release; where the last checkpoint stands."""
        origin = f"{self._host or 'localhost'}/gatepost/{secrets.token_hex(4)}"
        async with self._store.transaction() as connection:
            await connection.execute(Q["plant"], origin, verifier_key(origin, self._key.public_key()))
            await connection.execute(Q["add_policy"], policy_digest(), canonical(policy_document()))
            newest = await connection.fetchrow(Q["newest_checkpoint"])
        self._signed_size = newest["size"] if newest is not None else -1
        self._ready = True

    def _check_key(self, tree: Any) -> None:
        if tree["vkey"] != verifier_key(tree["origin"], self._key.public_key()):
            raise ForeignKey("checkpoint.key is not the key that this log was begun with; put the first one back")
