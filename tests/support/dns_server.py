"""A DNS server on loopback that says what a test tells it to, and what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL, SILENT = "<servfail>", "<silent>"


@dataclass
class Dns:
    """`zone["there.test MX"]` is a list of records as text, or SERVFAIL, or SILENT. A name with no record at all does
    not exist. `is_secure`: answers carry the AD bit."""

    zone: dict[str, list[str] | str] = field(default_factory=dict)
    is_secure: bool = False
    asked: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: _Wire(self), ("127.0.0.1", 0))
        self.port: int = self.transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.close()

    @property
    def server(self) -> tuple[tuple[str, int], ...]:
        return (("127.0.0.1", self.port),)

    def answer(self, raw: bytes) -> bytes | None:
        query = dns.message.from_wire(raw)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | (dns.flags.AD if self.is_secure else 0)
        said = self.zone.get(f"{name} {kind}")
        if said == SILENT:
            return None
        if said == SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif isinstance(said, list):
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *said))
        elif not any(known.split(" ")[0] == name for known in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


class _Wire(asyncio.DatagramProtocol):
    def __init__(self, dns_: Dns) -> None:
        self._dns = dns_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (reply := self._dns.answer(data)) is not None:
            self._transport.sendto(reply, addr)
