"""Subjects without the words that mail programs put before them."""

from __future__ import annotations

import re

_PREFIX = re.compile(r"(?i)^\s*(re|aw|sv|antw|r|rif|ref|fwd?|wg|tr|rv|enc)\s*(\[\d+\])?\s*:\s*")


def stripped(subject: str) -> str:
    """Without any Re:, Fwd: and their sisters in other languages."""
    for _ in range(20):
        shorter = _PREFIX.sub("", subject, count=1)
        if shorter == subject:
            break
        subject = shorter
    return subject.strip()
