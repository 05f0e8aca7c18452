"""One SMTP connection, kept strict: each reply belongs to the command it was asked for, or the connection is over.

Commands may be written in a burst; as many replies are read as were asked for. A reply that nobody asked for, or bytes
behind the last one that was, make the connection unusable, so that a stray `250` is never taken for the answer to the
dot. Whatever goes wrong becomes a `Lost` with one plain sentence. docs/adr/0220-own-smtp-client.md says why no library.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import deque
from dataclasses import dataclass
from typing import cast

from gatepost_sender.tls import failure_type

_ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_LINE = re.compile(rb"(\d{3})(?!\d)(-?)(.*)", re.DOTALL)
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]")
_BLOCK = 64 * 1024
_LONGEST = 64 * 1024
_SILENT, _NO_REPLY = "the server stayed silent", "the answer was no SMTP reply"
_OUT_OF_TURN = "the connection had ended, or the server spoke out of turn"


class Lost(Exception):
    """The connection ended, stayed silent or spoke no SMTP; no reply was read. `failure`: TLS-RPT's word for it."""

    def __init__(self, why: str, failure: str = "") -> None:
        super().__init__(why)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side answered."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        """Its enhanced status (RFC 3463), where it gave one that fits its code."""
        found = _ENHANCED.match(self.text)
        return found[0] if found and found[1] == str(self.code)[0] else None

    @property
    def kind(self) -> int:
        """2, 3, 4 or 5; 0 for what is no SMTP code."""
        return self.code // 100 if 200 <= self.code < 600 else 0


class Wire(asyncio.Protocol):
    """The bytes to and from one server."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._lines: list[str] = []  # of a reply that has not ended
        self._replies: deque[Reply] = deque()
        self._asked = 1  # replies still to come; the greeting is the first
        self._why = ""  # why no further reply will come
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None  # set while the other side takes nothing more

    # -- what the event loop tells it ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Take replies in."""
        if self._why:
            return
        if not self._asked:
            self._end(_OUT_OF_TURN)
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(line)
        if self._asked and len(self._buffer) > _LONGEST:
            self._end(_NO_REPLY)
        elif not self._asked and (self._buffer or self._lines):
            self._end(_OUT_OF_TURN)
        elif self._replies:
            self._tell()

    def _take(self, line: bytes) -> None:
        if not self._asked:
            self._end(_OUT_OF_TURN)
        if self._why:
            return
        found = _LINE.fullmatch(line.rstrip(b"\r"))
        code = int(found[1]) if found else 0
        if found is None or not 200 <= code < 600 or len(self._lines) > _LONGEST // 64:
            self._end(_NO_REPLY)
            return
        self._lines.append(found[3].strip().decode("utf-8", "replace"))
        if not found[2]:
            self._replies.append(Reply(code, "\n".join(self._lines)))
            self._lines.clear()
            self._asked -= 1

    def eof_received(self) -> None:
        """Nothing more comes; the transport closes."""
        self._end("the connection was lost")

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._end(_why(exc) if exc else "the connection was lost")

    def pause_writing(self) -> None:
        """The other side takes no more for now."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """It does again."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def _end(self, why: str) -> None:
        self._why = self._why or why
        self._tell()
        self.resume_writing()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- what the driver asks --------------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Still connected, and everything said was an answer that was read."""
        transport = self._transport
        return not self._why and not self._replies and transport is not None and not transport.is_closing()

    @property
    def has_answer(self) -> bool:
        """A reply or the end of the connection already waits to be read."""
        return bool(self._replies or self._why)

    @property
    def is_encrypted(self) -> bool:
        """TLS is up."""
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is not None

    async def answer(self, timeout_s: float) -> Reply:
        """The next reply that was asked for. Replies that came before the connection ended are still read."""
        if not self._replies and not self._why:
            waiter = self._waiter = self._loop.create_future()
            timer = self._loop.call_later(timeout_s, self._end, _SILENT)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self._replies:
            return self._replies.popleft()
        self.drop()
        raise Lost(self._why)

    def say(self, data: bytes, replies: int = 1) -> None:
        """Write, with so many replies expected afterwards; refuses when the other side spoke out of turn."""
        if not self.is_usable:
            self.drop()
            raise Lost(_OUT_OF_TURN)
        self._asked += replies
        self._write(data)

    def _write(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 (is_usable said so)
        try:
            self._transport.write(data)
        except (OSError, RuntimeError) as error:
            self.drop()
            raise Lost(_why(error)) from error

    def burst(self, *lines: str) -> None:
        """Command lines in one write; a reply to each is expected."""
        encoded = [line.encode("utf-8") for line in lines]
        if any(_CONTROLS.search(line) for line in encoded):
            raise ValueError("a command holds no control characters")
        self.say(b"".join(line + b"\r\n" for line in encoded), len(lines))

    async def command(self, line: str, timeout_s: float) -> Reply:
        """One command line and its reply."""
        self.burst(line)
        return await self.answer(timeout_s)

    async def pour(self, content: bytes, timeout_s: float) -> bool:
        """Write stuffed content without its end, block by block; False: the server answered already, stop.

        From now on one reply is expected: that to the dot, or a refusal before it.
        """
        if not self.is_usable:
            raise Lost(_OUT_OF_TURN)
        self._asked += 1
        for start in range(0, len(content), _BLOCK):
            if self.has_answer:
                return False
            self._write(content[start : start + _BLOCK])
            if self._room is not None:
                try:
                    await asyncio.wait_for(self._room, timeout_s)
                except TimeoutError as error:
                    self.drop()
                    raise Lost(_SILENT) from error
        return not self.has_answer

    async def encrypt(self, context: ssl.SSLContext, hostname: str, timeout_s: float) -> Reply:
        """STARTTLS and the handshake. What came with the 220 was said by nobody we know (RFC 3207 4.2)."""
        reply = await self.command("STARTTLS", timeout_s)
        if reply.code != 220:
            return reply
        if not self.is_usable or self._transport is None:
            self.drop()
            raise Lost(_OUT_OF_TURN)
        try:
            start = self._loop.start_tls(
                self._transport, self, context, server_hostname=hostname, ssl_handshake_timeout=timeout_s
            )
            transport = await asyncio.wait_for(start, timeout_s + 1)  # also where the peer went before it began
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self.drop()
            cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
            raise Lost(_why(cause), failure_type(cause)) from error
        if transport is None or self._why:
            self.drop()
            raise Lost(self._why or "the connection was lost", "validation-failure")
        self._transport = transport
        return reply

    @property
    def certificate(self) -> bytes:
        """The other side's, as DER; empty where there is none."""
        session = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return (session.getpeercert(binary_form=True) or b"") if session is not None else b""

    def drop(self) -> None:
        """Close at once, without a word."""
        self._end("the connection was lost")
        if self._transport is not None:
            self._transport.abort()


async def connect(host: str, port: int, timeout_s: float, source: str | None = None) -> Wire:
    """A TCP connection, from this address of ours; the greeting is not read yet."""
    loop = asyncio.get_running_loop()
    ours = (source, 0) if source else None
    try:
        _, wire = await asyncio.wait_for(loop.create_connection(Wire, host, port, local_addr=ours), timeout_s)
    except (OSError, TimeoutError) as error:
        raise Lost(_why(error)) from error
    return wire


def _why(error: BaseException) -> str:
    """A sentence without names and addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the server's certificate was not accepted"
    if isinstance(error, ssl.SSLError):
        return "TLS could not be set up"
    if isinstance(error, TimeoutError):
        return _SILENT
    if isinstance(error, ConnectionRefusedError):
        return "the server refused the connection"
    return "the connection was lost"
