"""DKIM signing (RFC 6376): relaxed/relaxed, RSA-2048 and Ed25519 (RFC 8463), oversigned, never `l=`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

SIGNED = (
    "from", "to", "cc", "subject", "date", "message-id", "reply-to", "in-reply-to", "references", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post", "x-gatepost-identity", "x-ai-generated", "auto-submitted",
)  # fmt: skip
"""Each is named once more than it occurs, so that none can be added later."""
_SIGNED = tuple((name, name.encode()) for name in SIGNED)


@dataclass(frozen=True)
class DkimKey:
    """A private key, parsed once, with the domain and selector it signs for."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """The value of `a=`."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    @classmethod
    def load(cls, pem: bytes, domain: str, selector: str) -> DkimKey:
        """From PKCS8 PEM."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise TypeError("DKIM takes RSA or Ed25519")
        return cls(domain, selector, key)

    def public_record(self) -> str:
        """The text of its DNS record at `<selector>._domainkey.<domain>`."""
        public = self.private.public_key()
        if isinstance(self.private, RSAPrivateKey):
            der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"


def sign(raw: bytes, keys: Sequence[DkimKey], *, timestamp: int) -> bytes:
    """The mail (canonical CRLF) with one signature per key put before it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    names, covered = _cover(_canonical(head))
    lines = [_signature(key, names, covered, body_hash, timestamp) for key in keys]
    return b"".join(lines) + raw


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 3.4.4."""
    body = _single_spaces(body)
    body = body.replace(b" \r\n", b"\r\n").removesuffix(b" ")
    body = without_last_lines(body)
    return body + b"\r\n" if body else b""


def without_last_lines(body: bytes) -> bytes:
    """Without the empty lines at the end, and the line end before them."""
    end = len(body.rstrip(b"\r\n"))
    tail = body[end:]
    if tail.replace(b"\r\n", b""):  # bare line ends: only the pairs behind the last of them
        while tail.endswith(b"\r\n"):
            tail = tail[:-2]
        return body[:end] + tail
    return body[:end]


def relaxed_header(name: bytes, value: bytes) -> bytes:
    """RFC 6376 3.4.2, with its line end."""
    return name.strip().lower() + b":" + _single_spaces(value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"


def _single_spaces(text: bytes) -> bytes:
    """Each run of spaces and tabs as one space. Each pass halves the runs, so there are few of them."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text


def _canonical(head: bytes) -> dict[bytes, list[bytes]]:
    """The canonical lines of each header by its name, in their order: relaxed_header of all of them in one pass."""
    text = _single_spaces(head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" "))
    found: dict[bytes, list[bytes]] = {}
    for line in text.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.strip().lower()
            found.setdefault(name, []).append(name + b":" + value.strip(b" ") + b"\r\n")
    return found


def _cover(by_name: dict[bytes, list[bytes]]) -> tuple[tuple[str, ...], bytes]:
    """The names of `h=` and the canonical headers they name, the last occurrence first."""
    names: list[str] = []
    covered: list[bytes] = []
    for wanted, key in _SIGNED:
        names.append(wanted)
        if lines := by_name.get(key):
            names += [wanted] * len(lines)
            covered += lines[::-1]
    return tuple(names), b"".join(covered)


def _signature(key: DkimKey, names: tuple[str, ...], covered: bytes, body_hash: str, timestamp: int) -> bytes:
    value = (
        f" v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain}; s={key.selector};\r\n t={timestamp};"
        f" bh={body_hash};\r\n h={_fold(names)};\r\n b="
    ).encode()
    digest = hashlib.sha256(covered + relaxed_header(b"DKIM-Signature", value)[:-2]).digest()
    if isinstance(key.private, RSAPrivateKey):
        signature = key.private.sign(digest, PKCS1v15(), Prehashed(SHA256()))
    else:
        signature = key.private.sign(digest)
    text = base64.b64encode(signature).decode()
    folded = "\r\n ".join(text[at : at + 70] for at in range(0, len(text), 70))
    return b"DKIM-Signature:" + value + folded.encode() + b"\r\n"


@lru_cache(maxsize=64)
def _fold(names: tuple[str, ...]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > 68:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n ".join([*lines, line]).rstrip(":")
