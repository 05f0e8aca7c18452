"""What follows from a change of the world: every mailbox hears of a stop, people of a demotion and of what waits for them.

A stop of the whole account is one row and many mailboxes, and events are addressed by mailbox; so its first event, of the
system mailbox, makes one for each mailbox it covers. The ids of those steps follow from the stop, so a repeat tells nothing
twice and a crash leaves nobody out.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from gatepost_contracts.endpoint import EndpointDisabled, EndpointExhausted
from gatepost_contracts.mailbox import MailboxModeChanged, MailboxPaused, MailboxResumed
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.steps import Steps
from gatepost_gatekeeper.templates import approvals, demoted, deviated, unreached, waiting

SETTLED = timedelta(seconds=5)
"""What was held this long ago is committed; what is younger is told next time, so that nothing is passed over."""
LISTED = 20


class Telling:
    """Passes on what happened."""

    def __init__(self, steps: Steps, notices: Notices, *, public_url: str = "", digest_after_s: int = 0) -> None:
        self._steps, self._store, self._notices = steps, steps.store, notices
        self._url, self._after = public_url.rstrip("/"), timedelta(seconds=digest_after_s)
        self._digested: set[tuple[str, datetime]] = set()

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

    async def endpoint(self, event: EndpointDisabled | EndpointExhausted) -> None:
        """A webhook was switched off, or gave up a delivery: the owner hears of it, of the same endpoint once a day."""
        today = event.occurred_at.replace(hour=0, minute=0, second=0, microsecond=0)
        why = event.reason if isinstance(event, EndpointDisabled) else None
        about = f"{event.type} {event.endpoint_id}"
        await self._notices.send(unreached(event.endpoint_id, why), event.tenant_id, about=about, at=today)

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
        self._digested = {one for one in self._digested if one[1] == today}
        for row in await self._store.fetch("accounts_waiting", now - self._after):
            tenant = row["id"]
            if (tenant, today) in self._digested:
                continue
            if boxes := await self._store.fetch("waiting_of", tenant):
                counts = [(box["address"], box["n"]) for box in boxes]
                text = waiting(counts, min(box["oldest_at"] for box in boxes), self._url)
                if await self._notices.send(text, tenant, about=f"digest {tenant}", at=today):
                    self._digested.add((tenant, today))

    async def news(self) -> None:
        """At once or hourly, as the account wants it: one mail about all that has begun to wait since the last one.

        It is noted after it was written: a crash in between tells twice rather than never.
        """
        until = datetime.now(UTC) - SETTLED
        for row in await self._store.fetch("accounts_with_news", until):
            tenant, told_at = row["id"], row["told_at"]
            if found := await self._store.fetch("news_of", tenant, told_at, until, LISTED):
                text = approvals([(m["address"], m["id"], m["reasons"]) for m in found], found[0]["n"], self._url)
                about = f"news {tenant} after {told_at.isoformat() if told_at else 'ever'}"
                if not await self._notices.send(text, tenant, about=about, at=found[-1]["held_at"]):
                    continue
            await self._store.execute("was_told", tenant, until)
