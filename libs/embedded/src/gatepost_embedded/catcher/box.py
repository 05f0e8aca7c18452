"""The folder of caught mails: one file per mail, on the disk before the sender hears 250.

A file is a first line of JSON, the envelope, and then the raw bytes as they came. It is written beside its place, synced and
renamed, so a kill leaves a whole file or none.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

SUFFIX = ".mail"


@dataclass(frozen=True)
class Envelope:
    """What SMTP said about a mail, and when it came."""

    id: str
    envelope_from: str
    rcpt_to: tuple[str, ...]
    received_at: str
    peer: str = ""
    helo: str = ""


class Box:
    """Keeps mails in the order in which they came. May be called from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half in folder.glob("*.half"):
            half.unlink(missing_ok=True)
        self._guard = threading.Lock()
        self._envelopes = {file.stem: self._read(file)[0] for file in sorted(folder.glob(f"*{SUFFIX}"))}

    def keep(self, raw: bytes, *, envelope_from: str, rcpt_to: tuple[str, ...], peer: str, helo: str) -> Envelope:
        """Write it down for good and give it a name."""
        name = f"cat_{time.time_ns():020d}_{secrets.token_hex(4)}"
        envelope = Envelope(
            name, envelope_from, rcpt_to, datetime.now(UTC).isoformat(timespec="milliseconds"), peer, helo
        )
        half = self._folder / f"{name}.half"
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps(asdict(envelope)).encode() + b"\n")
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self._path(name))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        with self._guard:
            self._envelopes[name] = envelope
        return envelope

    def envelopes(self) -> list[Envelope]:
        """All of them, oldest first."""
        with self._guard:
            return sorted(self._envelopes.values(), key=lambda envelope: envelope.id)

    def find(self, name: str) -> Envelope | None:
        """The one of this name."""
        with self._guard:
            return self._envelopes.get(name)

    def raw(self, name: str) -> bytes:
        """The bytes as they came; raises KeyError for a name that is not here."""
        if self.find(name) is None:
            raise KeyError(name)
        try:
            return self._read(self._path(name))[1]
        except FileNotFoundError:
            raise KeyError(name) from None

    def clear(self) -> int:
        """Throw all away; how many there were."""
        with self._guard:
            names = list(self._envelopes)
            self._envelopes.clear()
        for name in names:
            self._path(name).unlink(missing_ok=True)
        return len(names)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    @staticmethod
    def _read(path: Path) -> tuple[Envelope, bytes]:
        head, _, raw = path.read_bytes().partition(b"\n")
        said = json.loads(head)
        return Envelope(**{**said, "rcpt_to": tuple(said["rcpt_to"])}), raw
