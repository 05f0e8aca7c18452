"""What happens to a draft before a person sees it: taken up, judged, and let go, held or refused.

Gather, decide, write once. A step that does not move says which conjunct failed; then the world has changed under us
and the case is gathered again, at most three times. What policy wanted to release and the guard forbids is held: the
guard speaks of the live facts, so it is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from gatepost_contracts.email import EmailComplained, EmailDrafted, EmailReceived, EmailUnsubscribed
from gatepost_contracts.endpoint import EndpointDisabled, EndpointExhausted
from gatepost_contracts.event import Event
from gatepost_contracts.mailbox import MailboxModeChanged, MailboxPaused, MailboxResumed
from gatepost_gatekeeper import said
from gatepost_gatekeeper.case import Case, Row, gather
from gatepost_gatekeeper.facts import Limits, facts_of, true_names
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.notices import Notices
from gatepost_gatekeeper.rerender import renders_alike
from gatepost_gatekeeper.steps import Moved, Stayed, Steps
from gatepost_gatekeeper.telling import Telling
from gatepost_oversight.category import CategoryRule, first_match, inbound_of, rules_of
from gatepost_oversight.policy import Judgement, Verdict, decide

log = structlog.get_logger()
TRIES = 4
WORLD = (
    MailboxModeChanged, MailboxPaused, MailboxResumed, EmailUnsubscribed, EmailComplained, EndpointDisabled, EndpointExhausted,
)  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A case with its verdict."""

    case: Case
    mode: str
    judgement: Judgement
    facts: tuple[str, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The names of the rules that speak against it, the deciding one first."""
        if self.judgement.verdict is Verdict.RELEASE:
            return ()
        return tuple(rule.name for rule in self.judgement.reasons)

    @property
    def told(self) -> dict[str, Any]:
        """What the record keeps of it besides."""
        rule = self.case.category
        return {
            "facts": list(self.facts), "category": rule.name if rule else None,
            "rule_revision": rule.revision if rule else None,
        }  # fmt: skip


class Desk:
    """Judges drafts; the handlers of the gatekeeper's events."""

    def __init__(self, steps: Steps, grants: Grants, limits: Limits, telling: Telling | None = None) -> None:
        self._steps, self._store, self._grants, self._limits = steps, steps.store, grants, limits
        self._telling = telling or Telling(steps, Notices(steps, grants))

    async def review(self, event: EmailDrafted) -> None:
        """A draft exists; judge whether a person must see it."""
        await self.judge(event.message_id)

    async def customer_wrote_again(self, event: EmailReceived) -> None:
        """Its category is noted; what was drafted for an older mail ends once a newer draft answers a later one."""
        await self._categorise(event.message_id)
        await self.supersede(event.thread_id)

    async def world_changed(self, event: Event) -> None:
        """A mailbox was tightened or an address opted out: what is released and not on the wire goes back or ends."""
        match event:
            case MailboxPaused() | MailboxResumed():
                await self._telling.stop(event)  # it stops claims by itself, and lifting it lets them go on
                return
            case MailboxModeChanged():
                if event.demoted:
                    await self._telling.demotion(event)
                rows = await self._store.fetch("open_mails_of_mailbox", event.mailbox_id)
            case EmailUnsubscribed() | EmailComplained():
                rows = await self._store.fetch("open_mails_suppressed", event.suppression_id)
            case EndpointDisabled() | EndpointExhausted():
                await self._telling.endpoint(event)
                return
            case _:
                return
        await asyncio.gather(*(self.take_back(row["id"]) for row in rows))

    async def judge(self, message_id: str) -> None:
        """Bring a draft as far as it goes without a person. Safe to repeat."""
        for _ in range(TRIES):
            case = await gather(self._store, message_id, hourly_limit=self._limits.hourly)
            if case is None or case.draft is None:
                return
            if await self._one_round(case):
                return
        log.warning("a draft moved under the gatekeeper each time", message_id=message_id)

    async def take_back(self, message_id: str) -> None:
        """What may not leave any more: refused where policy forbids it, held where it needs a person."""
        case = await gather(self._store, message_id)
        if case is None or case.draft is None:
            return
        state, judged = case.message["state"], self._judged(case)
        if judged.judgement.verdict is Verdict.REFUSE and isinstance(await self._refuse(judged), Moved):
            return
        if state in {"released", "deferred"}:
            reasons = judged.reasons or ("tightened",)
            if isinstance(await self._hold("T16", judged, reasons), Moved):
                return
            for delivery in await self._store.fetch("suppressed_deliveries", message_id):
                await self._steps.system(
                    "T10d", message_id, delivery_id=delivery["id"],
                    data={"reasons": ["suppressed"], "deliveries": [delivery["id"]]},
                )  # fmt: skip

    async def supersede(self, thread_id: str) -> None:
        """End open drafts of this thread that answer an older mail than another draft of it does."""
        for row in await self._store.fetch("superseded", thread_id):
            await self._steps.system("T22", row["id"], data={"by_message_id": row["by_message_id"]})

    async def _categorise(self, message_id: str) -> None:
        row = await self._store.fetchrow("inbound_with_rules", message_id)
        if row is not None:
            rule = first_match(rules_of(row["rules"]), inbound_of(row, row["tags"]))
            await self._note(message_id, rule)

    async def _note(self, message_id: str, rule: CategoryRule | None) -> None:
        """Keep the match with the mail it was made on."""
        await self._store.execute(
            "categorise", message_id, rule.name if rule else None, rule.revision if rule else None
        )

    async def _one_round(self, case: Case) -> bool:
        """One look at the mail as it is; True when there is nothing more to do."""
        message, draft = case.message, case.draft
        if draft is None:
            return True
        match message["state"]:
            case "drafting":
                return await self._take_up(case, draft)
            case "drafted" if draft["n"] != message["revision"]:
                hourly = self._limits.hourly
                adopted = await gather(self._store, message["id"], message["revision"], hourly_limit=hourly)
                if adopted is None:
                    return True
                await self._verdict(self._judged(adopted), message["version"])
                return False  # the newer draft is taken up in the next round
            case "drafted":
                return await self._verdict(self._judged(case), message["version"])
            case "held" | "revising" if draft["n"] > message["revision"]:
                return await self._take_up_again(case, draft)
            case _:
                return True

    async def _take_up(self, case: Case, draft: Row) -> bool:
        """The author's first revision is adopted and judged at once."""
        judged, message = self._judged(case), case.message
        if draft["kind"] == "failed":
            return isinstance(await self._hold("T07", judged, ("draft_failed",)), Moved)
        step = await self._steps.system(
            "T06", message["id"], version=message["version"],
            revision=draft["n"], mode_grant_id=_grant_id(case), rule_category=judged.told["category"],
            rule_revision=judged.told["rule_revision"], data=judged.told,
        )  # fmt: skip
        if isinstance(step, Stayed):
            if step.failed == ("NOT_LOOSER",):
                # the mailbox became stricter since it was asked for: a person gets it, its text is adopted in the next round
                await self._hold("T07", judged, ("tightened",))
                return False
            waits = bool(step.failed and {"NOT_READ_ONLY", "NOT_LOOSER", "BY_AUTHOR"} & set(step.failed))
            if waits:
                log.info("a draft cannot be taken up", message_id=message["id"], failed=step.failed)
            return waits
        await self.supersede(message["thread_id"])
        if case.rules and case.original is not None:
            await self._note(case.original["id"], case.category)
        return await self._verdict(judged, step.seq)

    async def _take_up_again(self, case: Case, draft: Row) -> bool:
        """A rewrite of what was held or sent back: it stays held, whatever policy says of it."""
        judged, message = self._judged(case), case.message
        if draft["kind"] == "failed":
            if message["state"] == "held":
                return True
            return isinstance(await self._hold("T07", judged, ("draft_failed",)), Moved)
        reasons = judged.reasons or ("revised",)
        step = await self._hold("T19", judged, reasons, revision=draft["n"])
        return isinstance(step, Moved) or bool(step.failed and {"BY_AUTHOR", "NEVER_TRIED"} & set(step.failed))

    async def _verdict(self, judged: Judged, version: int) -> bool:
        case, reasons = judged.case, judged.reasons
        match judged.judgement.verdict:
            case Verdict.REFUSE:
                return isinstance(await self._refuse(judged, version), Moved)
            case Verdict.HOLD:
                if _asks_later(case):
                    return True
                return isinstance(await self._hold("T09", judged, reasons, version=version), Moved)
            case Verdict.RELEASE:
                step = await self._release(judged, version)
                if isinstance(step, Moved):
                    return True
                if step.failed and "RELEASABLE" in step.failed and "VERSION" not in step.failed:
                    log.info("released by policy, held by the guard", message_id=case.message["id"])
                    return isinstance(await self._hold("T09", judged, ("gated",), version=version), Moved)
                return False

    async def _release(self, judged: Judged, version: int) -> Moved | Stayed:
        message, draft = judged.case.message, judged.case.draft
        if draft is None:
            raise ValueError("nothing to release")
        now = datetime.now(UTC)
        release = self._grants.release(message, draft, mode=judged.mode, now=now)
        return await self._steps.system(
            "T08", message["id"], version=version, verdict="release",
            data={**said.released(draft, release), **judged.told},
            grant_token=release.grant, due_at=release.due_at, expires_at=release.expires_at, now=now,
        )  # fmt: skip

    async def _hold(
        self, row: str, judged: Judged, reasons: Sequence[str], *, version: int | None = None, **more: Any
    ) -> Moved | Stayed:
        message, draft = judged.case.message, judged.case.draft
        now = datetime.now(UTC)
        expires_at = now + timedelta(seconds=message["expires_after_s"])
        revision, content = message["revision"], message["content"]
        if draft is not None and row in {"T09", "T19"}:
            revision, content = draft["n"], draft["content_sha256"]
        data = said.held(
            revision, content, reasons, expires_at=expires_at, mode=judged.mode, release=message["release"]
        )
        arguments: dict[str, Any] = {
            "version": version or message["version"], "data": {**data, **judged.told}, "reasons": list(reasons),
            "expires_at": expires_at, "now": now, "mode_grant_id": _grant_id(judged.case), **more,
        }  # fmt: skip
        return await self._steps.system(row, message["id"], **arguments)

    async def _refuse(self, judged: Judged, version: int | None = None) -> Moved | Stayed:
        message, reasons = judged.case.message, list(judged.reasons)
        return await self._steps.system(
            "T10", message["id"], version=version, verdict="refuse", data={"reasons": reasons, **judged.told},
            reason=reasons[0], reasons=reasons,
        )  # fmt: skip

    def _judged(self, case: Case) -> Judged:
        facts = facts_of(case, self._limits, renders_alike=renders_alike(case))
        return Judged(case, str(facts.mode), decide(facts), tuple(true_names(facts)))


def _asks_later(case: Case) -> bool:
    """`schedule_first`: a person is asked only when the time has come."""
    send_at = case.message["send_at"]
    return case.message["gate_timing"] == "schedule_first" and send_at is not None and send_at > datetime.now(UTC)


def _grant_id(case: Case) -> str | None:
    grant = case.grant
    return grant.id if grant is not None else None
