"""The SMTP side of the catcher: takes everything, keeps it, and misbehaves where a test asked for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from gatepost_embedded.catcher.kept import Kept

BIGGEST = 64 * 1024 * 1024


@dataclass
class Fault:
    """What to do wrong: at this stage, this often, for mails whose recipient contains `match`."""

    stage: str  # rcpt, data (before the mail is read), dot (after it was read)
    reply: str  # an SMTP reply, `close`, `silence`, or `keep_close` (keep the mail, then close without a reply)
    count: int = 1
    match: str = ""


@dataclass
class Faults:
    """The faults that are still to come."""

    waiting: list[Fault] = field(default_factory=list)

    def next(self, stage: str, recipients: list[str]) -> str | None:
        """The fault for this stage and these recipients, used up by asking."""
        for fault in self.waiting:
            if fault.stage == stage and fault.count > 0 and any(fault.match in recipient for recipient in recipients):
                fault.count -= 1
                return fault.reply
        return None


class Handler:
    """aiosmtpd's hooks."""

    def __init__(self, kept: Kept, faults: Faults) -> None:
        self._kept, self._faults = kept, faults

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Take every recipient, unless a fault stands here."""
        if fault := self._faults.next("rcpt", [address]):
            return await self._misbehave(server, fault)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail on disk, then say so."""
        recipients = list(envelope.rcpt_tos)
        fault = self._faults.next("dot", recipients)
        if fault and fault != "keep_close":
            return await self._misbehave(server, fault)
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        number = await asyncio.to_thread(self._kept.keep, envelope.mail_from or "", recipients, raw)
        if fault:
            return await self._misbehave(server, "close")
        return f"250 2.0.0 kept as {number}"

    async def _misbehave(self, server: SMTP, reply: str) -> str:
        if reply == "silence":
            await asyncio.sleep(3600)
        if reply in {"close", "silence"}:
            transport: Any = server.transport
            transport.abort()
            return "421 closing"
        return reply


async def listen(kept: Kept, faults: Faults, port: int) -> asyncio.Server:
    """Open the port, on loopback only."""
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        smtp = SMTP(
            Handler(kept, faults), hostname="catcher.gatepost.invalid", ident="catcher", data_size_limit=BIGGEST,
            enable_SMTPUTF8=True, loop=loop,
        )  # fmt: skip
        smtp.line_length_limit = 1 << 20
        return smtp

    return await loop.create_server(session, "127.0.0.1", port)
