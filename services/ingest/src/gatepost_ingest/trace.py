"""Who gave a mail to our own relay: read from the Received headers that trusted relays wrote.

Only the topmost lines count, as long as the machine they name is a trusted relay itself; the first that is not one is
the caller. Everything below was written by strangers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_LOOKED_AT = 10
_HEAD_BYTES = 65_536
_FROM = re.compile(r"(?is)^\s*from\s+(\S+)\s+\((.{0,400}?)\)\s+by\b")
_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f.:]{2,45})\]")


def caller_of(raw: bytes, trusted: Sequence[Network]) -> tuple[str, str] | None:
    """(address, HELO name) of who called our outermost relay; None where no relay says so."""
    found = None
    for line in _received(raw):
        told = _FROM.match(line)
        address = _ADDRESS.search(told[2]) if told else None
        if told is None or address is None:
            break
        try:
            peer = ipaddress.ip_address(address[1])
        except ValueError:
            break
        found = str(peer), told[1][:255]
        if not any(peer in network for network in trusted):
            break
    return found


def _received(raw: bytes) -> list[str]:
    head = raw[:_HEAD_BYTES].partition(b"\r\n\r\n")[0].decode("latin-1")
    unfolded = re.sub(r"\r\n[ \t]+", " ", head)
    lines = [line[9:] for line in unfolded.split("\r\n") if line[:9].lower() == "received:"]
    return lines[:MOST_LOOKED_AT]
