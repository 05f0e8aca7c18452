"""What a proven delivery report does to the delivery it names.

A report that nothing proves moves nothing: anybody could suppress anybody. A hard bounce suppresses the address in
the same step; a late one turns what was delivered into bounced (T30).
"""

from __future__ import annotations

from gatepost_contracts.email import EmailReported
from gatepost_runtime import get_logger
from gatepost_sender.driver import Stage
from gatepost_sender.outcome import Outcome, Verdict, is_status_of_address
from gatepost_sender.steps import Steps
from gatepost_store import Moved, Store

log = get_logger()


class Reports:
    """Applies delivery reports."""

    def __init__(self, store: Store, steps: Steps) -> None:
        self._store, self._steps = store, steps

    async def apply(self, event: EmailReported) -> None:
        """A proven positive or negative report moves its delivery; anything else is left to its readers."""
        if event.kind != "dsn" or not event.proven or event.about_delivery_id is None or event.about_message_id is None:
            return
        verdict = {"failed": Verdict.BOUNCED, "delivered": Verdict.DELIVERED}.get(event.action)
        if verdict is None:
            return
        row = await self._store.fetchrow("reported_delivery", event.about_delivery_id, event.about_message_id)
        if row is None:
            return
        if verdict is Verdict.DELIVERED and row["state"] != "uncertain":
            return  # it says no more than we know; a later report of failure still counts
        is_hard = verdict is Verdict.BOUNCED and (
            event.severity == "hard" if event.severity != "none" else is_status_of_address(event.status_code)
        )
        outcome = Outcome(verdict, Stage.DOT, row["code"], event.status_code, is_hard=is_hard)
        step = await self._steps.end(
            row["message_id"], row["id"], row["of_release"], outcome, via=row["via"], proven_by="dsn", is_attempt=False
        )
        if isinstance(step, Moved):
            log.info("a delivery report was applied", delivery_id=row["id"], outcome=verdict)
