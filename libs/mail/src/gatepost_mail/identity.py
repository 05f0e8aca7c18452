"""The X-Gatepost-Identity header: who sent this mail, whether a person approved it, bound to exactly this mail."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from gatepost_contracts.canonical import canonical


def identity_header(claim: dict[str, Any], key: EllipticCurvePrivateKey) -> str:
    """`base64url(JSON).base64url(signature)`; ES256 with the raw 64-byte signature, folded for the wire."""
    body = canonical(claim).encode()
    r, s = decode_dss_signature(key.sign(body, ECDSA(SHA256())))
    token = f"{_encode(body)}.{_encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    return "\r\n ".join(token[at : at + 72] for at in range(0, len(token), 72))


def verify_identity(value: str, key: EllipticCurvePublicKey) -> dict[str, Any] | None:
    """The claim, if the key signed it; raw and DER signatures are taken."""
    head, _, tail = "".join(value.split()).partition(".")
    try:
        body, signature = _decode(head), _decode(tail)
        if len(signature) == 64:
            signature = encode_dss_signature(
                int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            )
        key.verify(signature, body, ECDSA(SHA256()))
        claim = json.loads(body)
    except (InvalidSignature, ValueError, binascii.Error):
        return None
    return claim if isinstance(claim, dict) else None


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decode(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
