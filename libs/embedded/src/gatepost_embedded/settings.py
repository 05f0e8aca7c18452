"""Which variables of the caller's environment a child may see."""

from __future__ import annotations

import os

ESSENTIALS = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TERM",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "PYTHONDONTWRITEBYTECODE",
)


def essentials() -> dict[str, str]:
    """Only what a program needs to run at all; everything else is given to a child by name, never inherited."""
    return {name: os.environ[name] for name in ESSENTIALS if name in os.environ}
