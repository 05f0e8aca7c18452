"""Moments and pages as callers read them."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from gatepost_api.errors import invalid


def iso(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, with Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(text: str | None) -> str | None:
    """The same for a moment that the database spelled inside JSON."""
    return None if text is None else iso(datetime.fromisoformat(text))


def millis(moment: datetime) -> int:
    """Epoch milliseconds, where published clients read them so."""
    return int(moment.timestamp() * 1000)


def cursor_for(rows: list[Any], limit: int, last: str | None) -> str | None:
    """The opaque cursor after a full page; None at the end."""
    if len(rows) < limit or last is None:
        return None
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def after(cursor: str | None) -> str | None:
    """The id a cursor points behind."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise invalid("cursor", "is none of ours") from None
    if not text.isprintable() or len(text) > 100:
        raise invalid("cursor", "is none of ours")
    return text
