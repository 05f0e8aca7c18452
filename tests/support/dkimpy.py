"""dkimpy as the oracle of our signer and verifier: what does it say of each signature?"""

from __future__ import annotations

from collections.abc import Mapping

import dkim


def dkimpy_says(raw: bytes, records: Mapping[str, str]) -> list[bool]:
    """One verdict for each signature, in the order of the mail."""
    checker = dkim.DKIM(raw, minkey=1024)
    count = sum(1 for name, _ in checker.headers if name.lower() == b"dkim-signature")

    def dns(name: bytes, timeout: float = 5) -> bytes | None:
        found = records.get(name.decode().rstrip("."))
        return found.encode() if found else None

    return [_verdict(raw, n, dns) for n in range(count)]


def _verdict(raw: bytes, n: int, dns: object) -> bool:
    try:
        return bool(dkim.DKIM(raw, minkey=1024).verify(idx=n, dnsfunc=dns))
    except Exception:
        return False
