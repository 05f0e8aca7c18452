"""One SMTP conversation: the library's, with what it lacks.

A chunked DATA reader (the library reads line by line), a limit for the whole of DATA beside the idle limit, own reading
of addresses, a goodbye before each close, and no conversation at all for a peer over the connection caps.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import defaultdict
from typing import TYPE_CHECKING, Any, AnyStr

from aiosmtpd.smtp import SMTP, Envelope

from gatepost_ingest.arrived import Recipient
from gatepost_ingest.paths import NULL_SENDER, read_path

if TYPE_CHECKING:
    from gatepost_ingest.listener import Listener

END = b"\r\n.\r\n"
DOT = b".\r\n"
COMMAND_LIMIT = 2048
CUT_OFF = 2
"""A mail this many times over the limit is not even drained: the connection closes."""


class Letter(Envelope):
    """What one peer says of one mail."""

    def __init__(self) -> None:
        super().__init__()
        self.recipients: list[Recipient] = []
        self.raw = b""


class Conversation(SMTP):
    """A connected peer."""

    line_length_limit = 1_048_576

    def __init__(
        self, listener: Listener, hooks: object, *, hostname: str, idle_s: float, data_s: float, max_size: int,
        tls: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop,
    ) -> None:  # fmt: skip
        super().__init__(
            hooks, data_size_limit=max_size, enable_SMTPUTF8=False, hostname=hostname, ident="ESMTP", tls_context=tls,
            timeout=idle_s, auth_exclude_mechanism=["LOGIN", "PLAIN"], loop=loop,
        )  # fmt: skip
        self.command_size_limits = defaultdict(lambda: COMMAND_LIMIT)
        self.command_size_limit = COMMAND_LIMIT
        self._listener = listener
        self._data_s = data_s
        self._max_size = max_size
        self._is_refused = False
        self._is_reading_data = False
        self.is_busy = False
        self.is_closing = False

    # -- the connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the peer, or say why not and close."""
        if self._original_transport is not None:  # the same peer, now inside TLS
            super().connection_made(transport)
            return
        if (refusal := self._listener.admit(self, transport)) is not None:
            self._is_refused = True
            if isinstance(transport, asyncio.WriteTransport):
                transport.write(refusal.encode() + b"\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Give the place back."""
        if self._is_refused:
            return
        self._listener.forget(self)
        super().connection_lost(error)

    def eof_received(self) -> bool | None:
        """A refused peer has no conversation to end."""
        return False if self._is_refused else super().eof_received()

    def data_received(self, data: bytes) -> None:
        """Bytes of a mail count as activity; bytes of a command only once it is whole."""
        if self._is_refused:
            return
        if self._is_reading_data:
            self._reset_timeout()
        super().data_received(data)

    def _timeout_cb(self) -> None:
        if self.is_busy and not self._is_reading_data:  # we are the slow one: storing
            self._reset_timeout()
            return
        self.say_goodbye("421 4.4.2 idle for too long")

    def say_goodbye(self, reply: str) -> None:
        """One last line, then close."""
        self.is_closing = True
        if isinstance(self.transport, asyncio.WriteTransport) and not self.transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self.transport.write(reply.encode() + b"\r\n")
            self.transport.close()

    async def push(self, status: AnyStr) -> None:
        """A reply; a 421 is always the last one."""
        await super().push(status)
        line = status if isinstance(status, bytes) else status.encode("ascii", "replace")
        if line.startswith(b"421") and self.transport is not None:
            self.is_closing = True
            self.transport.close()

    # -- commands ---------------------------------------------------------------------------------------------

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return read_path(arg) if arg else ("", "")

    async def smtp_AUTH(self, _arg: str) -> None:  # noqa: N802
        """Nobody signs in here: this door takes mail for our mailboxes only."""
        await self.push("502 5.5.1 not implemented")

    async def smtp_VRFY(self, arg: str) -> None:  # noqa: N802
        """Tells nothing about who exists."""
        await self.push("252 2.1.5 send some mail, I will try my best" if arg else "501 5.5.4 Syntax: VRFY <address>")

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Read one mail and give it to the hooks; the reply is theirs."""
        if await self.check_helo_needed():
            return
        if not self._letter().recipients:
            await self.push("503 5.5.1 need RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        self.is_busy = True
        try:
            status = await self._take()
        finally:
            self.is_busy = False
            self.envelope = self._create_envelope()
            self._reset_timeout()
        await self.push(status)
        if self._listener.is_draining:
            self.say_goodbye("421 4.3.2 closing, come back later")

    def _create_envelope(self) -> Letter:
        return Letter()

    def _letter(self) -> Letter:
        if not isinstance(self.envelope, Letter):
            raise TypeError("the conversation has not begun")
        return self.envelope

    async def _take(self) -> str:
        if (refusal := self._listener.refusal()) is not None:
            return refusal
        await self.push("354 end with <CR><LF>.<CR><LF>")
        self._is_reading_data = True
        try:
            async with asyncio.timeout(self._data_s):
                content = await self._read_mail(self._max_size)
        except TimeoutError:
            return "421 4.4.2 the mail took too long"
        finally:
            self._is_reading_data = False
        if content is None:
            return "552 5.3.4 the mail is larger than this server takes"
        self._letter().raw = content
        status = await self._call_handler_hook("DATA")
        return str(status)

    async def _read_mail(self, limit: int) -> bytes | None:
        """The bytes up to the final dot, unstuffed; None when there are too many (they are read and dropped)."""
        reader = self._reader
        taken = bytearray(await reader.readexactly(3))
        if taken == DOT:
            return b""
        while not taken.endswith(END) and _begins_end(taken):  # the end may lie across what is read so far
            taken += await reader.readexactly(1)
        size = len(taken)
        while not taken.endswith(END):
            try:
                piece = await reader.readuntil(END)
            except asyncio.LimitOverrunError as more:
                piece = await reader.readexactly(more.consumed)
                taken += piece
            else:
                taken += piece
            size += len(piece)
            if size > limit + len(DOT):
                if size > limit * CUT_OFF + self.line_length_limit:
                    self.say_goodbye("552 5.3.4 the mail is larger than this server takes")
                    raise asyncio.CancelledError
                del taken[: -len(END)]
        if size > limit + len(DOT):
            return None
        del taken[-3:]
        if taken.startswith(b"."):
            del taken[0]
        return bytes(taken.replace(b"\r\n.", b"\r\n"))


def _begins_end(taken: bytearray) -> bool:
    return any(taken.endswith(END[:n]) for n in range(1, len(END)))


def sender_of(envelope: Envelope) -> str:
    """The envelope's sender; empty for the null sender."""
    sender = envelope.mail_from or ""
    return "" if sender == NULL_SENDER else sender


def declared_size(options: list[str]) -> int:
    """What SIZE= of MAIL said; 0 when it said nothing."""
    for option in options:
        name, _, value = option.partition("=")
        if name == "SIZE" and value.isdigit():
            return int(value)
    return 0


def is_hidden(line: Any) -> bool:
    """EHLO lines of the library that promise what we do not do."""
    return str(line)[4:8] == "AUTH"
