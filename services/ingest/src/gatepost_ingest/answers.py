"""What we answer to RCPT and to the end of a mail, and when we answer 451.

Whatever goes wrong inside is ours and passes: 451, and the peer keeps the mail. A 5yz would tell it to give up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import structlog

from gatepost_ingest.arrived import Arrived, Mailbox, Recipient, Refused
from gatepost_ingest.commands import Letter, Peer
from gatepost_ingest.listener import Listener
from gatepost_ingest.paths import domain_of, one_line_end
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays
from gatepost_ingest.trace import caller_of
from gatepost_ingest.turns import Turns

log = structlog.get_logger()

TRY_LATER = "451 4.3.0 not now, please try again"
OK = "250 2.1.5 ok"


class Directory(Protocol):
    """Who receives here."""

    def known(self, address: str) -> Mailbox | None:
        """The mailbox of a recipient where it is remembered; None: ask."""

    async def find(self, address: str) -> Mailbox | None:
        """The mailbox of a recipient, plus-addresses included."""

    async def serves(self, domain: str) -> bool:
        """Whether any mailbox is in this domain."""


class Answers:
    """The replies."""

    def __init__(
        self, settings: IngestSettings, directory: Directory, receive: Callable[[Arrived], Awaitable[tuple[str, ...]]],
        relays: Relays | None = None,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._directory = directory
        self._receive = receive
        self._relays = relays or Relays("")
        self._turns = Turns(settings.stores_per_mailbox)
        self._storing: set[asyncio.Future[tuple[str, ...]]] = set()
        self.listener: Listener | None = None

    def refusal(self) -> str | None:
        """What every new mail is told while we stop."""
        return self.listener.refusal() if self.listener is not None else None

    def signs_in(self, name: str, secret: str) -> bool:
        """Whether this relay may sign in."""
        known = self._relays.knows(name, secret)
        log.info("a relay signed in" if known else "a relay was not let in", relay=name if known else None)
        return known

    def recipient_now(self, letter: Letter, address: str) -> str | None:
        """The reply to RCPT where the mailbox is remembered."""
        if len(letter.recipients) >= self._settings.max_recipients:
            return "452 4.5.3 too many recipients, send the rest separately"
        mailbox = self._directory.known(address)
        return None if mailbox is None else self._take(letter, address, mailbox)

    async def recipient(self, letter: Letter, address: str) -> str:
        """Only those who receive here; nothing is passed on elsewhere."""
        try:
            async with asyncio.timeout(self._settings.store_s):
                mailbox = await self._directory.find(address)
                if mailbox is not None:
                    return self._take(letter, address, mailbox)
                if await self._directory.serves(domain_of(address)):
                    return "550 5.1.1 no such mailbox"
        except Exception as error:
            log.warning("a recipient could not be looked up", error=type(error).__name__)
            return TRY_LATER
        return "550 5.7.1 relaying is not permitted"

    async def mail(self, letter: Letter, peer: Peer, raw: bytes) -> str:
        """250 once it is committed, never before."""
        try:
            if any(len(raw) > recipient.mailbox.max_size for recipient in letter.recipients):
                return "552 5.3.4 the mail is larger than a recipient takes"
            ids = await self.store(arrived(letter, peer, raw, self._settings))
        except Refused as refused:
            return refused.reply
        except TimeoutError:
            log.warning("storing a mail took too long")
        except Exception as error:
            log.exception("a mail could not be stored", error=type(error).__name__)
        else:
            return f"250 2.0.0 stored as {ids[0]}"
        return TRY_LATER

    async def store(self, mail: Arrived) -> tuple[str, ...]:
        """Store it; after TimeoutError it may still be stored: a peer that gave up does not undo what is committed."""
        task = asyncio.ensure_future(self._in_turn(mail))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        await asyncio.wait({task}, timeout=self._settings.store_s)
        if not task.done():
            task.add_done_callback(_look_at)
            raise TimeoutError
        return task.result()

    async def _in_turn(self, mail: Arrived) -> tuple[str, ...]:
        async with self._turns.of(recipient.mailbox.id for recipient in mail.recipients):
            return await self._receive(mail)

    async def finish(self) -> None:
        """Wait for mails whose peer has gone while they were being stored."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=self._settings.grace_s)

    @staticmethod
    def _take(letter: Letter, address: str, mailbox: Mailbox) -> str:
        if letter.declared_size > mailbox.max_size:
            return "552 5.3.4 the mail is larger than this mailbox takes"
        letter.recipients.append(Recipient(address, mailbox))
        return OK


def arrived(letter: Letter, peer: Peer, received: bytes, settings: IngestSettings) -> Arrived:
    """The mail with its envelope and its true caller, line ends made one kind."""
    raw, had_bare = one_line_end(received)
    address, hello = peer.address, peer.hello
    if peer.is_trusted:
        address, hello = caller_of(raw, settings.relay_networks) or (address, hello)
    return Arrived(
        raw=raw, sender=letter.sender, recipients=tuple(letter.recipients), had_bare_line_ends=had_bare,
        peer=address, hello=hello, is_encrypted=peer.is_encrypted, at=datetime.now(UTC), relay=peer.relay,
        received=received if had_bare else None,
    )  # fmt: skip


def _look_at(task: asyncio.Future[tuple[str, ...]]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a mail was not stored in the end", error=type(error).__name__)
