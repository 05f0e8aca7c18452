"""What the gatekeeper's events say beside the common fields: the `data` of a step's audit record.

Ids, digests, numbers and verdicts only. Times are strings, since the record's text is made in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gatepost_gatekeeper.grants import Release

Row = Mapping[str, Any]


def iso(at: datetime) -> str:
    """A moment as it stands in records."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def held(
    revision: int, content: str | None, reasons: Sequence[str], *, expires_at: datetime, mode: str | None, release: int
) -> Row:
    """For email.held."""
    return {
        "revision": revision, "content_sha256": content, "reasons": list(reasons), "expires_at": iso(expires_at),
        "mode": mode, "release": release,
    }  # fmt: skip


def released(draft: Row, release: Release, *, decided_by: str | None = None, edited: bool = False) -> Row:
    """For email.released."""
    return {
        "revision": draft["n"], "content_sha256": draft["content_sha256"], "release": release.number,
        "grant": release.grant, "deliveries": list(release.delivery_ids), "due_at": iso(release.due_at),
        "decided": decided_by is not None, "decided_by": decided_by, "edited": edited,
    }  # fmt: skip


def rejected(message: Row, *, final: bool, reason_code: str | None, decided_by: str) -> Row:
    """For email.rejected."""
    used = message["rounds"] if final else message["rounds"] + 1
    return {
        "revision": message["revision"], "content_sha256": message["content"], "final": final,
        "reason_code": reason_code, "decided_by": decided_by,
        "rounds_left": 0 if final else max(0, message["rounds_max"] - used),
    }  # fmt: skip
