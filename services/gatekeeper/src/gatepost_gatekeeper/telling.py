"""What follows from a change of the world: every mailbox hears of a stop, people hear of a demotion, a queue is not forgotten.

A stop of the whole account is one row and many mailboxes, and events are addressed by mailbox; so its first event, of the
system mailbox, makes one for each mailbox it covers. The ids of those steps follow from the stop, so a repeat tells nothing
twice and a crash leaves nobody out.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from gatepost_contracts.mailbox import MailboxModeChanged, MailboxPaused, MailboxResumed
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.templates import demoted, deviated, waiting


class Telling:
    """Passes on what happened."""

    def __init__(self, steps: Steps, notices: Notices, *, public_url: str = "", digest_after_s: int = 0) -> None:
        self._steps, self._store, self._notices = steps, steps.store, notices
        self._url, self._after = public_url.rstrip("/"), timedelta(seconds=digest_after_s)

    async def stop(self, event: MailboxPaused | MailboxResumed) -> None:
        """Tell each mailbox that the stop covers."""
        if event.mailbox_id != SYSTEM_MAILBOX:
            return
        row = "W4t" if isinstance(event, MailboxPaused) else "W5t"
        data = event.model_dump(mode="json", include={"pause_id", "scope", "target", "by"})
        for mailbox in await self._store.fetch("mailboxes_of", event.tenant_id):
            seed = hashlib.sha256(f"{row} {event.pause_id} {mailbox['id']}".encode()).hexdigest()
            await self._steps.system(row, mailbox["id"], data=data, command_id=f"cmd_{seed[:26].upper()}")

    async def demotion(self, event: MailboxModeChanged) -> None:
        """Write to the oversight address."""
        row = await self._store.fetchrow("mailbox", event.mailbox_id, event.tenant_id)
        if row is not None:
            text = demoted(row["address"], event.category or "", event.mode, event.previous)
            await self._notices.send(text, event.tenant_id, about=event.event_id, at=event.occurred_at)

    async def deviation(self, tenant_id: str, subject: str, seq: int) -> None:
        """The live auditor found something: once a day for each account, of the first that was found."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        await self._notices.send(deviated(subject, seq), tenant_id, about=f"deviation {tenant_id}", at=today)

    async def digest(self) -> None:
        """Once a day for each account where something has waited long: how much waits, and where."""
        if not self._after:
            return
        now = datetime.now(UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for row in await self._store.fetch("accounts_waiting", now - self._after):
            counts = [(box["address"], box["n"]) for box in row["boxes"]]
            text = waiting(counts, row["oldest_at"], self._url)
            await self._notices.send(text, row["tenant_id"], about=f"digest {row['tenant_id']}", at=today)
