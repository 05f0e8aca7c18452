"""What an invitation says (RFC 5545, RFC 6047), in a few lines, for a mail that has no other words."""

from __future__ import annotations

import re

from gatepost_mail.charsets import decode

_WANTED = {"SUMMARY": "Invitation", "DTSTART": "Begins", "DTEND": "Ends", "LOCATION": "Where", "ORGANIZER": "From"}
_VERBS = {"CANCEL": "Cancelled", "REPLY": "Answer to", "COUNTER": "Other time proposed for"}


def invitation(data: bytes) -> str:
    """Its summary, time and place; empty when it holds none."""
    text = decode(data[:200_000], None)[0]
    lines = re.sub(r"\r?\n[ \t]", "", text).splitlines()
    method = next((line[7:].strip().upper() for line in lines if line.upper().startswith("METHOD:")), "")
    found: dict[str, str] = {}
    is_event = False
    for line in lines:
        is_event = is_event or line.upper().startswith("BEGIN:VEVENT")
        name, _, value = line.partition(":")
        name = name.partition(";")[0].upper()
        if is_event and name in _WANTED and name not in found:
            found[name] = re.sub(r"\\n", " ", value, flags=re.IGNORECASE).replace("\\,", ",").replace("\\;", ";")[:300]
    if not found:
        return ""
    said = [
        f"{_verb(name, method)}: {found[name].removeprefix('mailto:').strip()}" for name in _WANTED if name in found
    ]
    return "(" + ". ".join(said) + ".)"


def _verb(name: str, method: str) -> str:
    return _VERBS.get(method, _WANTED[name]) if name == "SUMMARY" else _WANTED[name]
