"""The lines of AUTH PLAIN (RFC 4616) and AUTH LOGIN, and which relays may sign in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass
class Exchange:
    """One attempt to sign in."""

    mechanism: str
    name: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, mechanism: str) -> Exchange | None:
        """None for a mechanism that we do not know."""
        return cls(mechanism.upper()) if mechanism.upper() in {"PLAIN", "LOGIN"} else None

    def challenge(self) -> str:
        """What the peer is asked next."""
        if self.mechanism == "PLAIN":
            return "334 "
        return "334 VXNlcm5hbWU6" if self.name is None else "334 UGFzc3dvcmQ6"

    def take(self, line: bytes) -> bool:
        """The peer's answer; False when it is none."""
        try:
            said = b"" if line == b"=" else base64.b64decode(line, validate=True)
            if self.mechanism == "PLAIN":
                _, name, secret = said.split(b"\0")
                self.name, self.secret = name.decode(), secret.decode()
            elif self.name is None:
                self.name = said.decode()
            else:
                self.secret = said.decode()
        except (binascii.Error, ValueError):
            return False
        return True


class Relays:
    """Names and secrets of the relays that may sign in, over SMTP and at the HTTP door. Only digests are kept."""

    def __init__(self, lines: str) -> None:
        self._known: dict[str, bytes] = {}
        for line in lines.splitlines():
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or len(words[1]) < 16:
                raise ValueError("each line is a name and a secret of at least 16 characters")
            self._known[words[0]] = _digest(words[1])

    def __bool__(self) -> bool:
        return bool(self._known)

    def knows(self, name: str, secret: str) -> bool:
        """Whether this is the secret of that relay; takes as long for a name that is unknown."""
        known = self._known.get(name, _digest(""))
        return hmac.compare_digest(known, _digest(secret)) and name in self._known

    def named_by(self, secret: str) -> str | None:
        """The relay of a bearer token."""
        return next((name for name, known in self._known.items() if hmac.compare_digest(known, _digest(secret))), None)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
