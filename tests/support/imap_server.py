"""An IMAP server for tests: one folder of one user, as RFC 3501 and RFC 2177 have it, and what was asked of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field


@dataclass
class Mail:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class ImapServer:
    """`deliver` puts a mail into the folder and tells those who idle."""

    user: str = "ada"
    password: str = "secret"
    can_idle: bool = True
    validity: int = 1
    mails: list[Mail] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    idling: set[asyncio.StreamWriter] = field(default_factory=set)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    told: dict[asyncio.StreamWriter, int] = field(default_factory=dict)
    next_uid: int = 1

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        self.server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    def deliver(self, raw: bytes) -> Mail:
        mail = Mail(self.next_uid, raw)
        self.next_uid += 1
        self.mails.append(mail)
        for writer in self.idling:
            self._tell(writer)
        return mail

    def _tell(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* %d EXISTS\r\n" % len(self.mails))
        self.told[writer] = len(self.mails)

    def made_anew(self) -> None:
        """The folder gets another identity; its mails other numbers."""
        self.validity += 1
        self.next_uid = 1
        for mail in self.mails:
            mail.uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        writer.write(b"* OK ready\r\n")
        try:
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                tag, _, rest = line.partition(" ")
                self.said.append(re.sub(r'^LOGIN .*"', "LOGIN", rest))
                await self._answer(tag, rest, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.idling.discard(writer)
            self.writers.discard(writer)
            writer.close()

    async def _answer(self, tag: str, rest: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        verb = rest.split(" ")[0].upper()
        done = "OK done"
        if verb == "CAPABILITY":
            writer.write(f"* CAPABILITY IMAP4rev1{' IDLE' if self.can_idle else ''}\r\n".encode())
        elif verb == "LOGIN":
            known = rest.split(" ", 1)[1].replace('"', "") == f"{self.user} {self.password}"
            done = "OK welcome" if known else "NO who are you"
        elif verb in {"SELECT", "EXAMINE"}:
            writer.write(
                b"* %d EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY %d] .\r\n* OK [UIDNEXT %d] .\r\n"
                % (len(self.mails), self.validity, self.next_uid)
            )
            self.told[writer] = len(self.mails)
        elif verb == "IDLE":
            writer.write(b"+ idling\r\n")
            self.idling.add(writer)
            if self.told.get(writer) != len(self.mails):
                self._tell(writer)
            await reader.readline()
            self.idling.discard(writer)
        elif verb == "UID":
            self._uid(rest[4:], writer)
        writer.write(f"{tag} {done}\r\n".encode())

    def _uid(self, rest: str, writer: asyncio.StreamWriter) -> None:
        verb = rest.split(" ")[0].upper()
        if verb == "SEARCH":
            first = int(re.search(r"UID (\d+):\*", rest)[1])  # type: ignore[index]
            highest = self.mails[-1].uid if self.mails else 0
            found = [m.uid for m in self.mails if m.uid >= min(first, highest)]
            writer.write(f"* SEARCH {' '.join(map(str, found))}\r\n".encode())
            return
        uids = {int(n) for n in rest.split(" ")[1].split(",")}
        for n, mail in enumerate(self.mails, 1):
            if mail.uid not in uids:
                continue
            if verb == "STORE":
                mail.flags.add("\\Seen")
            elif "RFC822.SIZE" in rest:
                writer.write(b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (n, mail.uid, len(mail.raw)))
            elif "BODY.PEEK[]" in rest:
                writer.write(b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (n, mail.uid, len(mail.raw), mail.raw))
