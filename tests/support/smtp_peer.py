"""An SMTP server that says what a test tells it to: replies, closes, half replies, silence, at any stage."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

CLOSE, SILENT = "<close>", "<silent>"

OK = {
    "greeting": "220 peer ready\r\n",
    "HELO": "250 peer\r\n",
    "MAIL": "250 2.1.0 ok\r\n",
    "RCPT": "250 2.1.5 ok\r\n",
    "DATA": "354 go\r\n",
    "dot": "250 2.0.0 ok: queued as ABC123DEF\r\n",
    "RSET": "250 ok\r\n",
    "QUIT": "221 bye\r\n",
}


@dataclass
class Mail:
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    content: bytes = b""
    is_kept: bool = True  # False: its final answer refused it; what is closed on was kept


@dataclass
class Peer:
    """`says[stage]` is the reply, or a list used up one by one, or a function of the line; CLOSE and SILENT too."""

    says: dict[str, str | list[str] | Callable[[str], str]] = field(default_factory=dict)
    connections: int = 0
    lines: list[str] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)  # everything that came after a 354, ended or not
    tls: ssl.SSLContext | None = None  # STARTTLS is offered, and answered with this
    offers: tuple[str, ...] = ("SIZE 1000000",)
    address: str = "127.0.0.1"
    port: int = 0

    async def __aenter__(self) -> Self:
        self.writers: list[asyncio.StreamWriter] = []
        self.server = await asyncio.start_server(self._serve, self.address, self.port, limit=2**24)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    def _reply(self, stage: str, line: str = "") -> str:
        offers = ("peer", *self.offers, *(("STARTTLS",) if self.tls else ()))
        usual = OK | {
            "EHLO": "".join(f"250{'-' if n < len(offers) else ' '}{offer}\r\n" for n, offer in enumerate(offers, 1)),
            "STARTTLS": "220 go\r\n" if self.tls else "502 no\r\n",
        }
        said = self.says.get(stage, usual.get(stage, "500 what?\r\n"))
        if callable(said):
            return said(line)
        if isinstance(said, list):
            return said.pop(0) if said else usual[stage]
        return said

    async def _say(self, writer: asyncio.StreamWriter, stage: str, line: str = "") -> str | None:
        reply = self._reply(stage, line)
        if reply == SILENT:
            await asyncio.sleep(3600)
        close = reply.endswith(CLOSE)
        writer.write(reply.removesuffix(CLOSE).encode())
        await writer.drain()
        if close:
            writer.close()
        return None if close else reply

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mail = Mail()
        if await self._say(writer, "greeting") is None:
            return
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(":")[0].split(" ")[0].upper()
            if verb == "MAIL":
                mail = Mail(sender=line.split("<")[1].split(">")[0])
            was_said = await self._say(writer, verb, line)
            if was_said is None:
                return
            if verb == "STARTTLS" and self.tls and was_said.startswith("220"):
                await writer.start_tls(self.tls)
            if verb == "RCPT":
                mail.recipients.append(line.split("<")[1].split(">")[0])
            if verb == "DATA" and "354" in {reply[:3] for reply in was_said.splitlines()}:
                if "content" in self.says:
                    await reader.readexactly(1000)
                    await self._say(writer, "content")
                    return
                content = await self._content(reader)
                mail.content = content
                answer = await self._say(writer, "dot")
                mail.is_kept = answer is None or answer.startswith("2")
                self.mails.append(mail)
                if answer is None:
                    return

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        self.contents.append(b"")
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            self.contents[-1] += line
            lines.append(line.removeprefix(b".") if line.startswith(b".") else line)
        return b"".join(lines)
