"""The SMTP side of the catcher: takes everything, unless it was ordered to misbehave."""

from __future__ import annotations

import asyncio
from typing import Any, AnyStr, NoReturn

from aiosmtpd.smtp import SMTP

from gatepost_embedded.catcher.box import Box
from gatepost_embedded.catcher.faults import Fault, Faults

LARGEST_MAIL = 60_000_000
LONGEST_LINE = 1_000_000


class Conversation(SMTP):
    """One connection. Lines may be long, and the greeting and the answer to DATA can be faulty too."""

    line_length_limit = LONGEST_LINE

    def __init__(self, box: Box, faults: Faults) -> None:
        super().__init__(
            Takers(box, faults),
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            hostname="catcher.gatepost.test",
            ident="Gatepost mail catcher",
            timeout=300,
            loop=asyncio.get_running_loop(),
        )
        self._faults = faults
        self._has_greeted = False

    async def push(self, status: AnyStr) -> None:
        """Say it; the first thing said is the greeting."""
        if not self._has_greeted:
            self._has_greeted = True
            fault = self._faults.take("connect")
            if fault is not None:
                reply = await commit(self, fault)
                await super().push(reply)
                if not reply.startswith("2") and self.transport is not None:
                    self.transport.close()
                return
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  aiosmtpd finds it by this name
        """Ask for the mail, or refuse it before it is sent."""
        recipients = self.envelope.rcpt_tos if self.envelope is not None else []
        fault = self._faults.take("data", recipients) if recipients else None
        if fault is None:
            await super().smtp_DATA(arg)
            return
        await self.push(await commit(self, fault))
        self._set_post_data_state()  # type: ignore[no-untyped-call]


class Takers:
    """What is done at each command."""

    def __init__(self, box: Box, faults: Faults) -> None:
        self._box, self._faults = box, faults

    async def handle_EHLO(  # noqa: N802
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Name what we can, PIPELINING and ENHANCEDSTATUSCODES too."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Anybody is a recipient here."""
        fault = self._faults.take("rcpt", [address])
        if fault is not None:
            reply = await commit(server, fault)
            if not reply.startswith("2"):
                return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient taken"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep it on the disk and only then say so. An error of ours is temporary."""
        fault = self._faults.take("dot", envelope.rcpt_tos)
        kept = ""
        if fault is None or fault.keep or fault.reply.startswith("2"):
            try:
                peer = str(session.peer[0]) if session.peer else ""
                found = await asyncio.to_thread(
                    self._box.keep,
                    bytes(envelope.content or b""),
                    envelope_from=envelope.mail_from or "",
                    rcpt_to=tuple(envelope.rcpt_tos),
                    peer=peer,
                    helo=session.host_name or "",
                )
            except OSError as error:
                return f"451 4.3.0 the catcher could not keep the mail: {error.strerror}"
            kept = found.id
        if fault is not None:
            return await commit(server, fault)
        return f"250 2.0.0 caught as {kept}"

    async def handle_exception(self, _error: Exception) -> str:
        """Never bounce a mail for a mistake of ours."""
        return "451 4.3.0 the catcher stumbled"


async def commit(server: Any, fault: Fault) -> str:
    """The reply of a fault; or no reply at all, by cutting the line or by saying nothing until the other side has gone."""
    if fault.reply == "close":
        server.transport.abort()
        await _for_ever()
    elif fault.reply == "silence":
        await _for_ever()
    return fault.reply


async def _for_ever() -> NoReturn:
    """Until the connection ends, which cancels whoever waits here."""
    while True:
        await asyncio.sleep(3600)
