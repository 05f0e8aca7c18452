"""Who is really calling, when a load balancer stands between: the PROXY protocol, versions 1 and 2, read strictly.

https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt. Only addresses that the operator named are believed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LONGEST_V1 = 107
LONGEST_V2 = 16 + 4096
"""A v2 header may carry extensions; more than this is no header."""


class BadProxyHeader(Exception):
    """A trusted balancer did not say who calls."""


@dataclass(frozen=True)
class Proxied:
    """A header that was read: how many bytes it took, and the caller; None where the balancer speaks for itself."""

    length: int
    peer: str | None


def read_header(data: bytes) -> Proxied | None:
    """The header at the start of a connection; None while more bytes are needed; raises BadProxyHeader."""
    if data.startswith(SIGNATURE[: len(data)]) and len(data) < 16:
        return None
    if data.startswith(SIGNATURE):
        return _version_2(data)
    if data.startswith(b"PROXY "[: len(data)]):
        return _version_1(data)
    raise BadProxyHeader


def _version_1(data: bytes) -> Proxied | None:
    end = data.find(b"\r\n", 0, LONGEST_V1)
    if end < 0:
        if len(data) >= LONGEST_V1:
            raise BadProxyHeader
        return None
    words = data[:end].split(b" ")
    if len(words) >= 2 and words[1] == b"UNKNOWN":
        return Proxied(end + 2, None)
    if len(words) != 6 or words[1] not in {b"TCP4", b"TCP6"}:
        raise BadProxyHeader
    try:
        peer = ipaddress.ip_address(words[2].decode("ascii"))
    except ValueError:
        raise BadProxyHeader from None
    if peer.version != (4 if words[1] == b"TCP4" else 6):
        raise BadProxyHeader
    return Proxied(end + 2, str(peer))


def _version_2(data: bytes) -> Proxied | None:
    version, command = data[12] >> 4, data[12] & 15
    family = data[13] >> 4
    length = 16 + int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1 or length > LONGEST_V2:
        raise BadProxyHeader
    if len(data) < length:
        return None
    if command == 0 or family not in {1, 2}:  # LOCAL (a health check), or an address that is none of the internet's
        return Proxied(length, None)
    size = 4 if family == 1 else 16
    if length < 16 + 2 * size + 4:
        raise BadProxyHeader
    return Proxied(length, str(ipaddress.ip_address(data[16 : 16 + size])))
