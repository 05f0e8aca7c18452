"""A witness: remembers how far a log went, and countersigns only what goes on from there.

Whoever runs it elsewhere makes it impossible to show two people two logs (c2sp.org/tlog-witness, in one file a log).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_store.audit.note import cosign, witness_key
from gatepost_store.audit.verify_audit import Unproven, is_consistent, read_checkpoint


class Refused(Exception):
    """The log does not go on from what was seen: a fork, a rollback, or another key."""


@dataclass(frozen=True)
class Seen:
    """The newest checkpoint of a log that this witness signed."""

    size: int
    root: bytes
    note: str


class Witness:
    """Keeps one file a log below its folder, and its own key."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self.name = folder, name
        self._key = _key(folder / "witness.key")

    @property
    def vkey(self) -> str:
        """What others verify its signatures with."""
        return witness_key(self.name, self._key.public_key())

    def seen(self, vkey: str) -> Seen | None:
        """The newest checkpoint of this log that was signed here."""
        path = self._path(vkey)
        if not path.exists():
            return None
        note = path.read_text(encoding="utf-8")
        _, size, root = read_checkpoint(note, vkey)
        return Seen(size, root, note)

    def witness(self, note: str, vkey: str, path: Sequence[bytes] | None, at: datetime) -> str:
        """The checkpoint with our signature, after it was remembered; raises Refused.

        `path` proves that it goes on from the size in `seen`; None: the whole log was read and proved it. What was signed is
        on disk before it is given away.
        """
        try:
            _, size, root = read_checkpoint(note, vkey)
        except (Unproven, ValueError) as fault:
            raise Refused(f"the checkpoint is not the log's: {fault}") from None
        seen = self.seen(vkey)
        if seen is not None:
            if size < seen.size:
                raise Refused(f"rollback: it was at {seen.size} and says {size} now")
            if size == seen.size and root != seen.root:
                raise Refused(f"fork: two different logs of {size} records")
            if path is not None and not is_consistent(seen.size, size, seen.root, root, path):
                raise Refused(f"fork: its {size} records do not go on from the {seen.size} that were seen")
        signed = cosign(note, self.name, self._key, at)
        _write(self._path(vkey), signed.encode())
        return signed

    def _path(self, vkey: str) -> Path:
        origin = vkey.split("+", 1)[0]
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.checkpoint"


def _key(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise Refused(f"{path.name} is not an Ed25519 key")
        return key
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem)
    return made


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and on disk."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
