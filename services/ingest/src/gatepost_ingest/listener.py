"""The listening socket: who may connect, how many at a time, and how it stops without dropping a mail."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Sequence

import structlog

from gatepost_ingest.commands import Desk, Dialogue
from gatepost_ingest.conversation import Conversation
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.trace import Network

log = structlog.get_logger()


class Listener:
    """Accepts conversations in our own loop."""

    def __init__(self, settings: IngestSettings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self._server: asyncio.Server | None = None
        self._talking: dict[Conversation, str] = {}
        self._per_address: Counter[str] = Counter()
        self.is_draining = False

    @property
    def port(self) -> int:
        """The port it listens on; useful where 0 was asked for."""
        if self._server is None:
            raise RuntimeError("not listening")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def conversations(self) -> int:
        """How many peers are connected."""
        return len(self._talking)

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        tls = tls_context(self._settings)
        settings = self._settings

        def conversation() -> Conversation:
            dialogue = Dialogue(
                self._desk, settings.hostname, settings.max_size, has_tls=tls is not None,
                has_relays=settings.relays_file is not None,
            )  # fmt: skip
            return Conversation(
                self, dialogue, idle_s=settings.idle_s, data_s=settings.data_s, max_size=settings.max_size, tls=tls
            )

        self._server = await loop.create_server(
            conversation, settings.host, settings.port, backlog=1024, reuse_address=True
        )
        log.info("listening for mail", host=settings.host, port=self.port, tls=tls is not None)

    def admit(self, conversation: Conversation, transport: asyncio.BaseTransport) -> str | None:
        """Count the peer in; the 421 it gets where there is no place."""
        if (refusal := self.refusal()) is not None:
            return refusal
        if len(self._talking) >= self._settings.max_connections:
            return "421 4.3.2 too many connections, come back later"
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._talking[conversation] = ""
        return None

    def count(self, conversation: Conversation) -> str | None:
        """Count it for its address, once that is known; the 421 it gets where that has too many."""
        address = conversation.address
        if self.is_relay(address):
            return None
        if self._per_address[address] >= self._settings.max_connections_per_address:
            return "421 4.7.0 too many connections from your address"
        self._talking[conversation] = address
        self._per_address[address] += 1
        return None

    def forget(self, conversation: Conversation) -> None:
        """Count the peer out."""
        address = self._talking.pop(conversation, None)
        if address:
            self._per_address[address] -= 1
            if self._per_address[address] <= 0:
                del self._per_address[address]

    def is_balancer(self, address: str) -> bool:
        """Whether this peer must begin with a PROXY header."""
        return _is_in(address, self._settings.balancer_networks)

    def is_relay(self, address: str) -> bool:
        """Whether this peer is a relay of ours, whose Received lines we believe."""
        return _is_in(address, self._settings.relay_networks)

    def refusal(self) -> str | None:
        """What a new mail is told while we stop."""
        return "421 4.3.2 closing, come back later" if self.is_draining else None

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, finish the mails that are being taken, then close."""
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        ends = asyncio.get_running_loop().time() + grace_s
        for conversation in list(self._talking):
            if not conversation.is_busy:
                conversation.say_goodbye("421 4.3.2 closing, come back later")
        while any(c.is_busy for c in self._talking) and asyncio.get_running_loop().time() < ends:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        for conversation in list(self._talking):
            conversation.say_goodbye("421 4.3.2 closing, come back later")
        await asyncio.sleep(0)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    if not networks:
        return False
    try:
        peer = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in networks)


def tls_context(settings: IngestSettings) -> ssl.SSLContext | None:
    """STARTTLS where a certificate is set."""
    if settings.tls_cert_file is None or settings.tls_key_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    return context
