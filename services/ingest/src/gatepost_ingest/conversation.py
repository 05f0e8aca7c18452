"""One peer: its connection, its clocks, and its commands one after the other.

Commands may come in one burst (PIPELINING); their replies leave in one write. While an answer needs the database the
next commands wait in the buffer. Two clocks run: nothing whole for `idle_s`, and one mail longer than `data_s`.
What the commands mean is in `commands.py`, what is decided about a mail in `answers.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

import structlog

from gatepost_ingest.commands import Dialogue, Say, Upgrade, Wait
from gatepost_ingest.proxy import BadProxyHeader, read_header
from gatepost_ingest.wire import LONGEST_LINE, Odd, Wire

if TYPE_CHECKING:
    from gatepost_ingest.listener import Listener

log = structlog.get_logger()

MOST_WAITING = 65_536
"""Bytes that a peer may send ahead while we are busy; then we stop reading."""
CUT_OFF = 2
"""A mail this many times over the limit is not even drained: the connection closes."""
TOO_LARGE = "552 5.3.4 the mail is larger than this server takes"
CLOSING = "421 4.3.2 closing, come back later"


class Conversation(asyncio.Protocol):
    """A connected peer."""

    def __init__(self, listener: Listener, dialogue: Dialogue, *, idle_s: float, data_s: float, max_size: int,
                 tls: ssl.SSLContext | None) -> None:  # fmt: skip
        self._listener, self._dialogue, self._tls = listener, dialogue, tls
        self._idle_s, self._data_s, self._max_size = idle_s, data_s, max_size
        self._loop = asyncio.get_running_loop()
        self._wire = Wire()
        self._transport: asyncio.Transport | None = None
        self._out: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._is_busy = self._is_paused = self._is_deaf = self._awaits_proxy = self._in_data = False
        self._has_ended = self._is_encrypting = False
        self._mail_since: float | None = None  # its first byte was asked for then
        self._active_at = self._loop.time()
        self._clock: asyncio.TimerHandle | None = None
        self.address = ""
        self.is_closing = False

    @property
    def is_busy(self) -> bool:
        """A mail is being taken or stored."""
        return self._is_busy or self._mail_since is not None

    # -- the connection ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the peer, or say why not and close."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        if (refusal := self._listener.admit(self, transport)) is not None:
            self.say_goodbye(refusal)
            return
        self._look_at_the_clock()
        if self._listener.is_balancer(self.address):
            self._awaits_proxy = True
            return
        self._greet()

    def connection_lost(self, _error: Exception | None) -> None:
        """Give the place back. A mail that is being stored is stored."""
        self.is_closing = True
        if self._clock is not None:
            self._clock.cancel()
        self._mail_since = None
        if (
            self._is_encrypting and self._task is not None
        ):  # it went before the handshake began, which would wait for ever
            self._task.cancel()
        self._listener.forget(self)

    def pause_writing(self) -> None:
        """The peer does not read our replies: nothing more is done for it."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_paused = False
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Bytes of a mail count as activity; bytes of a command only once it is whole."""
        if self.is_closing:
            return
        self._wire.feed(data)
        if self._awaits_proxy and not self._read_proxy():
            return
        if self._in_data or self._dialogue.chunk_left is not None:
            self._active_at = self._loop.time()
        self._go_on()
        if (self._is_busy or self._is_paused) and len(self._wire) > MOST_WAITING and self._transport is not None:
            self._is_deaf = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The peer said all it will say; what was whole is answered first, then the connection closes."""
        self._has_ended = True
        return self._is_busy and not self._dialogue.peer.is_encrypted  # TLS has no half-open connections

    def say_goodbye(self, reply: str) -> None:
        """One last line, then close."""
        if not self.is_closing:
            self.is_closing = True
            self._out.append(reply)
            self._flush()
            if self._transport is not None:
                self._transport.close()

    # -- clocks -----------------------------------------------------------------------------------------------

    def _look_at_the_clock(self) -> None:
        now = self._loop.time()
        if self._is_busy:  # we are the slow one
            self._active_at = now
        if self._mail_since is not None and now >= self._mail_since + self._data_s:
            self.say_goodbye("421 4.4.2 the mail took too long")
        elif now >= self._active_at + self._idle_s:
            self.say_goodbye("421 4.4.2 idle for too long")
        if self.is_closing:
            self._clock = self._loop.call_later(self._idle_s, self._cut)  # it may not even read our goodbye
            return
        self._wind_the_clock()

    def _wind_the_clock(self) -> None:
        due = self._active_at + self._idle_s
        if self._mail_since is not None:
            due = min(due, self._mail_since + self._data_s)
        if self._clock is not None:
            if self._loop.time() < self._clock.when() <= due + 0.001 and not self._clock.cancelled():
                return  # it rings early enough, and is wound again then
            self._clock.cancel()
        self._clock = self._loop.call_at(due + 0.001, self._look_at_the_clock)

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- one thing after the other ----------------------------------------------------------------------------

    def _greet(self) -> None:
        if (refusal := self._listener.count(self)) is not None:
            self.say_goodbye(refusal)
            return
        self._out.append(self._dialogue.greeting(self.address, is_trusted=self._listener.is_relay(self.address)))
        self._flush()

    def _read_proxy(self) -> bool:
        try:
            header = read_header(self._wire.peek())
        except BadProxyHeader:
            log.warning("a load balancer sent no PROXY header")
            self.say_goodbye("421 4.7.0 this door is behind a load balancer")
            return False
        if header is None:
            return False
        self._wire.take(header.length)
        self._awaits_proxy = False
        self.address = header.peer or self.address
        self._greet()
        return not self.is_closing

    def _go_on(self) -> None:
        """Do what can be done without waiting; one write at the end."""
        while not (self._is_busy or self._is_paused or self.is_closing):
            try:
                said = self._next()
            except Exception as error:
                said = self._failed(error)
            if said is None:
                break
            self._do(said)
            self._time_the_mail()
        self._flush()
        if self._is_deaf and not self._is_busy and not self._is_paused and self._transport is not None:
            self._is_deaf = False
            self._transport.resume_reading()
        if self._has_ended and not self._is_busy and not self._is_paused and self._transport is not None:
            self._transport.close()

    def _next(self) -> Say | Wait | Upgrade | None:
        """What the next piece of the peer asks us to do; None while there is none."""
        dialogue = self._dialogue
        if dialogue.chunk_left is not None:
            return self._next_chunk(dialogue.chunk_left)
        if not self._in_data:
            line = self._wire.command()
            if line is None:
                return None
            self._active_at = self._loop.time()
            return dialogue.hear(line)
        mail = self._wire.mail()
        if mail is None:
            if self._wire.seen > self._max_size * CUT_OFF + LONGEST_LINE:
                self.say_goodbye(TOO_LARGE)
            return None
        self._in_data = False
        self._active_at = self._loop.time()
        if isinstance(mail, Odd):
            dialogue.forget_mail()
            return Say(TOO_LARGE if mail is Odd.TOO_LARGE else "550 5.6.0 the mail has a line of more than a megabyte")
        return dialogue.whole(mail)

    def _next_chunk(self, left: int) -> Say | Wait | Upgrade | None:
        if left and not len(self._wire):
            return None
        return self._dialogue.chunk(self._wire.take(left))

    def _do(self, said: Say | Wait | Upgrade) -> None:
        match said:
            case Say(reply, begins_mail, ends):
                if begins_mail:
                    self._wire.begin(self._max_size)
                    self._in_data = True
                if ends:
                    self.say_goodbye(reply)
                elif reply:
                    self._out.append(reply)
            case Wait(answer):
                self._is_busy = True
                self._flush()
                self._task = self._loop.create_task(self._await(answer))
            case Upgrade(reply):
                self._is_busy = True
                self._wire.clear()
                if self._transport is not None:
                    self._transport.pause_reading()
                self._out.append(reply)
                self._flush()
                self._task = self._loop.create_task(self._encrypt())

    def _time_the_mail(self) -> None:
        if not (self._in_data or self._dialogue.reads_mail):
            self._mail_since = None
        elif self._mail_since is None:
            self._mail_since = self._loop.time()
            self._wind_the_clock()

    async def _await(self, answer: Coroutine[Any, Any, Say]) -> None:
        try:
            said = await answer
        except Exception as error:
            said = self._failed(error)
        self._is_busy = False
        self._active_at = self._loop.time()
        self._do(said)
        if self._listener.is_draining and not self._dialogue.reads_mail:
            self.say_goodbye(CLOSING)
        self._go_on()

    def _failed(self, error: Exception) -> Say:
        """A mistake of ours: the peer keeps the mail and comes back."""
        log.error("a conversation failed", error=type(error).__name__, exc_info=error)
        self._in_data = False
        self._dialogue.forget_mail()
        return Say("451 4.3.0 not now, please try again")

    async def _encrypt(self) -> None:
        """Everything said so far is forgotten (RFC 3207 4.2)."""
        self._is_encrypting = True
        try:
            transport = await self._shake_hands()
        finally:
            self._is_encrypting = False
        if transport is None:
            self._cut()
            self.connection_lost(None)
            return
        self._transport = transport
        self._is_busy = False
        self._dialogue.encrypted()
        self._go_on()

    async def _shake_hands(self) -> asyncio.Transport | None:
        if self._transport is None or self._tls is None or self._transport.is_closing():
            return None
        try:
            return await self._loop.start_tls(
                self._transport, self, self._tls, server_side=True, ssl_handshake_timeout=self._idle_s
            )
        except (OSError, ssl.SSLError) as error:
            log.info("a TLS handshake failed", error=type(error).__name__)
            return None

    def _flush(self) -> None:
        if not self._out:
            return
        data = "".join(f"{reply}\r\n" for reply in self._out).encode("ascii", "replace")
        self._out.clear()
        if self._transport is not None and not self._transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write(data)
