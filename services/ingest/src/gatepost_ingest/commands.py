"""What each SMTP command means here, and which order they must come in (RFC 5321 4.1.4). No I/O.

A command is answered at once (`Say`), after somebody was asked (`Wait`), or by a TLS handshake (`Upgrade`).
Extensions: SIZE (1870), 8BITMIME (6152), PIPELINING (2920), CHUNKING (3030), SMTPUTF8 (6531), ENHANCEDSTATUSCODES
(2034), STARTTLS (3207), AUTH (4954) inside TLS where relays may sign in.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from gatepost_ingest.arrived import Recipient
from gatepost_ingest.paths import NULL_SENDER, folded, read_path
from gatepost_ingest.signing_in import Exchange
from gatepost_ingest.wire import Odd

MOST_ERRORS = 20
"""Commands that make no sense; a peer with more is let go."""
MOST_SIGN_INS = 3


@dataclass(frozen=True)
class Say:
    """A reply; empty: none yet."""

    reply: str
    begins_mail: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Wait:
    """Somebody must be asked first."""

    answer: Coroutine[Any, Any, Say]


@dataclass(frozen=True)
class Upgrade:
    """Say this, then shake hands."""

    reply: str


Said = Say | Wait | Upgrade


@dataclass
class Letter:
    """The envelope of one mail."""

    sender: str = ""
    declared_size: int = 0
    is_utf8: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0


@dataclass
class Peer:
    """Who speaks."""

    address: str = ""
    hello: str = ""
    is_encrypted: bool = False
    is_trusted: bool = False  # a relay of ours: by its address, or because it signed in
    relay: str = ""  # the name it signed in under


class Desk(Protocol):
    """What decides about recipients and mails; `answers.py`."""

    def refusal(self) -> str | None:
        """What every new mail is told while we stop."""

    def recipient_now(self, letter: Letter, address: str) -> str | None:
        """The reply to RCPT where nobody must be asked."""

    async def recipient(self, letter: Letter, address: str) -> str:
        """The reply to RCPT; an accepted recipient is on the letter then."""

    async def mail(self, letter: Letter, peer: Peer, raw: bytes) -> str:
        """The reply to the end of a mail."""

    def signs_in(self, name: str, secret: str) -> bool:
        """Whether this relay may sign in."""


class Dialogue:
    """The state of one conversation."""

    def __init__(self, desk: Desk, hostname: str, max_size: int, *, has_tls: bool, has_relays: bool) -> None:
        self._desk, self._hostname, self._max_size = desk, hostname, max_size
        self._has_tls, self._has_relays = has_tls, has_relays
        self._errors = self._sign_ins = 0
        self._letter: Letter | None = None
        self._exchange: Exchange | None = None
        self._is_last = self._refuses_chunk = False
        self.peer = Peer()
        self.chunk_left: int | None = None

    @property
    def reads_mail(self) -> bool:
        """Chunks of a mail have come, and not the last one."""
        return self.chunk_left is not None or (self._letter is not None and bool(self._letter.pieces))

    def greeting(self, address: str, *, is_trusted: bool) -> str:
        """The first line."""
        self.peer.address, self.peer.is_trusted = address, is_trusted
        return f"220 {self._hostname} ESMTP"

    def encrypted(self) -> None:
        """TLS stands: begin anew."""
        was = self.peer
        self.peer = Peer(was.address, is_encrypted=True, is_trusted=was.is_trusted)
        self._exchange = None
        self.forget_mail()

    def forget_mail(self) -> None:
        """The transaction is over."""
        self._letter, self.chunk_left, self._is_last = None, None, False

    def hear(self, line: bytes | Odd) -> Said:
        """One command."""
        if self._exchange is not None:
            return self._sign_in_line(line)
        if isinstance(line, Odd):
            return self._error("500 5.5.2 the line is too long")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return self._error("500 5.5.2 that is no text")
        verb, _, rest = text.partition(" ")
        meaning = self._COMMANDS.get(verb.upper())
        if meaning is None or not text.isprintable():
            if meaning is not None and verb.upper() in {"MAIL", "RCPT"}:
                return self._error("553 5.1.3 that is no address")
            return self._error("500 5.5.2 that is no command of ours")
        said = meaning(self, rest.strip())
        if isinstance(said, Say) and said.reply.startswith("50") and not said.ends:  # not what is said of a recipient
            return self._error(said.reply)
        return said

    def whole(self, raw: bytes) -> Said:
        """The mail after DATA is here."""
        letter, self._letter = self._letter, None
        if letter is None:
            raise RuntimeError("a mail without an envelope")
        return Wait(self._mail(letter, raw))

    def chunk(self, piece: bytes) -> Said:
        """Bytes of a BDAT chunk are here."""
        self.chunk_left = (self.chunk_left or 0) - len(piece)
        letter = self._letter
        if letter is not None and not self._refuses_chunk:
            letter.size += len(piece)
            if letter.size <= self._max_size:
                letter.pieces.append(piece)
            else:
                letter.pieces.clear()
        if self.chunk_left:
            return Say("")
        self.chunk_left = None
        if self._refuses_chunk or letter is None:
            return self._error("503 5.5.1 need MAIL and RCPT first")
        if letter.size > self._max_size:
            self.forget_mail()
            return Say("552 5.3.4 the mail is larger than this server takes")
        if not self._is_last:
            return Say(f"250 2.0.0 {letter.size} octets received")
        self.forget_mail()
        return Wait(self._mail(letter, b"".join(letter.pieces)))

    # -- commands ---------------------------------------------------------------------------------------------

    def _ehlo(self, name: str) -> Said:
        if not name:
            return Say("501 5.5.4 Syntax: EHLO <your name>")
        self.peer.hello = name[:255]
        self.forget_mail()
        lines = [self._hostname, f"SIZE {self._max_size}", "8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING",
                 "ENHANCEDSTATUSCODES"]  # fmt: skip
        if self._has_tls and not self.peer.is_encrypted:
            lines.append("STARTTLS")
        if self._may_sign_in:
            lines.append("AUTH PLAIN LOGIN")
        return Say("\r\n".join([*(f"250-{line}" for line in lines), "250 HELP"]))

    def _helo(self, name: str) -> Said:
        if not name:
            return Say("501 5.5.4 Syntax: HELO <your name>")
        self.peer.hello = name[:255]
        self.forget_mail()
        return Say(f"250 {self._hostname}")

    def _starttls(self, rest: str) -> Said:
        if not self._has_tls:
            return Say("502 5.5.1 there is no TLS here")
        if self.peer.is_encrypted:
            return Say("503 5.5.1 TLS is on already")
        if rest:
            return Say("501 5.5.4 Syntax: STARTTLS")
        return Upgrade("220 2.0.0 go ahead")

    def _auth(self, rest: str) -> Said:
        if not self._may_sign_in:
            return Say("502 5.5.1 nobody signs in here" if not self._has_relays else "538 5.7.11 needs TLS first")
        if not self.peer.hello or self._letter is not None or self.peer.relay:
            return Say("503 5.5.1 not now")
        mechanism, _, initial = rest.partition(" ")
        exchange = Exchange.begin(mechanism)
        if exchange is None:
            return Say("504 5.5.4 PLAIN and LOGIN are known here")
        self._exchange = exchange
        return self._sign_in_line(initial.encode()) if initial else Say(exchange.challenge())

    def _sign_in_line(self, line: bytes | Odd) -> Said:
        exchange = self._exchange
        if exchange is None or isinstance(line, Odd) or line == b"*":
            self._exchange = None
            return self._error("501 5.7.0 signing in was given up")
        if not exchange.take(line):
            self._exchange = None
            return self._error("501 5.5.2 that is no base64")
        if exchange.name is None or exchange.secret is None:
            return Say(exchange.challenge())
        self._exchange = None
        if self._desk.signs_in(exchange.name, exchange.secret):
            self.peer.relay, self.peer.is_trusted = exchange.name, True
            return Say("235 2.7.0 welcome")
        self._sign_ins += 1
        return Say("421 4.7.0 too many tries" if self._sign_ins >= MOST_SIGN_INS else "535 5.7.8 not known here",
                   ends=self._sign_ins >= MOST_SIGN_INS)  # fmt: skip

    def _mail_from(self, rest: str) -> Said:
        if (refusal := self._desk.refusal()) is not None:
            return Say(refusal, ends=True)
        if not self.peer.hello:
            return Say("503 5.5.1 say EHLO first")
        if self._letter is not None:
            return Say("503 5.5.1 one mail at a time")
        if not rest.upper().startswith("FROM:"):
            return Say("501 5.5.4 Syntax: MAIL FROM:<address>")
        words = rest[5:].upper().split()
        letter = Letter(is_utf8="SMTPUTF8" in words[1:])
        address, options = read_path(rest[5:], is_utf8=letter.is_utf8)
        if not address:
            return Say("553 5.1.7 that is no sender" if address is None else "501 5.5.4 Syntax: MAIL FROM:<address>")
        for option in (options or "").split():
            if (refusal := self._option(letter, option)) is not None:
                return Say(refusal)
        letter.sender = "" if address == NULL_SENDER else address
        self._letter = letter
        return Say("250 2.1.0 ok")

    def _option(self, letter: Letter, option: str) -> str | None:
        """Take one parameter of MAIL; the refusal, if it is one."""
        name, _, value = option.upper().partition("=")
        match name:
            case "SIZE":
                if not (value.isascii() and value.isdigit() and len(value) <= 20):
                    return "501 5.5.4 SIZE is a number"
                letter.declared_size = int(value)
                if letter.declared_size > self._max_size:
                    return "552 5.3.4 the mail is larger than this server takes"
            case "BODY":
                if value not in {"7BIT", "8BITMIME"}:
                    return "501 5.5.4 BODY is 7BIT or 8BITMIME"
            case "SMTPUTF8":
                if value:
                    return "501 5.5.4 SMTPUTF8 takes no value"
            case "AUTH":
                if not self._has_relays:
                    return "555 5.5.4 that parameter is not known here"
            case _:
                return "555 5.5.4 that parameter is not known here"
        return None

    def _rcpt(self, rest: str) -> Said:
        if (refusal := self._desk.refusal()) is not None:
            return Say(refusal, ends=True)
        letter = self._letter
        if letter is None or letter.pieces:
            return Say("503 5.5.1 need MAIL first")
        if not rest.upper().startswith("TO:"):
            return Say("501 5.5.4 Syntax: RCPT TO:<address>")
        address, options = read_path(rest[3:], is_utf8=letter.is_utf8)
        if not address or address == NULL_SENDER:
            return Say("501 5.5.4 Syntax: RCPT TO:<address>" if address == "" else "553 5.1.3 that is no recipient")
        if options:
            return Say("555 5.5.4 that parameter is not known here")
        address = folded(address)
        known = self._desk.recipient_now(letter, address)
        return Say(known) if known is not None else Wait(self._recipient(letter, address))

    async def _recipient(self, letter: Letter, address: str) -> Say:
        return Say(await self._desk.recipient(letter, address))

    async def _mail(self, letter: Letter, raw: bytes) -> Say:
        return Say(await self._desk.mail(letter, self.peer, raw))

    def _data(self, rest: str) -> Said:
        if (refusal := self._desk.refusal()) is not None:
            return Say(refusal, ends=True)
        letter = self._letter
        if letter is None or not letter.recipients or letter.pieces:
            return Say(
                "503 5.5.1 need RCPT first" if letter is None or not letter.pieces else "503 5.5.1 go on with BDAT"
            )
        if rest:
            return Say("501 5.5.4 Syntax: DATA")
        return Say("354 end with <CR><LF>.<CR><LF>", begins_mail=True)

    def _bdat(self, rest: str) -> Said:
        words = rest.upper().split()
        if (
            len(words) not in {1, 2}
            or not words[0].isascii()
            or not words[0].isdigit()
            or words[1:] not in ([], ["LAST"])
        ):
            return Say("501 5.5.4 Syntax: BDAT <size> [LAST]", ends=True)  # its bytes would be read as commands
        if len(words[0]) > 10 or int(words[0]) > self._max_size * 2:
            return Say("552 5.3.4 the chunk is larger than this server takes", ends=True)
        if (refusal := self._desk.refusal()) is not None:
            return Say(refusal, ends=True)
        self._refuses_chunk = self._letter is None or not self._letter.recipients
        self.chunk_left, self._is_last = int(words[0]), len(words) == 2
        return Say("")

    def _rset(self, _rest: str) -> Said:
        self.forget_mail()
        return Say("250 2.0.0 ok")

    def _error(self, reply: str) -> Say:
        self._errors += 1
        if self._errors > MOST_ERRORS:
            return Say("421 4.7.0 too many errors", ends=True)
        return Say(reply)

    @property
    def _may_sign_in(self) -> bool:
        return self._has_relays and self.peer.is_encrypted

    _COMMANDS: ClassVar[dict[str, Callable[[Dialogue, str], Said]]] = {  # NOOP and HELP take anything
        "EHLO": _ehlo,
        "HELO": _helo,
        "STARTTLS": _starttls,
        "AUTH": _auth,
        "MAIL": _mail_from,
        "RCPT": _rcpt,
        "DATA": _data,
        "BDAT": _bdat,
        "RSET": _rset,
        "NOOP": lambda _self, _rest: Say("250 2.0.0 ok"),
        "QUIT": lambda _self, _rest: Say("221 2.0.0 bye", ends=True),
        "VRFY": lambda _self, _rest: Say("252 2.1.5 send some mail, I will try my best"),
        "EXPN": lambda _self, _rest: Say("502 5.5.1 lists are not shown here"),
        "HELP": lambda _self, _rest: Say("214 2.0.0 this is RFC 5321; see https://www.rfc-editor.org"),
    }  # fmt: skip
