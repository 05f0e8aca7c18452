"""What a reviewer takes away: the record of their decision, with the log's signed promise that it is in it.

Signed at once, before the record has its place: whoever holds the promise can show that the record belongs there, and an
operator who leaves it out is found (`verify_audit.py log.jsonl --receipt receipt.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_contracts.canonical import canonical
from gatepost_store import Store
from gatepost_store.audit.note import receipt_text, sign_note
from gatepost_store.audit.proofs import Q
from gatepost_store.audit.verify_audit import RECEIPT, leaf_hash


class Receipts:
    """Signs with the checkpoint key, in the name of the log."""

    def __init__(self, store: Store, key: Ed25519PrivateKey) -> None:
        self._store, self._key = store, key
        self._vkey = ""

    async def of(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The receipt of a record that was just written; None before the log has its name."""
        if not self._vkey:
            self._vkey = await self._store.reading.fetchval(Q["vkey"]) or ""
        if not self._vkey:
            return None
        origin, leaf = self._vkey.split("+", 1)[0], leaf_hash(canonical(record).encode())
        promise = sign_note(receipt_text(origin, record["message"], record["seq"], leaf), origin, self._key)
        return {"format": RECEIPT, "key": self._vkey, "record": dict(record), "promise": promise}
