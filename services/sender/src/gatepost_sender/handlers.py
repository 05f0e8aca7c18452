"""What the sender listens to: a table of contents."""

from __future__ import annotations

from gatepost_contracts.email import EmailReleased, EmailReported
from gatepost_runtime import On
from gatepost_sender.queue import Queue
from gatepost_sender.reports import Reports


class Desk:
    """Receives the events."""

    def __init__(self, queue: Queue, reports: Reports) -> None:
        self._queue, self._reports = queue, reports

    async def released(self, event: EmailReleased) -> None:
        """Look at the queue now; the table says what is due, the event only wakes."""
        self._queue.wake(event.deliveries)

    async def reported(self, event: EmailReported) -> None:
        """A report may say what became of a mail."""
        await self._reports.apply(event)


HANDLERS = (
    On(EmailReleased, Desk.released, workers=64, makes=("-",)),  # something may leave: look at the queue early
    On(EmailReported, Desk.reported, workers=16),  # a report may prove a bounce, or an arrival
)
