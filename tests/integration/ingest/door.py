"""An SMTP door of its own with what it took, and a peer that speaks SMTP by hand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatepost_ingest.answers import Answers
from gatepost_ingest.arrived import Arrived, Mailbox
from gatepost_ingest.listener import Listener
from gatepost_ingest.paths import without_tag
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays

BOXES = {
    "support@demo.test": Mailbox("mbx_1", "ten_1", "support@demo.test", "gated_send", 200_000),
    "small@demo.test": Mailbox("mbx_2", "ten_1", "small@demo.test", "gated_send", 1000),
}


RELAYS = "edge  correct-horse-battery-staple\n# a comment\n"


class Book:
    """A directory in memory that can break."""

    error: Exception | None = None
    max_size: int | None = None

    def known(self, address: str) -> Mailbox | None:
        return None

    async def find(self, address: str) -> Mailbox | None:
        if self.error:
            raise self.error
        box = BOXES.get(without_tag(address))
        return replace(box, max_size=self.max_size) if box is not None and self.max_size else box

    async def serves(self, domain: str) -> bool:
        return domain == "demo.test"


class Door:
    """A listener of its own, and what it took."""

    def __init__(self, **more: Any) -> None:
        self.took: list[Arrived] = []
        self.error: Exception | None = None
        self.wait: Callable[[], Awaitable[Any]] | None = None
        self.wait_for: Callable[[Arrived], Awaitable[None]] | None = None
        self.book = Book()
        self.settings = IngestSettings(port=0, hostname="mx.demo.test", **more)
        self.answers = Answers(self.settings, self.book, self.receive, Relays(RELAYS))
        self.listener = Listener(self.settings, self.answers)
        self.answers.listener = self.listener

    async def receive(self, mail: Arrived) -> tuple[str, ...]:
        if self.wait:
            await self.wait()
        if self.wait_for:
            await self.wait_for(mail)
        if self.error:
            raise self.error
        self.took.append(mail)
        return (f"msg_{len(self.took)}",)


class Peer:
    """Speaks SMTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> str:
        """One reply, its lines joined."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            lines.append(line.rstrip())
            if line[3:4] != "-":
                return "\n".join(lines)

    async def expect(self, start: str) -> str:
        reply = await self.read()
        assert reply.startswith(start), f"expected {start}, got {reply!r}"
        return reply

    async def say(self, line: str | bytes, start: str) -> str:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.expect(start)

    async def secure(self) -> str:
        """STARTTLS and EHLO; what EHLO said inside."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await self.say("STARTTLS", "220")
        await self.writer.start_tls(context)
        return await self.say("EHLO peer.example", "250-")

    async def begin(self, *recipients: str) -> None:
        await self.expect("220 mx.demo.test ESMTP")
        await self.say("EHLO peer.example", "250-")
        await self.mail(*recipients)

    async def mail(self, *recipients: str) -> None:
        await self.say("MAIL FROM:<ada@c.example>", "250")
        for recipient in recipients or ("support@demo.test",):
            await self.say(f"RCPT TO:<{recipient}>", "250")

    async def data(self, raw: bytes, start: str = "250") -> str:
        await self.say("DATA", "354")
        self.writer.write(raw)
        return await self.expect(start)

    async def closed(self) -> None:
        assert await asyncio.wait_for(self.reader.read(), 5) == b""


Opens = Callable[..., Awaitable[Door]]


async def call(door: Door) -> Peer:
    return Peer(*await asyncio.open_connection("127.0.0.1", door.listener.port))


def make_certificate(cert: Path, key: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.demo.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(private, hashes.SHA256())
    )  # fmt: skip
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(pem, pkcs8, serialization.NoEncryption()))
