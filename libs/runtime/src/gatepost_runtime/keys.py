"""Key files: who has which, how they are made, and how secrets are sealed to the service that uses them.

Each service gets a folder with its own files and nothing of the others: a stolen drafter cannot sign a grant.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gatepost_runtime.errors import Fatal

HOLDERS: Mapping[str, tuple[str, ...]] = {
    # file                  who may read it
    "grant.key":         ("gatekeeper",),
    "grant.pub":         ("sender",),
    "checkpoint.key":    ("gatekeeper",),
    "identity.key":      ("sender",),
    "identity.pub":      ("api",),
    "token.key":         ("ingest", "sender", "api"),
    "sender.seal.key":   ("sender",),
    "notifier.seal.key": ("notifier",),
    "notifier.seal.pub": ("api",),
}  # fmt: skip
SERVICES = ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api")

_MAKERS: Mapping[str, Callable[[], PrivateKeyTypes]] = {
    "grant": Ed25519PrivateKey.generate,
    "checkpoint": Ed25519PrivateKey.generate,
    "identity": lambda: generate_private_key(SECP256R1()),
    "sender.seal": X25519PrivateKey.generate,
    "notifier.seal": X25519PrivateKey.generate,
}
_SEAL_INFO = b"gatepost seal v1"


def make_keys(root: Path) -> None:
    """Make what is missing below `root/<service>/`, each file 0600; what is there stays as it is."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    for service in SERVICES:
        (root / service).mkdir(exist_ok=True, mode=0o700)
    token = _found(root, "token.key") or secrets.token_hex(32).encode() + b"\n"
    _place(root, "token.key", token)
    for name, make in _MAKERS.items():
        private = _found(root, f"{name}.key") or _private_pem(make())
        _place(root, f"{name}.key", private)
        _place(root, f"{name}.pub", _public_pem(private))


class Keys:
    """The keys of one service, read on first use; a missing one says which file and where."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def load(self, file: str) -> bytes:
        """The bytes of one of the key files."""
        if self._folder is None:
            raise Fatal(f"GATEPOST_KEYS_DIR is not set, and {file} is needed")
        try:
            return (self._folder / file).read_bytes()
        except OSError as error:
            raise Fatal(f"GATEPOST_KEYS_DIR: {file}: {error.strerror}") from None

    @cached_property
    def token(self) -> bytes:
        """The HMAC key of thread and unsubscribe tokens."""
        return bytes.fromhex(self.load("token.key").decode().strip())

    @cached_property
    def grant_private(self) -> Ed25519PrivateKey:
        """Signs grants; in the gatekeeper alone."""
        return cast(Ed25519PrivateKey, _private(self.load("grant.key")))

    @cached_property
    def grant_public(self) -> Ed25519PublicKey:
        """Verifies grants; in the sender."""
        return cast(Ed25519PublicKey, _public(self.load("grant.pub")))

    @cached_property
    def checkpoint_private(self) -> Ed25519PrivateKey:
        """Signs the log's checkpoints; in the gatekeeper alone."""
        return cast(Ed25519PrivateKey, _private(self.load("checkpoint.key")))

    @cached_property
    def identity_private(self) -> EllipticCurvePrivateKey:
        """Signs the identity header of what leaves; in the sender alone."""
        return cast(EllipticCurvePrivateKey, _private(self.load("identity.key")))

    @cached_property
    def identity_public(self) -> EllipticCurvePublicKey:
        """Published by the API, so that others can verify the identity header."""
        return cast(EllipticCurvePublicKey, _public(self.load("identity.pub")))

    def seal_public(self, service: str) -> X25519PublicKey:
        """Seals secrets to a service."""
        return cast(X25519PublicKey, _public(self.load(f"{service}.seal.pub")))

    def seal_private(self, service: str) -> X25519PrivateKey:
        """Opens what was sealed to this service; its public half comes from it, too."""
        return cast(X25519PrivateKey, _private(self.load(f"{service}.seal.key")))


def seal(public: X25519PublicKey, secret: bytes) -> bytes:
    """Encrypt to the holder of the private half: an ephemeral key, then ChaCha20-Poly1305 (as in RFC 9180's spirit)."""
    ephemeral = X25519PrivateKey.generate()
    own = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(public)
    cipher = ChaCha20Poly1305(_derive(shared, own + public.public_bytes_raw()))
    return own + cipher.encrypt(bytes(12), secret, None)  # the key is used once, so the nonce may be constant


def unseal(private: X25519PrivateKey, sealed: bytes) -> bytes:
    """The secret; raises ValueError when it was not sealed to this key or was changed."""
    if len(sealed) < 48:
        raise ValueError("this is not a sealed secret")
    own = sealed[:32]
    shared = private.exchange(X25519PublicKey.from_public_bytes(own))
    key = _derive(shared, own + private.public_key().public_bytes_raw())
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), sealed[32:], None)
    except InvalidTag:
        raise ValueError("it was not sealed to this key, or was changed") from None


def _derive(shared: bytes, salt: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, _SEAL_INFO).derive(shared)


def _found(root: Path, file: str) -> bytes | None:
    for service in HOLDERS.get(file, ()):
        if (path := root / service / file).exists():
            return path.read_bytes()
    return None


def _place(root: Path, file: str, content: bytes) -> None:
    for service in HOLDERS.get(file, ()):
        path = root / service / file
        if path.exists():
            continue
        fresh = path.with_name(f".{file}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(path)


def _private_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(private: bytes) -> bytes:
    return (
        _private(private)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _private(pem: bytes) -> PrivateKeyTypes:
    return serialization.load_pem_private_key(pem, password=None)


def _public(pem: bytes) -> object:
    return serialization.load_pem_public_key(pem)
