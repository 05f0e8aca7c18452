"""Which events the gatekeeper looks at, and what for."""

from __future__ import annotations

from gatepost_contracts.email import EmailDrafted, EmailReceived
from gatepost_gatekeeper.desk import WORLD, Desk
from gatepost_runtime import On


def handlers(workers: int) -> tuple[On, ...]:
    """The rows."""
    return (
        On(EmailDrafted, Desk.review, workers=workers),  # a draft exists: must a person see it?
        On(EmailReceived, Desk.customer_wrote_again, workers=workers, makes=("T22",)),  # an older draft may have to end
        On(WORLD, Desk.world_changed, workers=8, name="world"),  # what was let go may not leave any more
    )
