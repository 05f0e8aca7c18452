"""One-time codes: how they are drawn from a request's id, shown, read back, and kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

LIFE = timedelta(hours=24)
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1"})
_LETTERS = 12


def code_of(key: bytes, request_id: str) -> str:
    """The code of a request, 60 bits under a key of ours; the database does not hold it."""
    drawn = int.from_bytes(hmac.digest(key, request_id.encode(), "sha256"), "big")
    return "".join(_ALPHABET[drawn >> shift & 31] for shift in range(0, 5 * _LETTERS, 5))


def shown(code: str) -> str:
    """In groups of four."""
    return "-".join(code[n : n + 4] for n in range(0, len(code), 4))


def normalised(text: str) -> str:
    """As it was made, however it was typed."""
    return "".join(c for c in text.upper().translate(_ALIKE) if c in _ALPHABET)


def digest_of(request_id: str, code: str) -> str:
    """What is stored of a code; 60 random bits, and the request's id beside them."""
    return hashlib.sha256(f"{request_id}\n{code}".encode()).hexdigest()


def masked(address: str) -> str:
    """An address that its owner recognises."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}***@{domain}"
