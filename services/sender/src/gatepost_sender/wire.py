"""One SMTP connection, kept strict: each reply belongs to the command it was asked for, or the connection is over.

aiosmtplib's protocol reads and writes; its client class is not used, because it cannot tell what happened before
the final dot from what happened after it. On top of the protocol this module adds: a reply that nobody asked for, or
that came together with another one, makes the connection unusable, so that a stray `250` is never taken for the
answer to the dot; and whatever goes wrong becomes a `Lost` with one plain sentence.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from typing import cast

from aiosmtplib.errors import SMTPException, SMTPResponseException
from aiosmtplib.protocol import SMTPProtocol

from gatepost_sender.tls import failure_type

_ENHANCED = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")
_BLOCK = 64 * 1024


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


class Wire(SMTPProtocol):
    """The bytes to and from one server."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._is_out_of_turn = False

    def data_received(self, data: bytes) -> None:
        """Take bytes in; those that no command waits for spoil the connection."""
        waiter = self._response_waiter
        if not self._response_pending or waiter is None or waiter.done():
            self._is_out_of_turn = True
            return
        super().data_received(data)

    @property
    def is_usable(self) -> bool:
        """Still connected, and everything said was an answer."""
        return self.is_connected and not self._is_out_of_turn and not self._buffer

    @property
    def has_answer(self) -> bool:
        """A reply or the end of the connection already waits to be read."""
        return self._response_waiter is None or self._response_waiter.done()

    @property
    def is_encrypted(self) -> bool:
        """TLS is up."""
        return self._over_ssl

    async def answer(self, timeout_s: float) -> Reply:
        """The reply to what was written last."""
        try:
            response = await self.read_response(timeout=timeout_s)
        except SMTPResponseException as error:
            self.drop()
            raise Lost("the answer was no SMTP reply") from error
        except (SMTPException, OSError, ssl.SSLError, ValueError) as error:
            self.drop()
            raise Lost(_why(error)) from error
        reply = Reply(response.code, response.message.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        if not reply.kind:
            self.drop()
            raise Lost("the answer was no SMTP reply")
        return reply

    def say(self, data: bytes) -> None:
        """Write, with a reply expected afterwards; refuses when the other side spoke out of turn."""
        if not self.is_usable:
            self.drop()
            raise Lost("the connection had ended, or the server spoke out of turn")
        self._response_pending = True
        try:
            self.write(data)
        except (SMTPException, OSError, RuntimeError) as error:
            self.drop()
            raise Lost(_why(error)) from error

    async def command(self, line: str, timeout_s: float) -> Reply:
        """One command line and its reply."""
        data = line.encode("utf-8")
        if any(byte < 0x20 or byte == 0x7F for byte in data):
            raise ValueError("a command holds no control characters")
        self.say(data + b"\r\n")
        return await self.answer(timeout_s)

    async def pour(self, content: bytes, timeout_s: float) -> bool:
        """Write stuffed content without its end, block by block; False: the server answered already, stop."""
        for start in range(0, len(content), _BLOCK):
            if self.has_answer:
                return False
            self._response_pending = True
            try:
                self.write(content[start : start + _BLOCK])
                await asyncio.wait_for(self._drain_helper(), timeout_s)
            except (SMTPException, OSError, RuntimeError, TimeoutError) as error:
                if self.has_answer:
                    return False
                self.drop()
                raise Lost(_why(error)) from error
        return not self.has_answer

    async def encrypt(self, context: ssl.SSLContext, hostname: str, timeout_s: float) -> Reply:
        """STARTTLS and the handshake."""
        if not self.is_usable:
            raise Lost("the connection had ended, or the server spoke out of turn")
        try:
            response = await self.start_tls(context, server_hostname=hostname, timeout=timeout_s)
        except SMTPResponseException as error:
            return Reply(error.code, str(error.message))
        except (SMTPException, OSError, ssl.SSLError) as error:
            self.drop()
            cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
            raise Lost(_why(cause), failure_type(cause)) from error
        return Reply(response.code, str(response.message))

    @property
    def certificate(self) -> bytes:
        """The other side's, as DER; empty where there is none."""
        session = self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        return (session.getpeercert(binary_form=True) or b"") if session is not None else b""

    def drop(self) -> None:
        """Close at once, without a word."""
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()


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
    if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
        return "the server stayed silent"
    if isinstance(error, ConnectionRefusedError):
        return "the server refused the connection"
    return "the connection was lost"
