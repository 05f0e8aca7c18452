"""Where the service is and which key to use: an argument first, then the environment, then a local installation."""

from __future__ import annotations

import os

LOOPBACK = "http://127.0.0.1:8080"
_URLS = ("GATEPOST_URL", "MULTIMAIL_API_URL", "MULTIMAIL_BASE_URL")
_KEYS = ("GATEPOST_API_KEY", "MULTIMAIL_API_KEY", "MULTIMAIL_BEARER_AUTH")
_MAILBOXES = ("GATEPOST_MAILBOX_ID", "MULTIMAIL_MAILBOX_ID")


def base_url(given: str | None) -> str:
    """The service's address, without a slash at the end."""
    return (given or _first(_URLS) or LOOPBACK).rstrip("/")


def api_key(given: str | None) -> str:
    """The key. One that begins with `$` names the variable that holds it, as the published guides write it."""
    if given and given.startswith("$"):
        given = os.environ.get(given[1:].strip("{}")) or None
    return given or _first(_KEYS) or ""


def mailbox_id(given: str | None) -> str | None:
    """The mailbox that calls are about when they name none."""
    return given or _first(_MAILBOXES)


def recording() -> bool:
    """Should a recorded service be recorded anew?"""
    return os.environ.get("GATEPOST_RECORD", "") not in {"", "0", "false"}


def _first(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
