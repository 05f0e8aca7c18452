"""The public DKIM keys that the catcher checks against, as there is no DNS for the names used in development.

A JSON object {"sel._domainkey.example.test": "v=DKIM1; k=rsa; p=..."} in a file or behind a URL, read again when it changed.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

FRESH_S = 2.0


class Records:
    """Looks names up. `version` changes with the content, so that what was concluded from it can be forgotten."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._is_url = source.startswith(("http://", "https://"))
        self._guard = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._records: dict[str, str] = {}
        self.version = 0

    def lookup(self, name: str) -> str | None:
        """The text record of this name."""
        return self._records.get(name.rstrip(".").lower())

    def refresh(self) -> int:
        """Look whether the source changed; the version now. A source that cannot be read leaves what was known."""
        if not self._source:
            return 0
        with self._guard:
            try:
                stamp = self._seen()
                if stamp != self._stamp:
                    content = json.loads(self._text())
                    records = {str(k).rstrip(".").lower(): str(v) for k, v in dict(content).items()}
                    if records != self._records:
                        self._records, self.version = records, self.version + 1
                    self._stamp = stamp
            except (OSError, ValueError, TypeError):
                pass
            return self.version

    def _seen(self) -> tuple[int, ...]:
        if self._is_url:
            return (int(time.monotonic() / FRESH_S),)
        stat = Path(self._source).stat()
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _text(self) -> Any:
        if not self._is_url:
            return Path(self._source).read_text(encoding="utf-8")
        with urllib.request.urlopen(self._source, timeout=2) as reply:  # noqa: S310  checked to be http in __init__
            return reply.read(1_000_000)
