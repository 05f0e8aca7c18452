"""A port on loopback that nobody uses, and a plain word when a given one is taken.

The number is drawn below the kernel's range for outgoing connections. A client that reconnects for ever to a port in that
range, while the server is being restarted, can be given the very same number as its own source port and so
connect to itself; then the server could never take its port back.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

from gatepost_embedded.errors import EmbeddedError, PortTakenError

RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 10_240
TRIES = 200


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Can a server listen here now? A port in TIME_WAIT counts as free, as it does for the servers."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _first_outgoing() -> int:
    try:
        return int(RANGE_FILE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def free_port(host: str = "127.0.0.1") -> int:
    """A number nobody listens on; the caller starts its server soon and tries another on a clash."""
    highest = _first_outgoing() - 1
    if highest > LOWEST:
        draw = random.SystemRandom()
        for _ in range(TRIES):
            port = draw.randint(LOWEST, highest)
            if is_free(port, host):
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise EmbeddedError(f"no free port on {host}: {error.strerror}") from error
        return int(probe.getsockname()[1])


def claim(port: int, what: str, host: str = "127.0.0.1") -> int:
    """The port to use: a free one for 0, else the given one, or PortTakenError naming it."""
    if port == 0:
        return free_port(host)
    if not is_free(port, host):
        raise PortTakenError(port, what, host)
    return port
