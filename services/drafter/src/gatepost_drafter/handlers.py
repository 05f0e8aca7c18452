"""What the drafter does when something happens."""

from __future__ import annotations

from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_drafter.desk import Desk
from gatepost_runtime import On

HANDLERS = (
    On(EmailReceived, Desk.received, workers=16, makes=("T05",)),   # a customer wrote: answer from the whole thread
    On(EmailRejected, Desk.rejected, workers=16, makes=("R1",)),   # a reviewer sent our draft back: write the next one
)  # fmt: skip
