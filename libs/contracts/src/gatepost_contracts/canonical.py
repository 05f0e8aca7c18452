"""The one spelling of a JSON value, so that its digest means the same everywhere."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Sorted keys, no spaces, no escapes for other scripts; of strings, integers, booleans, lists and maps."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_hex(content: bytes | str) -> str:
    """The SHA-256 digest in lower-case hex; text is taken as UTF-8."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def salted(salt: str | None, digest: str) -> str:
    """The digest as it stands in a record that stays when what it is of is erased; without a salt, the digest itself."""
    return sha256_hex(f"{salt}\n{digest}") if salt else digest
