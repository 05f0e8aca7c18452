"""What anyone may look up: which keys the MCP door takes, and by which public keys the identity header is checked."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost_api.office import Call, Office, Reply
from gatepost_contracts.canonical import sha256_hex
from gatepost_oversight.credential import SCOPES


async def oauth_resource(office: Office, _: Call) -> Reply:
    """Protected-resource metadata (RFC 9728): keys go into the Authorization header; the operator hands them out."""
    return Reply(
        {
            "resource": f"{office.public_url.rstrip('/')}/mcp", "resource_name": "Gatepost", "authorization_servers": [],
            "bearer_methods_supported": ["header"], "scopes_supported": list(SCOPES),
        }
    )  # fmt: skip


async def signing_keys(office: Office, _: Call) -> Reply:
    """The identity header's keys, as JWK (RFC 7517), and the newest as PEM."""
    public = office.identity
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    numbers = public.public_numbers()
    kid = sha256_hex(der)[:16]
    jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
           "x": _coordinate(numbers.x), "y": _coordinate(numbers.y)}  # fmt: skip
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return Reply({"keys": [{**jwk, "jwk": jwk, "not_before": None, "not_after": None}], "public_key": pem, "kid": kid})


def _coordinate(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
