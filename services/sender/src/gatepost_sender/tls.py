"""What encryption a destination gets, how its certificate is judged, and how sessions are counted for TLS-RPT.

What must be is decided before the connection, by the operator's word for the destination, DANE or MTA-STS; never by what
the server offers. DANE knows only end-entity records here (usage 3, RFC 7672 3.1.1): the standard library cannot show the
whole chain of a peer before Python 3.13. Other usages count as unusable, so the session is encrypted and not judged.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost_sender.names import Tlsa
from gatepost_store import Store


class Tls(StrEnum):
    """What a destination must offer; never decided by the server alone."""

    OFF = "off"  # plain, also where STARTTLS is offered
    OFFERED = "offered"  # encrypted where offered, the certificate unchecked; a failing handshake is no way to plain
    REQUIRED = "required"  # encrypted, the certificate unchecked
    VERIFIED = "verified"  # encrypted, the certificate checked against the name
    DANE = "dane"  # encrypted, the certificate checked against the host's TLSA records


@dataclass(frozen=True, slots=True)
class TlsPolicies:
    """The operator's words: `example.org=verified`, `*.example.org=required`; the first that fits."""

    rules: tuple[tuple[str, Tls], ...] = ()

    def of(self, domain: str) -> Tls | None:
        """The rule for a domain, if there is one."""
        for pattern, tls in self.rules:
            if domain == pattern or (pattern.startswith("*.") and domain.endswith(pattern[1:])):
                return tls
        return None


@lru_cache(maxsize=8)
def context_for(tls: Tls, ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; loading the certificates takes milliseconds, so it is done once."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls is not Tls.VERIFIED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def usable(records: Sequence[Tlsa]) -> tuple[Tlsa, ...]:
    """The records we can judge by."""
    return tuple(r for r in records if r.usage == 3 and r.selector in {0, 1} and r.matching in {0, 1, 2})


def matches(certificate: bytes, records: Sequence[Tlsa]) -> bool:
    """One of the records is this certificate's, or its key's."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        return False
    return any(
        _digest(record.matching, certificate if record.selector == 0 else spki) == record.data for record in records
    )


def _digest(matching: int, data: bytes) -> bytes:
    if matching == 0:
        return data
    return hashlib.sha256(data).digest() if matching == 1 else hashlib.sha512(data).digest()


_VERIFY_CODES = {62: "certificate-host-mismatch", 64: "certificate-host-mismatch", 10: "certificate-expired"}
_UNTRUSTED = frozenset((18, 19, 20, 21))


def failure_type(error: BaseException) -> str:
    """The failure in the words of RFC 8460 4.3."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        return _VERIFY_CODES.get(code, "certificate-not-trusted" if code in _UNTRUSTED else "validation-failure")
    return "validation-failure"


NO_STARTTLS = "starttls-not-supported"
SUCCESS = "success"


class TlsSessions:
    """Counts sessions by day, domain, policy, exchanger and result; written now and then, added up by the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counts: dict[tuple[str, str, str, str], int] = {}

    def count(self, domain: str, policy: str, mx: str, result: str) -> None:
        """One session, or one that did not come about."""
        key = (domain, policy, mx, result)
        self._counts[key] = self._counts.get(key, 0) + 1

    async def write(self) -> None:
        """Add what was counted since to the table; what cannot be written stays counted."""
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        columns = [list(column) for column in zip(*counts, strict=True)]
        try:
            await self._store.execute("tls_sessions_add", datetime.now(UTC).date(), *columns, list(counts.values()))
        except BaseException:
            for key, number in counts.items():
                self._counts[key] = self._counts.get(key, 0) + number
            raise
