"""One mail over one connection, stage by stage, so that it is always known what the other side can have taken.

Each failure carries its stage and whether the final dot was written. Before the dot nothing was taken and a retry is
safe; after it, with no reply read, nobody can know (RFC 5321 4.2.5 and 6.1). The caller is asked once, after the 354
and before the content: `announce` commits the intent, and only if it says yes are content and dot written. A server
that answers while the content is still going out, and before the dot, has refused it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from gatepost_sender.envelope import Envelope, wish, xtext
from gatepost_sender.names import Tlsa
from gatepost_sender.tls import NO_STARTTLS, SUCCESS, Tls, context_for, matches
from gatepost_sender.wire import Lost, Reply, Wire, connect

Announce = Callable[[tuple[str, ...]], Awaitable[bool]]
_DOT = re.compile(rb"(?m)^\.")
_LEFTOVER_S = 5.0


class Stage(StrEnum):
    """How far an attempt came."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each stage may take, in seconds (RFC 5321 4.5.3.2)."""

    connect_s: float = 30
    greeting_s: float = 300
    command_s: float = 300
    data_s: float = 120
    block_s: float = 180
    dot_s: float = 600


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are at a smart host."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How we speak to a destination."""

    helo: str
    tls: Tls
    timeouts: Timeouts = Timeouts()
    login: Login | None = None
    ca_file: str | None = None
    tlsa: tuple[Tlsa, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended for one recipient: by a reply, or by none with the reason why."""

    stage: Stage
    reply: Reply | None = None
    why: str = ""
    is_dot_written: bool = False

    @property
    def is_unknown(self) -> bool:
        """Nobody can know whether the mail was taken."""
        return self.is_dot_written and (self.reply is None or self.reply.kind not in {2, 4, 5})

    @property
    def is_stale(self) -> bool:
        """What a kept connection does that the server gave up: nothing was said about this mail."""
        return self.stage is Stage.MAIL and (self.reply is None or self.reply.code == 421)


class StageFailed(Exception):
    """No connection could be made ready; `failure` is TLS-RPT's word for it, where it was TLS."""

    def __init__(self, stage: Stage, reply: Reply | None = None, why: str = "", failure: str = "") -> None:
        super().__init__(f"{stage}: {reply.code if reply else why}")
        self.ended, self.failure = Ended(stage, reply, why), failure


class NotAnnounced(Exception):
    """The intent was not recorded: this attempt is somebody else's now, and nothing was sent."""


class DotWritten(Exception):
    """The attempt was stopped after the dot and before the answer: nobody can know."""


class Connection:
    """A connection that greeted, speaks EHLO, and is encrypted and logged in as the manner demands."""

    def __init__(self, wire: Wire, host: str, manner: Manner) -> None:
        self._wire, self._host, self._manner = wire, host, manner
        self._offers: dict[str, str] = {}
        self.mails = 0
        self.tls = ""  # how encryption went, in the words of TLS-RPT

    @classmethod
    async def open(cls, host: str, port: int, manner: Manner, *, name: str | None = None) -> Self:
        """Connect to an address; name is the server's, for its certificate. Raises StageFailed."""
        try:
            wire = await connect(host, port, manner.timeouts.connect_s, _source_for(host, manner.sources))
        except Lost as lost:
            raise StageFailed(Stage.CONNECT, why=str(lost)) from lost
        connection = cls(wire, name or host, manner)
        try:
            await connection._prepare()
        except BaseException:
            wire.drop()
            raise
        return connection

    async def _prepare(self) -> None:
        times, manner, wire = self._manner.timeouts, self._manner, self._wire
        try:
            greeting = await wire.answer(times.greeting_s)
        except Lost as lost:
            raise StageFailed(Stage.GREETING, why=str(lost)) from lost
        if greeting.kind != 2:
            raise StageFailed(Stage.GREETING, greeting)
        await self._ehlo()
        if manner.tls is not Tls.OFF:
            if "STARTTLS" in self._offers:
                await self._encrypt()
            else:
                self.tls = NO_STARTTLS
                if manner.tls is not Tls.OFFERED:
                    why = "the server offers no encryption, and plain is not allowed here"
                    raise StageFailed(Stage.TLS, why=why, failure=NO_STARTTLS)
        if manner.login:
            await self._login(manner.login)

    async def _ehlo(self) -> None:
        reply = await self._ask(Stage.EHLO, f"EHLO {self._manner.helo}")
        if reply.kind == 2:
            words = (line.split(maxsplit=1) for line in reply.text.splitlines()[1:])
            self._offers = {word[0].upper(): (word[1] if len(word) > 1 else "") for word in words if word}
            return
        if reply.kind == 5 and reply.code != 554:
            reply = await self._ask(Stage.EHLO, f"HELO {self._manner.helo}")
        if reply.kind != 2:
            raise StageFailed(Stage.EHLO, reply)

    async def _encrypt(self) -> None:
        context = context_for(self._manner.tls, self._manner.ca_file)
        try:
            reply = await self._wire.encrypt(context, self._host, self._manner.timeouts.command_s)
        except Lost as lost:
            raise StageFailed(Stage.TLS, why=str(lost), failure=lost.failure or "validation-failure") from lost
        if reply.kind != 2:
            raise StageFailed(Stage.TLS, reply, failure=NO_STARTTLS)
        if self._manner.tls is Tls.DANE and not matches(self._wire.certificate, self._manner.tlsa):
            why = "the server's certificate is not the one that its TLSA records name"
            raise StageFailed(Stage.TLS, why=why, failure="validation-failure")
        self.tls = SUCCESS
        await self._ehlo()

    async def _login(self, login: Login) -> None:
        if not self._wire.is_encrypted and self._manner.tls is not Tls.OFF:
            raise StageFailed(Stage.AUTH, why="a password is never sent in clear")
        ways = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in ways:
            secret = base64.b64encode(f"\0{login.user}\0{login.password}".encode()).decode()
            reply = await self._ask(Stage.AUTH, f"AUTH PLAIN {secret}")
        elif "LOGIN" in ways:
            reply = await self._ask(Stage.AUTH, "AUTH LOGIN")
            for word in (login.user, login.password):
                if reply.code == 334:
                    reply = await self._ask(Stage.AUTH, base64.b64encode(word.encode()).decode())
        else:
            raise StageFailed(Stage.AUTH, why="the server offers no way to log in that we know")
        if reply.kind != 2:
            raise StageFailed(Stage.AUTH, reply)

    async def _ask(self, stage: Stage, line: str) -> Reply:
        try:
            return await self._wire.command(line, self._manner.timeouts.command_s)
        except Lost as lost:
            raise StageFailed(stage, why=str(lost)) from lost

    @property
    def is_usable(self) -> bool:
        """Nothing speaks against another mail on it."""
        return self._wire.is_usable

    async def transact(self, envelope: Envelope, announce: Announce) -> dict[str, Ended]:
        """Hand one mail over; how it ended, for each recipient. Raises only NotAnnounced and what announce raises."""
        self.mails += 1
        ended: dict[str, Ended] = {}
        try:
            taken = await self._address(envelope, ended)
            if taken:
                ended |= dict.fromkeys(taken, await self._hand_over(envelope.content, taken, announce))
        except StageFailed as failed:
            self._wire.drop()
            ended |= {to: failed.ended for to in envelope.recipients if to not in ended}
        except BaseException:
            self._wire.drop()
            raise
        return ended

    async def _address(self, envelope: Envelope, ended: dict[str, Ended]) -> tuple[str, ...]:
        """MAIL, RCPT and DATA, in one burst where the server takes that (RFC 2920).

        The recipients that were taken and whose content is waited for; the others are put into ended.
        """
        mail, reports = self._mail_command(envelope)
        rcpts = [f"RCPT TO:<{to}>{wish(to, envelope.notify) if reports else ''}" for to in envelope.recipients]
        is_said = "PIPELINING" in self._offers
        if is_said:
            self._burst(mail, *rcpts, "DATA")
        reply = await self._hear(Stage.MAIL, mail, is_said=is_said)
        left = len(rcpts) + 1
        if reply.kind != 2:
            ended |= dict.fromkeys(envelope.recipients, Ended(Stage.MAIL, reply))
        else:
            for recipient, rcpt in zip(envelope.recipients, rcpts, strict=True):
                reply = await self._hear(Stage.RCPT, rcpt, is_said=is_said)
                left -= 1
                if reply.kind != 2:
                    ended[recipient] = Ended(Stage.RCPT, reply)
        taken = tuple(to for to in envelope.recipients if to not in ended)
        if taken:
            reply = await self._hear(Stage.DATA, "DATA", is_said=is_said)
            if reply.code != 354:
                ended |= dict.fromkeys(taken, Ended(Stage.DATA, reply))
                return ()
        elif is_said:
            await self._hear_out(reply, left)
        return taken

    def _mail_command(self, envelope: Envelope) -> tuple[str, bool]:
        """MAIL with what this server offers, and whether it also offers reports."""
        options = ""
        if not all(address.isascii() for address in (envelope.sender, *envelope.recipients)):
            if "SMTPUTF8" not in self._offers:
                raise StageFailed(Stage.MAIL, Reply(550, "5.6.7 the server takes no addresses in other scripts"))
            options += " SMTPUTF8"
        if "SIZE" in self._offers:
            options += f" SIZE={len(envelope.content)}"
            most = self._offers["SIZE"].strip()
            if most.isascii() and most.isdigit() and 0 < int(most[:18]) < len(envelope.content):  # RFC 1870 4
                raise StageFailed(Stage.MAIL, Reply(552, "5.3.4 the mail is larger than the server takes"))
        if "8BITMIME" in self._offers and not envelope.content.isascii():
            options += " BODY=8BITMIME"
        reports = "DSN" in self._offers and bool(envelope.notify)
        if reports:
            options += f" RET=HDRS ENVID={xtext(envelope.envid)}"
        return f"MAIL FROM:<{envelope.sender}>{options}", reports

    def _burst(self, *lines: str) -> None:
        try:
            self._wire.burst(*lines)
        except Lost as lost:
            raise StageFailed(Stage.MAIL, why=str(lost)) from lost

    async def _hear(self, stage: Stage, line: str, *, is_said: bool) -> Reply:
        """The reply to this line, which was said in a burst, or is said now."""
        times = self._manner.timeouts
        timeout_s = times.data_s if stage is Stage.DATA else times.command_s
        try:
            return await (self._wire.answer(timeout_s) if is_said else self._wire.command(line, timeout_s))
        except Lost as lost:
            raise StageFailed(stage, why=str(lost)) from lost

    async def _hear_out(self, reply: Reply, left: int) -> None:
        """Nobody was taken: read what was still asked for in the burst, so that the connection can be kept.

        A server that wants the content all the same gets none: one empty line could be taken for a mail.
        """
        try:
            for _ in range(left if reply.code != 421 else 0):
                reply = await self._wire.answer(_LEFTOVER_S)
            if reply.code in {354, 421}:
                self._wire.drop()
        except Lost:
            return

    async def _hand_over(self, content: bytes, taken: tuple[str, ...], announce: Announce) -> Ended:
        """The server waits for the content: intent, content and dot, answer."""
        wire, times = self._wire, self._manner.timeouts
        stuffed = content if content.endswith(b"\r\n") else content + b"\r\n"
        if b"\n." in stuffed or stuffed.startswith(b"."):
            stuffed = _DOT.sub(b"..", stuffed)
        if not wire.is_usable:
            raise StageFailed(Stage.DATA, why="the connection had ended, or the server spoke out of turn")
        if not await announce(taken):
            raise NotAnnounced
        is_dot_written = False
        try:
            is_dot_written = await self._write(stuffed)
            reply = await wire.answer(times.dot_s if is_dot_written else times.block_s)
        except Lost as lost:
            return Ended(Stage.DOT if is_dot_written else Stage.DATA, None, str(lost), is_dot_written)
        except BaseException:
            if is_dot_written:
                raise DotWritten from None
            raise
        if not is_dot_written:
            wire.drop()
            if reply.kind not in {4, 5}:
                return Ended(Stage.DATA, None, "the server answered before the mail had ended")
            return Ended(Stage.DATA, reply)
        return Ended(Stage.DOT, reply, is_dot_written=True)

    async def _write(self, stuffed: bytes) -> bool:
        """Content and dot; False: the server answered before the dot, which was not written. Lost: nor then."""
        if not self._wire.is_usable:
            raise Lost("the connection had ended, or the server spoke out of turn")
        if not await self._wire.pour(stuffed, self._manner.timeouts.block_s):
            return False
        self._wire.say(b".\r\n", replies=0)  # refuses, or hands all to the system: no wait in between
        return True

    async def reset(self) -> bool:
        """Make it ready for another mail after a refusal."""
        try:
            return (await self._wire.command("RSET", self._manner.timeouts.command_s)).kind == 2
        except Lost:
            return False

    async def quit(self) -> None:
        """Take leave, without waiting long."""
        try:
            if self._wire.is_usable:
                await self._wire.command("QUIT", 2)
        except Lost:
            pass
        finally:
            self._wire.drop()


def _source_for(address: str, sources: tuple[str, ...]) -> str | None:
    """Our address of the same family, where one was chosen; a name is resolved by the system, which finds the family."""
    if not sources:
        return None
    family = ":" in address
    return next((source for source in sources if (":" in source) == family), None)
