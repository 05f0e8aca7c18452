"""One attempt of one delivery that this process has claimed: sign, hand over, and record what became of it.

The outcome is a fact: it is written however long the database is away, as long as this process lives. A process that
dies leaves a claim whose lease ends: before the intent anybody takes it over, after it the mail becomes uncertain.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

from gatepost_mail.content import Content
from gatepost_runtime import get_logger
from gatepost_sender.counts import Counts
from gatepost_sender.driver import Announce, DotWritten, Ended, NotAnnounced, Stage, StageFailed
from gatepost_sender.due import Due
from gatepost_sender.envelope import Envelope, unfit
from gatepost_sender.lanes import Lanes
from gatepost_sender.outcome import Outcome, Verdict, judge, next_delay_s
from gatepost_sender.route import Router, TestRouter
from gatepost_sender.settings import SenderSettings
from gatepost_sender.signing import Signer
from gatepost_sender.steps import Clock, Steps
from gatepost_sender.wire import Reply
from gatepost_store import Moved, StepRefused

log = get_logger()
Span = Callable[[str, str], AbstractContextManager[Any]]
_GREATEST_PAUSE_S = 5.0
_GREY_TRIES = 3


class Courier:
    """Carries claimed deliveries to the next hop."""

    def __init__(
        self,
        steps: Steps,
        signer: Signer,
        router: Router,
        trial: TestRouter,
        lanes: Lanes,
        settings: SenderSettings,
        counts: Counts,
        clock: Clock,
        *,
        span: Span | None = None,
    ) -> None:
        self._steps, self._signer, self._router, self._trial, self._lanes = steps, signer, router, trial, lanes
        self._settings, self._counts, self._clock = settings, counts, clock
        self._span = span or (lambda *_: nullcontext())
        self.recording: set[str] = set()  # deliveries that ended, and whose outcome is being written: not to be stopped

    async def carry(self, due: Due, content: Content) -> Outcome:
        """Attempt it and record the outcome."""
        via: str | None = None
        is_announced = is_stopped = False

        async def announce(_: tuple[str, ...]) -> bool:
            nonlocal is_announced
            is_announced = await self._steps.announce(due.message_id, due.id)
            if is_announced:
                self._counts.announced.inc()
                self._counts.window.inc()
            return is_announced

        try:
            try:
                route = self._trial.route if due.is_test else await self._router.route(due.domain)
                via = route.via
                self._counts.attempts.labels(via).inc()
                raw = await self._signer.sign(due, content, self._clock())
                sender = self._signer.return_path(due)
                envelope = Envelope(sender, (due.recipient,), raw, due.id, self._settings.dsn_notify)
                if (reason := unfit(envelope)) is not None:
                    ended = Ended(Stage.QUEUE, Reply(554, f"5.6.0 {reason}"))
                elif due.is_test and not route.hosts:
                    ended = await _keep(due, announce)
                else:
                    with self._span("smtp", due.thread_id):
                        ended = (await self._lanes.send(route, envelope, announce))[due.recipient]
            except StageFailed as failed:
                ended = failed.ended
            except NotAnnounced:
                ended = Ended(Stage.DATA, None, "the intent was not recorded")  # T29 moves it only if it is still ours
            except DotWritten:
                ended, is_stopped = (
                    Ended(Stage.DOT, None, "stopped while the answer was awaited", is_dot_written=True),
                    True,
                )
            except asyncio.CancelledError:
                ended, is_stopped = Ended(Stage.QUEUE, None, "stopped before the final dot"), True
            except Exception:
                log.exception("an attempt failed within the sender", delivery_id=due.id)
                ended = Ended(Stage.QUEUE, None, "an error of our own")
            outcome = judge(ended)
            self.recording.add(due.id)
            await self._record(due, outcome, via, is_stopped=is_stopped)
        finally:
            self.recording.discard(due.id)
            if is_announced:
                self._counts.window.dec()
        return outcome

    async def _record(self, due: Due, outcome: Outcome, via: str | None, *, is_stopped: bool) -> None:
        """Write the outcome, again and again until it stands."""
        proven_by, due_at = "reply", None
        if outcome.verdict is Verdict.DEFERRED:
            now = self._clock()
            tries = due.attempts + 1
            luck = random.random()  # noqa: S311 (spreads retries, guards nothing)
            delays_s = self._settings.retry_delays_s
            if outcome.is_greylisted and tries <= _GREY_TRIES:  # asked to come back: not trouble, so not ever later
                tries, delays_s = 1, (self._settings.greylist_delay_s,)
            delay_s = 0.0 if is_stopped else next_delay_s(tries, delays_s, luck)
            due_at = now + timedelta(seconds=delay_s)
            if due_at > due.gives_up_at:
                proven_by, due_at = "queue_life", None
                outcome = Outcome(Verdict.BOUNCED, outcome.stage, outcome.code, outcome.enhanced, outcome.words)
        pause_s = 0.1
        while True:
            try:
                step = await self._steps.end(
                    due.message_id, due.id, due.of_release, outcome, via=via, due_at=due_at, proven_by=proven_by
                )
                break
            except StepRefused:
                log.exception("an outcome was refused; its lease will end", delivery_id=due.id, outcome=outcome.verdict)
                return
            except Exception:
                log.exception("an outcome could not be written yet", delivery_id=due.id, outcome=outcome.verdict)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _GREATEST_PAUSE_S)
        self._counts.outcomes.labels(outcome.verdict, outcome.stage).inc()
        if isinstance(step, Moved):
            if due.is_again and outcome.verdict is Verdict.DELIVERED:
                self._counts.again.inc()
            log.info(
                "an attempt ended", message_id=due.message_id, delivery_id=due.id, outcome=outcome.verdict,
                stage=outcome.stage, code=outcome.code, via=via,
            )  # fmt: skip
        else:
            log.error(
                "an outcome did not move its delivery", message_id=due.message_id, delivery_id=due.id,
                outcome=outcome.verdict, failed=step.failed,
            )  # fmt: skip


async def _keep(due: Due, announce: Announce) -> Ended:
    """Mail of a test key where there is no catcher: the whole way, and then nothing leaves."""
    if not await announce((due.recipient,)):
        raise NotAnnounced
    return Ended(Stage.DOT, Reply(250, "2.0.0 test mode: kept here, nothing was sent"), is_dot_written=True)
