"""Whether what was loosened, a category or a mailbox, is still good enough: the lasting sample's reviews, tested after each.

Page's test over the reviews since the grant; at its limit it is gated again at once, by a step of ours that anyone could
have made and only an operator undoes. What was released under it comes back through the event of that step.
"""

from __future__ import annotations

from typing import Any

import structlog

from gatepost_gatekeeper.steps import Moved, Steps
from gatepost_oversight.evidence import Quality as Limits
from gatepost_oversight.evidence import is_clean, page_test
from gatepost_oversight.mode import Mode

log = structlog.get_logger()


class Quality:
    """Watches what was loosened."""

    def __init__(self, steps: Steps, limits: Limits | None = None) -> None:
        self._steps, self._store, self._limits = steps, steps.store, limits or Limits()

    async def decided(self, message: Any) -> None:
        """A person decided on a mail of the sample."""
        if "sampled" not in message["reasons"]:
            return
        name = message["rule_category"] if message["mode_grant_id"] else None
        for grant in await self._store.fetch("loosened", message["mailbox_id"], name):
            await self.test(grant)

    async def sweep(self) -> None:
        """All that was loosened: what a crash kept from being tested."""
        for grant in await self._store.fetch("loosened", None, None):
            await self.test(grant)

    async def test(self, grant: Any) -> bool:
        """Test one; True when it was demoted."""
        rows = await self._store.fetch("sample_reviews", grant["mailbox_id"], grant["name"], grant["granted_at"])
        reviews = [is_clean(row["approved"], row["rejected"], row["edit_words"]) for row in rows]
        total, is_reached = page_test(reviews, self._limits)
        if not is_reached:
            return False
        mode, is_category = Mode.GATED_SEND, grant["name"] is not None
        data = {
            "mode": mode, "previous": grant["mode"], "of": "category" if is_category else "mailbox",
            "category": grant["name"], "grant_id": grant["id"] if is_category else None, "demoted": True,
            "why": f"{reviews.count(False)} of {len(reviews)} sampled drafts were not approved as they stood",
        }  # fmt: skip
        what: dict[str, Any] = {"mode": mode, "command_id": f"{grant['id']}.{grant['revision']}.demote"}
        if is_category:
            what |= {"mode_grant_id": grant["id"], "kind": "category", "name": grant["name"]}
        step = await self._steps.system("W9g" if is_category else "W9", grant["mailbox_id"], data=data, **what)
        log.warning(
            "it was demoted", mailbox_id=grant["mailbox_id"], of=data["of"], reviews=len(reviews), sum=round(total, 2)
        )
        return isinstance(step, Moved)
