"""Behind a load balancer: the PROXY protocol says who calls, and only a named balancer may say it."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from gatepost_ingest.proxy import SIGNATURE
from integration.ingest.door import Opens, call


def version_2(peer: str, *, command: int = 1, more: bytes = b"") -> bytes:
    address = ipaddress.ip_address(peer)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed + ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1").packed
    body += struct.pack("!HH", 40000, 25) + more
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (b"PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n", "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 25\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (version_2("203.0.113.9"), "203.0.113.9"),
        (version_2("2001:db8::9", more=b"\x04\x00\x03abc"), "2001:db8::9"),
        (version_2("203.0.113.9", command=0), "127.0.0.1"),
    ],
)
async def test_the_balancer_names_the_caller(doors: Opens, header: bytes, peer: str) -> None:
    """However its bytes break, and with the first commands behind it."""
    door = await doors(balancers="127.0.0.1")
    caller = await call(door)
    for n in range(len(header) - 1):
        caller.writer.write(header[n : n + 1])
        await caller.writer.drain()
    caller.writer.write(header[-1:] + b"EHLO peer.example\r\n")
    await caller.expect("220")
    await caller.expect("250-")
    await caller.mail()
    await caller.data(b"a\r\n.\r\n")

    assert door.took[0].peer == peer


@pytest.mark.parametrize(
    "wrong",
    [
        b"EHLO x\r\n",
        b"PROXY TCP4 203.0.113.9\r\n",
        b"PROXY TCP4 2001:db8::9 ::1 1 2\r\n",
        b"PROXY TCP4 evil evil 1 2\r\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c" + b"\0" * 12,
        SIGNATURE + b"\x21\x11\x00\x04" + b"\0" * 4,
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
)
async def test_a_balancer_that_does_not_say_is_let_go(doors: Opens, wrong: bytes) -> None:
    door = await doors(balancers="127.0.0.1")
    caller = await call(door)
    caller.writer.write(wrong)
    await caller.expect("421")
    await caller.closed()


async def test_only_a_balancer_may_say_it(doors: Opens) -> None:
    """From anybody else the header is an unknown command, and nothing of it is believed."""
    door = await doors(balancers="192.0.2.1")
    caller = await call(door)
    await caller.expect("220")
    await caller.say("PROXY TCP4 203.0.113.9 192.0.2.1 40000 25", "500")


async def test_callers_are_counted_by_their_own_address(doors: Opens) -> None:
    """One caller behind the balancer does not use up the places of the others."""
    door = await doors(balancers="127.0.0.1", max_connections_per_address=1)
    said, callers = [], []
    for address in ("203.0.113.1", "203.0.113.2", "203.0.113.1"):
        caller = await call(door)
        caller.writer.write(f"PROXY TCP4 {address} 192.0.2.1 40000 25\r\n".encode())
        callers.append(caller)
        said.append((await caller.read())[:9])

    assert said == ["220 mx.de", "220 mx.de", "421 4.7.0"]
