"""Proves who a mail is from before it is answered: DNS on the loop, signatures in the reading threads.

SPF says something about a peer only where the peer is the sender's: mail that a relay of ours brought, or that came
from a private address, is judged by its signatures alone. Whatever takes too long is `temperror`, never a failure.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import structlog

from gatepost_ingest.arrived import Arrived, Refused
from gatepost_ingest.resolver import Resolver
from gatepost_ingest.settings import IngestSettings
from gatepost_mail import dmarc
from gatepost_mail.authentication import (
    Envelope,
    Identity,
    Signed,
    check_signed,
    check_spf,
    judge,
    signed_questions,
)
from gatepost_mail.dkim_verify import Letter

log = structlog.get_logger()

_OURS = tuple(
    ipaddress.ip_network(net)
    for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
                "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip
REFUSED = "550 5.7.1 the domain of the author asks that mail like this is refused"


class Prover:
    """Runs the checks of one mail."""

    def __init__(self, settings: IngestSettings, threads: Executor, clock: Callable[[], float] = time.time) -> None:
        self._settings, self._threads, self._clock = settings, threads, clock
        self._resolver = Resolver(settings)

    async def identify(self, arrived: Arrived, authors: Sequence[str], foreign: tuple[str, ...]) -> Identity:
        """Who it is from, as far as can be proven in the time there is."""
        envelope = Envelope(envelope_ip(arrived), arrived.hello, arrived.sender)
        if not self._settings.authenticate:
            return Identity(authors[0] if authors else "", arrived.sender, foreign=foreign)
        try:
            async with asyncio.timeout(self._settings.authenticate_s):
                return await self._identify(arrived.signed, envelope, authors, foreign)
        except TimeoutError:
            log.info("proving the author took too long", size=len(arrived.raw))
        except Exception as error:
            log.exception("the author could not be judged", error=type(error).__name__)
        return Identity(
            authors[0] if authors else "", arrived.sender, spf="temperror", dmarc=dmarc.Verdict("temperror"),
            foreign=foreign,
        )  # fmt: skip

    async def _identify(
        self, raw: bytes, envelope: Envelope, authors: Sequence[str], foreign: tuple[str, ...]
    ) -> Identity:
        signed, spf = await asyncio.gather(self._signed(raw), self._resolver.converse(check_spf(envelope)))
        return await self._resolver.converse(judge(authors, envelope, spf, signed, foreign))

    async def _signed(self, raw: bytes) -> Signed:
        """A mail without signatures costs one search in its header."""
        head = raw[: raw.find(b"\r\n\r\n") + 2].lower()
        if b"\ndkim-signature" not in b"\n" + head and b"\narc-seal" not in b"\n" + head:
            return Signed()
        letter = Letter.of(raw)
        questions = signed_questions(letter)
        answers = await asyncio.gather(*map(self._resolver.answer, questions))
        keys = dict(zip(questions, answers, strict=True))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, check_signed, letter, keys, self._clock())


def envelope_ip(arrived: Arrived) -> str:
    """The peer's address where SPF can be asked about it, else nothing."""
    try:
        address = ipaddress.ip_address(arrived.peer)
    except ValueError:
        return ""
    if arrived.relay or any(address.version == net.version and address in net for net in _OURS):
        return ""
    return arrived.peer


def refuse_forged(identity: Identity, settings: IngestSettings, arrived: Arrived, *, is_list: bool) -> None:
    """Raise where the author's domain asks to refuse what it does not stand behind, and nothing speaks for the mail.

    RFC 9989 7.4: never on the policy alone. A mailing list, a forward with a chain that holds, and a peer we know
    nothing about break alignment without anybody forging; those mails are taken and marked.
    """
    if not settings.dmarc_reject or identity.dmarc.result != "fail" or identity.dmarc.policy != "reject":
        return
    if is_list or identity.arc.result == "pass" or not envelope_ip(arrived):
        return
    log.info("a mail was refused by its author's policy", policy_domain=identity.dmarc.domain, size=len(arrived.raw))
    raise Refused(REFUSED)
