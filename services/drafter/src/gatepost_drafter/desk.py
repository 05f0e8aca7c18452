"""The drafter's work: which mail needs a draft, one thread at a time, and the revision that comes of it.

Every event is a hint to look at the thread: the newest unanswered mail is drafted, whichever mail the event spoke of, so
that a burst of mail costs one call. Before a call it looks whether the draft exists; the idempotency key of the step is
the last word when two replicas looked at once. What fails becomes a failed revision, which a person sees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_contracts.ids import new_id
from gatepost_drafter.answer import placeholders_in
from gatepost_drafter.provider import Correction, DraftFailed, DraftRequest, DraftResult, Provider
from gatepost_drafter.providers import Providers
from gatepost_drafter.settings import DrafterSettings
from gatepost_drafter.thread import OneAtATime, request_for
from gatepost_drafter.writing import DRAFTER, Written, draft_payload, failed, revision_payload, written
from gatepost_oversight.credential import Role
from gatepost_runtime import get_logger
from gatepost_store import Actor, Inserted, Store

log = get_logger()

BY = Actor(Role.AGENT, principal=DRAFTER, actor="drafter", door="timer")


class Desk:
    """Answers mail."""

    def __init__(self, store: Store, settings: DrafterSettings, providers: Providers) -> None:
        self._store = store
        self._settings = settings
        self._providers = providers
        self._threads = OneAtATime()

    async def received(self, event: EmailReceived) -> None:
        """A customer wrote: answer the newest mail of that thread."""
        if not event.automatic:
            await self.answer(event.thread_id)

    async def rejected(self, event: EmailRejected) -> None:
        """A reviewer sent a draft back: write the next one, if it was ours."""
        if not event.final:
            await self.revise(event.message_id, event.thread_id, event.revision)

    async def sweep(self) -> None:
        """Draft what should have a draft by now: its event was lost."""
        after, back = self._settings.sweep_after_s, self._settings.sweep_back_s
        mails = await self._store.fetch("undrafted", after, back, DRAFTER)
        drafts = await self._store.fetch("unrevised", after, DRAFTER)
        if mails or drafts:
            log.info("taking up what has no draft", mails=len(mails), drafts=len(drafts))
        room = asyncio.Semaphore(self._settings.workers)

        async def take(work: Any) -> None:
            async with room:
                await work

        await asyncio.gather(
            *(take(self.answer(row["thread_id"])) for row in mails),
            *(take(self.revise(row["id"], row["thread_id"], row["revision"])) for row in drafts),
        )

    async def answer(self, thread_id: str) -> None:
        """Draft an answer to the newest unanswered mail of a thread."""
        async with self._threads.of(thread_id):
            newest = await self._store.fetchval("newest_of_thread", thread_id)
            case = await self._case(newest)
            if case is None or not drafts_here(case) or await self._store.fetchval("is_answered", newest, DRAFTER):
                return
            result = await self._write(case, None)
            payload = draft_payload(case, result)
            made = await self._store.insert("T05", payload, by=BY, data=result.data(1))
            if isinstance(made, Inserted):
                log.info("draft written", message_id=made.message_id, answers=newest, failure=result.failure)
            else:
                log.warning("a draft was not taken", answers=newest, failed=made.failed)

    async def revise(self, message_id: str, thread_id: str, rejected: int) -> None:
        """Write the draft after the one that was sent back."""
        async with self._threads.of(thread_id):
            draft = await self._case(message_id)
            if draft is None or draft["author"] != DRAFTER or draft["state"] != "revising" or not draft["answers"]:
                return
            case = await self._case(draft["answers"])
            counts = await self._store.fetchrow("revisions", message_id)
            if case is None or counts is None or counts["drafted"] > rejected:
                return  # done before
            previous = await self._store.fetchrow("revision", message_id, rejected)
            note = await self._store.fetchval("note", message_id)
            correction = Correction(rejected, previous["markdown"] if previous else "", note or "")
            result = await self._write(case, correction)
            n = counts["newest"] + 1
            payload = revision_payload(message_id, case, result)
            made = await self._store.insert("R1", payload, by=BY, data=result.data(n))
            log.info("draft revised", message_id=message_id, revision=n, is_taken=isinstance(made, Inserted))

    async def _case(self, message_id: str | None) -> dict[str, Any] | None:
        found = await self._store.fetchrow("case", message_id) if message_id else None
        return dict(found) if found else None

    async def _write(self, case: Mapping[str, Any], correction: Correction | None) -> Written:
        """Ask the mailbox's provider; a failure is a result too."""
        provider = self._providers.of(case["provider"])
        request = await request_for(self._store, self._settings, case, correction)
        began = time.monotonic()
        try:
            draft = await provider.draft(request)
        except DraftFailed as failure:
            log.warning("no draft came about", answers=case["id"], provider=provider.name, kind=failure.kind)
            call = await self._account(
                case, provider, request, DraftResult("", usage=failure.usage), began, failure.kind
            )
            return failed(case, failure, call)
        call = await self._account(case, provider, request, draft, began, "drafted")
        if placeholders_in(draft.markdown):
            log.info("the draft asks a reviewer to fill something in", answers=case["id"])
        return written(case, draft, call)

    async def _account(
        self, case: Mapping[str, Any], provider: Provider, request: DraftRequest, draft: DraftResult,
        began: float, outcome: str,
    ) -> str:  # fmt: skip
        call, usage = new_id("mdc"), draft.usage
        latency_ms = round((time.monotonic() - began) * 1000)
        await self._store.execute(
            "add_model_call", call, case["tenant_id"], case["mailbox_id"], case["id"], provider.name,
            usage.model or provider.name, provider.prompt_version, usage.input_tokens, usage.output_tokens, latency_ms,
            list(request.given), outcome,
        )  # fmt: skip
        return call


def drafts_here(case: Mapping[str, Any]) -> bool:
    """Whether our drafter answers this mail: drafting is on, and what it writes could ever leave."""
    return (
        bool(case["drafting"])
        and case["deleted_at"] is None
        and case["direction"] == "inbound"
        and case["state"] == "received"
        and not case["automatic"]
        and "read_only" not in {case["mode"], case["ceiling"]}
    )
