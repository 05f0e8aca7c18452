"""What we answer to EHLO, MAIL, RCPT and the end of DATA.

Whatever goes wrong inside is ours and passes: 451, and the peer keeps the mail. The library would answer 500, which
tells the peer to give up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from aiosmtpd.smtp import Session

from gatepost_ingest.arrived import Arrived, Mailbox, Recipient, Refused
from gatepost_ingest.listener import Listener
from gatepost_ingest.paths import NULL_SENDER, domain_of, folded, one_line_end
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.smtp import Conversation, Letter, declared_size, is_hidden, sender_of

log = structlog.get_logger()

TRY_LATER = "451 4.3.0 not now, please try again"


class Directory(Protocol):
    """Who receives here."""

    async def find(self, address: str) -> Mailbox | None:
        """The mailbox of a recipient, plus-addresses included."""

    async def serves(self, domain: str) -> bool:
        """Whether any mailbox is in this domain."""


class Hooks:
    """The replies."""

    def __init__(
        self, settings: IngestSettings, directory: Directory, receive: Callable[[Arrived], Awaitable[tuple[str, ...]]]
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._receive = receive
        self._storing: set[asyncio.Task[tuple[str, ...]]] = set()
        self.listener: Listener | None = None

    async def handle_exception(self, error: Exception) -> str:
        """Anything unforeseen."""
        log.error("a conversation failed", error=type(error).__name__, exc_info=error)
        return TRY_LATER

    async def handle_EHLO(  # noqa: N802
        self, _server: Conversation, session: Session, _envelope: Letter, hostname: str, responses: list[str]
    ) -> list[str]:
        """What we can; signing in is not part of it."""
        session.host_name = hostname
        kept = [line for line in responses[:-1] if not is_hidden(line)]
        return [*kept, "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_MAIL(  # noqa: N802
        self, _server: Conversation, _session: Session, envelope: Letter, address: str, options: list[str]
    ) -> str:
        """Any sender may try; the null sender too."""
        if (refusal := self._refusal()) is not None:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: Conversation, _session: Session, envelope: Letter, address: str, _options: list[str]
    ) -> str:
        """Only those who receive here; nothing is passed on elsewhere."""
        try:
            return await self._recipient(envelope, address)
        except Exception as error:
            log.warning("a recipient could not be looked up", error=type(error).__name__)
            return TRY_LATER

    async def handle_DATA(  # noqa: N802
        self, _server: Conversation, session: Session, envelope: Letter
    ) -> str:
        """250 once it is committed, never before."""
        try:
            return await self._store(session, envelope)
        except Refused as no:
            return no.reply
        except TimeoutError:
            log.warning("storing a mail took too long")
        except Exception as error:
            log.exception("a mail could not be stored", error=type(error).__name__)
        return TRY_LATER

    async def finish(self) -> None:
        """Wait for mails whose peer has gone while they were being stored."""
        if self._storing:
            await asyncio.wait(self._storing, timeout=self._settings.grace_s)

    async def _recipient(self, envelope: Letter, address: str) -> str:
        if (refusal := self._refusal()) is not None:
            return refusal
        if len(envelope.recipients) >= self._settings.max_recipients:
            return "452 4.5.3 too many recipients, send the rest separately"
        if address == NULL_SENDER:
            return "553 5.1.3 that is no recipient"
        async with asyncio.timeout(self._settings.store_s):
            mailbox = await self._directory.find(folded(address))
            if mailbox is None:
                if await self._directory.serves(domain_of(folded(address))):
                    return "550 5.1.1 no such mailbox"
                return "550 5.7.1 relaying is not permitted"
        if declared_size(envelope.mail_options) > mailbox.max_size:
            return "552 5.3.4 the mail is larger than this mailbox takes"
        envelope.recipients.append(Recipient(folded(address), mailbox))
        return "250 2.1.5 ok"

    async def _store(self, session: Session, envelope: Letter) -> str:
        recipients = envelope.recipients
        raw, had_bare = one_line_end(envelope.raw)
        if any(len(raw) > recipient.mailbox.max_size for recipient in recipients):
            return "552 5.3.4 the mail is larger than a recipient takes"
        peer: Any = session.peer
        arrived = Arrived(
            raw=raw, sender=sender_of(envelope), recipients=tuple(recipients), had_bare_line_ends=had_bare,
            peer=str(peer[0]) if peer else "", hello=str(session.host_name or ""), is_encrypted=session.ssl is not None,
            at=datetime.now(UTC),
        )  # fmt: skip
        task = asyncio.ensure_future(self._receive(arrived))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        async with asyncio.timeout(self._settings.store_s):
            ids = await asyncio.shield(task)  # a peer that hangs up does not undo what is being committed
        return f"250 2.0.0 stored as {ids[0]}"

    def _refusal(self) -> str | None:
        return self.listener.refusal() if self.listener is not None else None
