"""Is a signature on this mail good? (DKIM, RFC 6376, 8301, 8463), for every signature and within bounds.

A signature with `l=` leaves the end of the mail to anybody, so it never counts. The keys are asked for beforehand:
`questions` says which, and verifying is then pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gatepost_mail.dkim import relaxed_body, relaxed_header, without_last_lines
from gatepost_mail.lookups import Answer, Question, host

Result = Literal["pass", "fail", "neutral", "policy", "temperror", "permerror"]
MOST_SIGNATURES = 10
LEAST_RSA_BITS = 1024
MOST_RSA_BITS = 8192
MOST_NAMES = 200
_B = re.compile(rb"((?:^|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
Field = tuple[bytes, bytes]


@dataclass(frozen=True)
class Checked:
    """One signature: who signed, and what it is worth. `detail` says why not."""

    domain: str
    selector: str
    algorithm: str
    result: Result
    detail: str = ""


@dataclass(frozen=True)
class Signature:
    """A signature field as it stands; `tags` is None when it cannot be read."""

    field: Field
    tags: dict[str, str] | None

    @property
    def domain(self) -> str:
        """`d=`."""
        return host((self.tags or {}).get("d", ""))

    @property
    def selector(self) -> str:
        """`s=`."""
        return (self.tags or {}).get("s", "").lower()

    @property
    def question(self) -> Question | None:
        """Where its key stands."""
        name = host(f"{self.selector}._domainkey.{self.domain}") if self.domain and self.selector else ""
        return Question(name) if name else None


@dataclass(frozen=True)
class Letter:
    """A mail cut into header fields and body, line ends made CRLF."""

    fields: tuple[Field, ...]
    body: bytes

    @classmethod
    def of(cls, raw: bytes) -> Letter:
        """Cut it; a mail with bare line ends is read as the server that signed it would have sent it."""
        head, separator, body = raw.partition(b"\r\n\r\n")
        if not separator and b"\n\n" in raw:
            head, _, body = raw.partition(b"\n\n")
            body = re.sub(rb"(?<!\r)\n", b"\r\n", body)
        head = re.sub(rb"(?<!\r)\n", b"\r\n", head[: 1024 * 1024]) if b"\n" in head.replace(b"\r\n", b"") else head
        lines = re.split(rb"\r\n(?![ \t])", head[: 1024 * 1024])
        fields = ((name, value) for name, colon, value in (line.partition(b":") for line in lines) if colon)
        return cls(tuple(fields), body)

    def named(self, name: str) -> list[Field]:
        """The fields of this name, in the order of the mail."""
        return [field for field in self.fields if field[0].strip().lower() == name.encode()]


def signatures(letter: Letter) -> list[Signature]:
    """Every signature, at most MOST_SIGNATURES."""
    return [Signature(field, read_tags(field[1])) for field in letter.named("dkim-signature")[:MOST_SIGNATURES]]


def read_tags(value: bytes) -> dict[str, str] | None:
    """A tag list (3.2), white space out of it; None when it is none, or names a tag twice."""
    tags: dict[str, str] = {}
    for part in value[:16_384].decode("utf-8", "replace").split(";"):
        name, equals, said = part.partition("=")
        if not part.strip():
            continue
        if not equals or name.strip() in tags:
            return None
        tags[name.strip()] = re.sub(r"\s+", "", said)
    return tags


def verify(letter: Letter, found: Sequence[Signature], keys: Mapping[Question, Answer], now: float) -> list[Checked]:
    """Judge every signature. Bodies are hashed once for each way of canonicalising."""
    hashes: dict[str, bytes] = {}
    return [_verify_one(letter, signature, keys, now, hashes) for signature in found]


def verify_all(raw: bytes, lookup: Callable[[str], str | None], now: float = 0) -> list[Checked]:
    """Every signature of a mail, with a function that gives the text record of a name, or None."""
    letter = Letter.of(raw)
    found = signatures(letter)
    asked = {signature.question for signature in found} - {None}
    keys = {q: Answer("ok", (text,)) if (text := lookup(q.name)) else Answer("nxdomain") for q in asked if q}
    return verify(letter, found, keys, now)


def _verify_one(
    letter: Letter, signature: Signature, keys: Mapping[Question, Answer], now: float, hashes: dict[str, bytes]
) -> Checked:
    tags = signature.tags or {}
    algorithm = tags.get("a", "").lower()

    def said(result: Result, detail: str = "") -> Checked:
        return Checked(signature.domain, signature.selector, algorithm, result, detail)

    if wrong := _malformed(signature, now):
        return said("permerror", wrong) if wrong != "expired" else said("fail", wrong)
    if algorithm not in {"rsa-sha256", "ed25519-sha256"}:
        return said("policy" if algorithm == "rsa-sha1" else "permerror", "algorithm")
    question = signature.question
    answer = keys.get(question, Answer("temperror")) if question is not None else Answer()
    if answer.status == "temperror":
        return said("temperror", "dns")
    key = next((k for record in answer.records[:4] if (k := public_key(record, algorithm)) is not None), None)
    if key is None:
        return said("permerror", "no_key" if not answer.records else "bad_key")
    if key == "revoked":
        return said("permerror", "revoked")
    header_way, _, body_way = tags.get("c", "simple/simple").lower().partition("/")
    body_way = body_way or "simple"
    if body_way not in hashes:
        hashes[body_way] = hashlib.sha256(canonical_body(letter.body, body_way)).digest()
    if decoded(tags["bh"]) != hashes[body_way]:
        return said("fail", "body")
    covered = covered_by(letter, tags["h"].lower().split(":"), header_way)
    if not good(key, covered + blanked(signature.field, header_way), decoded(tags["b"])):
        return said("fail", "signature")
    if "l" in tags:
        return said("policy", "length")  # whatever is appended would pass
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        return said("policy", "short_key")
    return said("pass")


def _malformed(signature: Signature, now: float) -> str:
    tags = signature.tags
    if tags is None or tags.get("v") != "1" or any(name not in tags for name in ("a", "b", "bh", "d", "h", "s")):
        return "tags"
    if "from" not in tags["h"].lower().split(":") or not signature.domain:
        return "tags"
    identity = host(tags.get("i", f"@{tags['d']}").rpartition("@")[2])
    if identity != signature.domain and not identity.endswith(f".{signature.domain}"):
        return "identity"
    ways = {"simple", "relaxed"}
    if not set(tags.get("c", "simple").lower().split("/")) <= ways:
        return "canonicalization"
    expires = tags.get("x", "")
    if expires.isascii() and expires.isdigit() and len(expires) < 13 and int(expires) < now:
        return "expired"
    return ""


def public_key(record: str, algorithm: str) -> RSAPublicKey | Ed25519PublicKey | Literal["revoked"] | None:
    """The key of a DNS record (3.6.1), if it is one for this algorithm."""
    return _public_key(record[:8_192], algorithm)


@lru_cache(maxsize=1024)
def _public_key(record: str, algorithm: str) -> RSAPublicKey | Ed25519PublicKey | Literal["revoked"] | None:
    tags = read_tags(record.encode("utf-8", "replace"))
    if tags is None or tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return None
    kind, hashing = algorithm.split("-")
    if tags.get("k", "rsa") != kind or hashing not in tags.get("h", hashing).split(":"):
        return None
    if not set(tags.get("s", "*").split(":")) & {"*", "email"}:
        return None
    if not tags["p"]:
        return "revoked"
    try:
        der = base64.b64decode(tags["p"], validate=True)
        if kind == "ed25519":
            return Ed25519PublicKey.from_public_bytes(der)
        key = load_der_public_key(der)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size <= MOST_RSA_BITS else None


def good(key: object, data: bytes, signature: bytes) -> bool:
    """Does the key's owner stand behind these bytes?"""
    digest = hashlib.sha256(data).digest()
    try:
        if isinstance(key, RSAPublicKey):
            key.verify(signature, digest, PKCS1v15(), Prehashed(SHA256()))
        elif isinstance(key, Ed25519PublicKey):
            key.verify(signature, digest)
        else:
            return False
    except (InvalidSignature, ValueError):
        return False
    return True


def decoded(text: str) -> bytes:
    """Base64 of a tag; empty when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def covered_by(letter: Letter, names: list[str], way: str) -> bytes:
    """The named fields, each name taking the next from below (5.4.2)."""
    left = {name: letter.named(name) for name in dict.fromkeys(names[:MOST_NAMES])}
    return b"".join(canonical(left[name].pop(), way) for name in names[:MOST_NAMES] if left[name])


def canonical(field: Field, way: str) -> bytes:
    """A header field in one of the two ways."""
    return relaxed_header(*field) if way == "relaxed" else field[0] + b":" + field[1] + b"\r\n"


def blanked(field: Field, way: str) -> bytes:
    """The signature field itself, without the signature and the last line end."""
    return canonical((field[0], _B.sub(rb"\1", field[1], count=1)), way)[:-2]


def canonical_body(body: bytes, way: str) -> bytes:
    """A body in one of the two ways."""
    return relaxed_body(body) if way == "relaxed" else without_last_lines(body) + b"\r\n"
