"""Moments as people type them: `2h`, `3d`, or an ISO 8601 date."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str | None) -> datetime | None:
    """`90m` is ninety minutes ago; a date without a zone is UTC."""
    if text is None:
        return None
    if found := re.fullmatch(r"(\d{1,6})([smhdw])", text.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"{text}: write 90s, 30m, 2h, 3d, 1w, or a date such as 2026-01-31T10:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
