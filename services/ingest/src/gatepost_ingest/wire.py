"""Where does a command end, where does a mail end, and is it too large? Bytes in, pieces out; no I/O.

A mail ends at CRLF.CRLF and nowhere else (RFC 5321 4.1.1.4): servers that take LF.LF or CR.CR for an end are how one
mail is smuggled as two (CVE-2023-51764). Bytes are looked at once: the search goes on where it stopped.
"""

from __future__ import annotations

from enum import Enum, auto

END = b"\r\n.\r\n"
LONGEST_COMMAND = 2048
"""Bytes of a command line; RFC 5321 4.5.3.1.4 asks for 512, extensions for more, AUTH for up to 12 KB over several."""
LONGEST_LINE = 1_048_576
"""Bytes of a line of a mail. RFC 5321 says 1000; about one real mail in seventy has a longer one."""


class Odd(Enum):
    """What is wrong with the next piece."""

    LONG_COMMAND = auto()
    TOO_LARGE = auto()  # the whole mail was read, and dropped
    LONG_LINE = auto()  # the same


class Wire:
    """The bytes of one peer, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # no end of what is looked for begins before this
        self._is_skipping = False  # the rest of a command that was too long
        self._dropped = 0
        self._limit = self._drop_at = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self._buffer += data

    def clear(self) -> None:
        """Forget what was sent and not read yet: what comes before a TLS handshake is not said inside it."""
        self._buffer.clear()
        self._searched, self._is_skipping = 0, False

    def command(self) -> bytes | Odd | None:
        """The next command line without its line end; None while it is not whole. A bare LF ends one too."""
        at = self._buffer.find(b"\n", self._searched)
        if at < 0:
            self._searched = len(self._buffer)
            if self._searched > LONGEST_COMMAND:  # it is refused anyway: keep none of it
                self._buffer.clear()
                self._searched, self._is_skipping = 0, True
            return None
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        self._searched = 0
        if self._is_skipping or at > LONGEST_COMMAND:
            self._is_skipping = False
            return Odd.LONG_COMMAND
        return line[:-1] if line.endswith(b"\r") else line

    def begin(self, limit: int) -> None:
        """A mail follows; more than `limit` bytes of it are read and dropped."""
        self._limit, self._dropped, self._searched = limit, 0, 0
        self._drop_at = limit + limit // 3 + 64  # stuffed dots lengthen a mail by up to a third

    @property
    def seen(self) -> int:
        """Bytes of the mail so far, the dropped ones included."""
        return self._dropped + len(self._buffer)

    def mail(self) -> bytes | Odd | None:
        """The mail up to its final dot, unstuffed; None while it is not whole."""
        buffer = self._buffer
        if not self._dropped and buffer.startswith(b".\r\n"):  # no content at all
            del buffer[:3]
            self._searched = 0
            return b""
        at = buffer.find(END, self._searched)
        if at < 0:
            if self.seen > self._drop_at:
                keep = len(END) - 1
                self._dropped += len(buffer) - keep
                del buffer[:-keep]
            self._searched = max(0, len(buffer) - len(END) + 1)
            return None
        content = bytes(buffer[: at + 2])
        del buffer[: at + len(END)]
        self._searched = 0
        if self._dropped:
            return Odd.TOO_LARGE
        if content.startswith(b"."):
            content = content[1:]
        content = content.replace(b"\r\n.", b"\r\n")
        if len(content) > self._limit:
            return Odd.TOO_LARGE
        return Odd.LONG_LINE if has_long_line(content) else content

    def peek(self) -> bytes:
        """What is here, without taking it."""
        return bytes(self._buffer[:8192])

    def take(self, most: int) -> bytes:
        """Up to this many of the bytes that are here, as they are (BDAT, RFC 3030)."""
        piece = bytes(self._buffer[:most])
        del self._buffer[:most]
        self._searched = 0
        return piece


def has_long_line(content: bytes) -> bool:
    """Whether a line is longer than we take; looks at a few places, not at every line."""
    at = 0
    while len(content) - at > LONGEST_LINE:
        end = content.rfind(b"\n", at, at + LONGEST_LINE + 1)
        if end < 0:
            return True
        at = end + 1
    return False
