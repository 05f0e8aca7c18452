"""Signed statements about the log: checkpoints and receipts as signed notes, and a witness's countersignature.

Formats: c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature (all with Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_COSIGNATURE = b"\x04"


def verifier_key(name: str, public: Ed25519PublicKey, kind: bytes = _ED25519) -> str:
    """`name+keyid+key`: what a verifier pins."""
    raw = kind + public.public_bytes_raw()
    return f"{name}+{_key_id(name, raw).hex()}+{_base64(raw)}"


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """The text with its signature; it ends with a newline and has no empty line."""
    raw = _ED25519 + key.public_key().public_bytes_raw()
    signature = _key_id(name, raw) + key.sign(text.encode())
    return f"{text}\n— {name} {_base64(signature)}\n"


def checkpoint_text(origin: str, size: int, root: bytes, extensions: Sequence[str] = ()) -> str:
    """What a checkpoint says: the log's name, how many records it has, their root, and lines of our own."""
    return "".join(f"{line}\n" for line in (origin, size, _base64(root), *extensions))


def receipt_text(origin: str, subject: str, seq: int, leaf: bytes) -> str:
    """The promise that a record is in the log, or will be at the next checkpoint but one."""
    return f"{origin}/receipt\n{subject} {seq}\n{_base64(leaf)}\n"


def cosign(note: str, name: str, key: Ed25519PrivateKey, at: datetime) -> str:
    """The note with a witness's signature: at this time it had seen this checkpoint and nothing that contradicts it."""
    text = note.rpartition("\n\n")[0] + "\n"
    seconds = int(at.timestamp())
    signature = key.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
    raw = _COSIGNATURE + key.public_key().public_bytes_raw()
    stamp = seconds.to_bytes(8, "big")
    return f"{note}— {name} {_base64(_key_id(name, raw) + stamp + signature)}\n"


def cosigned_at(note: str, vkey: str) -> int | None:
    """When this witness signed the note, in seconds since 1970; None: it did not."""
    name, _, key = vkey.split("+", 2)
    raw = base64.b64decode(key)
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        _, signer, value = line.split(" ", 2)
        signature = base64.b64decode(value)
        if signer != name or signature[:4] != _key_id(name, raw) or len(signature) != 76:
            continue
        seconds = int.from_bytes(signature[4:12], "big")
        try:
            Ed25519PublicKey.from_public_bytes(raw[1:]).verify(
                signature[12:], f"cosignature/v1\ntime {seconds}\n{text}\n".encode()
            )
        except InvalidSignature:
            continue
        return seconds
    return None


def witness_key(name: str, public: Ed25519PublicKey) -> str:
    """A witness's verifier key."""
    return verifier_key(name, public, _COSIGNATURE)


def _key_id(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(f"{name}\n".encode() + raw).digest()[:4]


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
