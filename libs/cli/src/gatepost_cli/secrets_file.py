"""The installation's own passwords and first API keys: made once, kept in one file that its owner alone may read."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from gatepost_cli.bootstrap import KEYS
from gatepost_cli.credentials import new_key
from gatepost_cli.processes import SERVICES
from gatepost_embedded.files import private_folder, write_private


def local_secrets(data: Path) -> dict[str, dict[str, str]]:
    """`passwords` by service (and operator), `keys` and `relays` by name; what is missing is made."""
    private_folder(data)
    path = data / "secrets.json"
    found: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    passwords, keys = found.setdefault("passwords", {}), found.setdefault("keys", {})
    for name in (*SERVICES, "operator"):
        passwords.setdefault(name, secrets.token_urlsafe(24))
    for name, *_ in KEYS:
        keys.setdefault(name, new_key())
    relays = found.setdefault("relays", {})
    relays.setdefault("local", secrets.token_urlsafe(24))
    write_private(data / "relays", "".join(f"{name} {secret}\n" for name, secret in relays.items()))
    write_private(path, json.dumps(found, indent=2) + "\n")
    return found
