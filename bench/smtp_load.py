"""Offers mails over SMTP as fast as a number of connections take them, and notes how long each answer took.

MAIL, RCPT and DATA travel in one write (PIPELINING); the content follows the 354. Ten mails a connection, then a new
one, as servers do. Every answer but the expected one is counted as an error and shown beside the rate.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

PER_CONNECTION = 10
GIVE_UP_S = 60
"""A connection whose ten mails take longer is given up."""


@dataclass
class Offered:
    """What came of a round."""

    mails: int = 0
    seconds: float = 0.0
    waits_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return self.mails / self.seconds if self.seconds else 0.0

    def wait_ms(self, share: float) -> float:
        """The wait that this share of the mails did not exceed, in milliseconds."""
        waits = sorted(self.waits_ms)
        return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0


class _Caller(asyncio.Protocol):
    """One connection: hello, then mails until its share is done."""

    def __init__(self, mails: Iterator[bytes], recipient: str, result: Offered, left: int) -> None:
        self._mails, self._result, self._left = mails, result, left
        self._begin = b"MAIL FROM:<load@customer.example>\r\nRCPT TO:<%s>\r\nDATA\r\n" % recipient.encode()
        self._awaits: list[bytes] = [b"220"]
        self._buffer = b""
        self._mail: bytes | None = None
        self._at = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        if self._mail is not None:
            self._result.errors["closed"] += 1
        if not self.closed.done():
            self.closed.set_result(None)

    def hang_up(self) -> None:
        """Nobody answers."""
        self._mail = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\r\n")
        for line in lines:
            if line[3:4] == b"-":
                continue
            if not line.startswith(self._awaits[0] if self._awaits else b"?"):
                self._result.errors[line[:40].decode(errors="replace")] += 1
                self._mail = None
                self._transport.close()
                return
            self._heard(self._awaits.pop(0))

    def _heard(self, code: bytes) -> None:
        if code == b"220":
            self._say(b"EHLO load.example\r\n", b"250")
        elif code == b"354":
            assert self._mail is not None
            self._say(self._mail, b"250 ")
        elif code == b"250" and not self._awaits:
            self._next()
        elif code == b"250 ":
            self._result.mails += 1
            self._result.waits_ms.append((time.perf_counter() - self._at) * 1000)
            self._mail = None
            self._next()
        elif code == b"221":
            self._transport.close()

    def _next(self) -> None:
        self._mail = next(self._mails, None) if self._left else None
        self._left -= 1
        if self._mail is None:
            self._say(b"QUIT\r\n", b"221")
            return
        self._at = time.perf_counter()
        self._say(self._begin, b"250", b"250", b"354")

    def _say(self, line: bytes, *awaits: bytes) -> None:
        self._awaits += awaits
        self._transport.write(line)


async def offer(host: str, port: int, recipient: str, mails: Iterable[bytes], connections: int) -> Offered:
    """Send all mails; they come whole, dots stuffed and with the final dot (see `on_the_wire`)."""
    result, left = Offered(), iter(mails)

    async def one() -> None:
        loop = asyncio.get_running_loop()
        while (first := next(left, None)) is not None:
            again = itertools.chain((first,), left)
            try:
                _, caller = await loop.create_connection(
                    lambda again=again: _Caller(again, recipient, result, PER_CONNECTION), host, port
                )
            except OSError as error:
                result.errors[type(error).__name__] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                await asyncio.wait_for(caller.closed, GIVE_UP_S)
            except TimeoutError:
                result.errors["silence"] += 1
                caller.hang_up()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    result.seconds = time.perf_counter() - begin
    return result


def on_the_wire(mail: bytes) -> bytes:
    """A mail with CRLF line ends as it follows the 354."""
    return (mail if not mail.startswith(b".") else b"." + mail).replace(b"\r\n.", b"\r\n..") + b".\r\n"
