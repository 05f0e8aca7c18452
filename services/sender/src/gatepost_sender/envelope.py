"""What is handed to a server, and whether it may be handed to any. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ODD = re.compile(r"[\s<>\x00-\x1f\x7f]")
_LONGEST_LINE = 998


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is handed over: who from, who to, and the signed bytes with CRLF line ends."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    envid: str = ""  # ours for this mail, where delivery reports are asked for (RFC 3461 4.4)
    notify: str = ""  # of which outcomes, e.g. SUCCESS,FAILURE (RFC 3461 4.1)


def unfit(envelope: Envelope) -> str | None:
    """Why no server may get it, known before any connection; None: nothing speaks against it.

    Lines must be such (RFC 5321 2.3.8, 4.5.3.1.6), and addresses must arrive unchanged.
    """
    content = envelope.content
    if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        return "a line has no proper end"
    if max(map(len, content.split(b"\r\n"))) > _LONGEST_LINE:
        return "a line is too long"
    if any(_ODD.search(word) for word in (envelope.sender, *envelope.recipients)):
        return "an address cannot be written unchanged"
    return None


def wish(recipient: str, notify: str) -> str:
    """Of which outcomes reports are asked for, and of whom they shall speak (RFC 3461 4)."""
    return f" NOTIFY={notify} ORCPT=rfc822;{xtext(recipient)}" if recipient.isascii() else ""


def xtext(text: str) -> str:
    """As RFC 3461 4 wants it in a parameter."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
