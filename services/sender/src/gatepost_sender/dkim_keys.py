"""The DKIM pairs of each domain: made on first use, kept sealed to the sender, cached open in memory.

Two selectors a domain: `gp1` is RSA-2048, which everybody reads, `gp2` Ed25519 (RFC 8463). Whoever makes a pair at
the same time as another sender keeps the one that came first. A change of keys makes `gp3` and `gp4` beside them, which
sign only once the DNS has both; the old records stay until what was signed with them has surely arrived.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gatepost_contracts.ids import new_id
from gatepost_mail.dkim import DkimKey
from gatepost_runtime.keys import seal, unseal
from gatepost_store import Record, Store

_FRESH_S = 60.0
_ALGORITHMS = ("rsa", "ed25519")
_SELECTOR = re.compile(r"^gp(\d+)$")


class Pair(NamedTuple):
    """A fresh key pair."""

    selector: str
    algorithm: str
    pem: bytes
    record: str


class DkimKeys:
    """Signing keys by domain."""

    def __init__(self, store: Store, private: X25519PrivateKey, pool: Executor, *, records_file: Path | None) -> None:
        self._store, self._private, self._pool, self._file = store, private, pool, records_file
        self._cache: dict[str, tuple[float, tuple[DkimKey, ...]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, domain: str, tenant_id: str) -> tuple[DkimKey, ...]:
        """The keys to sign with, made where there are none."""
        since, keys = self._cache.get(domain, (0.0, ()))
        if keys and time.monotonic() - since < _FRESH_S:
            return keys
        async with self._locks.setdefault(domain, asyncio.Lock()):
            since, keys = self._cache.get(domain, (0.0, ()))
            if not keys or time.monotonic() - since >= _FRESH_S:
                keys = await self._load(domain, tenant_id)
                self._cache[domain] = (time.monotonic(), keys)
        return keys

    async def _load(self, domain: str, tenant_id: str) -> tuple[DkimKey, ...]:
        rows = await self._store.fetch("dkim_keys_of", domain)
        if not rows:
            await self._make(domain, tenant_id, 1, is_active=True)
            rows = await self._store.fetch("dkim_keys_of", domain)
        return tuple(
            DkimKey.load(unseal(self._private, bytes(row["private_sealed"])), domain, row["selector"]) for row in rows
        )

    async def _make(self, domain: str, tenant_id: str, first: int, *, is_active: bool) -> None:
        loop = asyncio.get_running_loop()
        for pair in await loop.run_in_executor(self._pool, make_pairs, first):
            sealed = seal(self._private.public_key(), pair.pem)
            await self._store.execute(
                "dkim_key_add", new_id("dkk"), tenant_id, domain, pair.selector, pair.algorithm, sealed, pair.record,
                is_active,
            )  # fmt: skip
        await self.write_records()

    async def records(self, domain: str) -> list[Record]:
        """Every pair of a domain that is not retired, the signing ones and those to come."""
        return list(await self._store.fetch("dkim_records_of", domain))

    async def next(self, domain: str, tenant_id: str) -> list[Record]:
        """Pairs to change to; those that wait already stay."""
        await self.of(domain, tenant_id)
        waiting = await self._waiting(domain)
        if not waiting:
            known = [int(found[1]) for row in await self._store.fetch("dkim_selectors", domain)
                     if (found := _SELECTOR.match(row["selector"]))]  # fmt: skip
            await self._make(domain, tenant_id, max(known, default=0) + 1, is_active=False)
            waiting = await self._waiting(domain)
        return waiting

    async def _waiting(self, domain: str) -> list[Record]:
        return [row for row in await self.records(domain) if row["activated_at"] is None]

    async def switch(self, domain: str) -> int:
        """Sign with the waiting pairs from now on, in one statement; how many there were. Other senders follow within a minute."""
        switched = await self._store.fetch("dkim_switch", domain)
        self._cache.pop(domain, None)
        return len(switched)

    async def retire(self, domain: str) -> list[Record]:
        """Pairs that have not signed for a week: their records may go."""
        return list(await self._store.fetch("dkim_retire", domain))

    async def write_records(self) -> None:
        """Where a file was asked for: every public record by its DNS name, replaced in one go."""
        if self._file is None:
            return
        rows = await self._store.fetch("dkim_records")
        records = {f"{row['selector']}._domainkey.{row['domain']}": row["public_record"] for row in rows}
        await asyncio.to_thread(_replace, self._file, json.dumps(records, indent=1, sort_keys=True))


def make_pairs(first: int = 1) -> list[Pair]:
    """A pair of each algorithm, with its DNS record; selectors count on from this number."""
    return [_pair(f"gp{number}", algorithm) for number, algorithm in enumerate(_ALGORITHMS, first)]


def _pair(selector: str, algorithm: str) -> Pair:
    key: RSAPrivateKey | Ed25519PrivateKey
    if algorithm == "rsa":
        key = generate_private_key(65_537, 2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    else:
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes_raw()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(selector, algorithm, pem, f"v=DKIM1; k={algorithm}; p={base64.b64encode(public).decode()}")


def _replace(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)
