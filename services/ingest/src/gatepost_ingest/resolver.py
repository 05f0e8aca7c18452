"""DNS for the checks of a mail: asked off no thread, remembered, and never waited for beyond its time.

Answers are kept as long as their TTL says; a question nobody answered is not asked again for a while, so that one dead
zone delays one mail and not all of them. Names that are reserved for tests and documentation are answered here
(RFC 6761), unless a server was named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns.rdatatype import RdataType

from gatepost_ingest.settings import IngestSettings
from gatepost_mail.lookups import NOTHING, UNKNOWN, Answer, Dialogue, Question

T = TypeVar("T")
MOST_KEPT = 20_000
SILENT_FOR_S = 60
_RESERVED = frozenset({"test", "example", "invalid", "localhost", "local", "internal"})
_LONGEST = 16_384


class Resolver:
    """Asks, with a bound on how many questions are open."""

    def __init__(self, settings: IngestSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._silent: dict[Question, float] = {}
        self._asked: dict[Question, asyncio.Future[Answer]] = {}
        self._free = asyncio.Semaphore(settings.dns_questions)

    async def converse(self, dialogue: Dialogue[T]) -> T:
        """Drive a check to its end; what it asks together is looked up together."""
        try:
            asked = next(dialogue)
            while True:
                asked = dialogue.send(tuple(await asyncio.gather(*map(self.answer, asked))))
        except StopIteration as done:
            result: T = done.value
            return result

    async def answer(self, question: Question) -> Answer:
        """What DNS says; UNKNOWN where it does not say it in time."""
        if not self._settings.dns_servers and question.name.rpartition(".")[2] in _RESERVED:
            return NOTHING
        if self._silent.get(question, 0) > self._clock():
            return UNKNOWN
        if (open_ := self._asked.get(question)) is None:
            open_ = asyncio.ensure_future(self._ask(question))
            self._asked[question] = open_
            open_.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(open_)

    async def _ask(self, question: Question) -> Answer:
        try:
            async with self._free:
                found = await self._one().resolve(
                    dns.name.from_text(question.name), question.kind, search=False, raise_on_no_answer=False,
                    lifetime=self._settings.dns_timeout_s,
                )  # fmt: skip
            return Answer("ok" if found.rrset else "none", _texts(found))
        except dns.resolver.NXDOMAIN:
            return NOTHING
        except (dns.exception.DNSException, OSError, UnicodeError, ValueError):
            if len(self._silent) >= MOST_KEPT:
                self._silent.clear()
            self._silent[question] = self._clock() + SILENT_FOR_S
            return UNKNOWN

    def _one(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            servers = self._settings.dns_servers
            made = dns.asyncresolver.Resolver(configure=not servers)
            if servers:
                made.nameservers = [Do53Nameserver(*_address(server)) for server in servers]
            made.cache = dns.resolver.LRUCache(MOST_KEPT)
            made.use_edns(0, 0, 1232)
            self._resolver = made
        return self._resolver


def _address(server: str) -> tuple[str, int]:
    """`192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`."""
    host, colon, port = server.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and (server.count(":") == 1 or "]" in host) else (server, 53)


def _texts(found: dns.resolver.Answer) -> tuple[str, ...]:
    """The records as the checks read them; the strings of one TXT belong together (RFC 7208 3.3)."""
    texts = []
    for record in list(found.rrset or ())[:50]:
        match record.rdtype:
            case RdataType.TXT:
                texts.append(b"".join(record.strings).decode("utf-8", "replace")[:_LONGEST])
            case RdataType.MX:
                texts.append(record.exchange.to_text(omit_final_dot=True).lower())
            case RdataType.PTR:
                texts.append(record.target.to_text(omit_final_dot=True).lower())
            case _:
                texts.append(record.to_text())
    return tuple(texts)
