"""The sender's steps of the lifecycle table (T24 to T31), each one call; what moved, or which conjunct did not hold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gatepost_contracts.ids import new_id
from gatepost_oversight.credential import Role
from gatepost_sender.outcome import Outcome, Verdict
from gatepost_store import Actor, Moved, Stayed, Store

ITSELF = Actor(role=Role.SYSTEM, principal=None, actor="sender", door="timer")


Clock = Callable[[], datetime]


class Steps:
    """The table's rows under this process's name."""

    def __init__(self, store: Store, *, owner: str, lease_s: float, clock: Clock) -> None:
        self._store, self.owner, self._lease_s, self._clock = store, owner, lease_s, clock

    def lease_end(self, now: datetime) -> datetime:
        """Until when a claim of now holds."""
        return now + timedelta(seconds=self._lease_s)

    async def _step(
        self, row: str, message_id: str, delivery_id: str, data: dict[str, Any] | None = None, **arguments: Any
    ) -> Moved | Stayed:
        return await self._store.step(
            row, message_id, by=ITSELF, delivery_id=delivery_id, data=data or {}, now=self._clock(), **arguments
        )

    async def claim(
        self, message_id: str, delivery_id: str, state: str, *, rfc_message_id: str, now: datetime
    ) -> Moved | Stayed:
        """T24 or T25: it is due, its grant was verified, and live facts allow it."""
        return await self._step(
            "T24" if state == "released" else "T25", message_id, delivery_id, owner=self.owner,
            lease_until=self.lease_end(now), grant_ok=True, rfc_message_id=rfc_message_id,
        )  # fmt: skip

    async def take_over(self, message_id: str, delivery_id: str, now: datetime) -> Moved | Stayed:
        """T26: its sender died before the intent."""
        return await self._step(
            "T26", message_id, delivery_id, owner=self.owner, lease_until=self.lease_end(now)
        )  # fmt: skip

    async def announce(self, message_id: str, delivery_id: str) -> bool:
        """T27: the intent. Only its winner may send the dot."""
        return isinstance(await self._step("T27", message_id, delivery_id, owner=self.owner), Moved)

    async def lose(self, message_id: str, delivery_id: str, release: int) -> Moved | Stayed:
        """T31 by another: the intent was recorded, and its sender is gone."""
        data = {"deliveries": [delivery_id], "release": release, "stage": "dot"}
        return await self._step(
            "T31", message_id, delivery_id, data, owner=self.owner, stage="dot", reply="the sender died"
        )

    async def end(
        self,
        message_id: str,
        delivery_id: str,
        release: int,
        outcome: Outcome,
        *,
        via: str | None = None,
        due_at: datetime | None = None,
        proven_by: str = "reply",
        is_attempt: bool = True,
    ) -> Moved | Stayed:
        """T28 to T31: the outcome, as a fact. A hard bounce suppresses its address in the same step."""
        stage = str(outcome.stage)
        data: dict[str, Any] = {"deliveries": [delivery_id], "release": release}
        told: dict[str, Any] = {"code": outcome.code, "enhanced": outcome.enhanced, "reply": outcome.words or None}
        told |= {"remote_id": outcome.remote_id, "via": via, "stage": stage if is_attempt else None}
        match outcome.verdict:
            case Verdict.DELIVERED:
                data |= {"via": via, "code": outcome.code, "proven_by": proven_by}
            case Verdict.DEFERRED:
                assert due_at is not None  # noqa: S101 (a deferral names its next time)
                data |= {"code": outcome.code, "stage": stage, "next_attempt_at": due_at.isoformat()}
                told |= {"due_at": due_at, "owner": self.owner}
            case Verdict.BOUNCED:
                data |= {"code": outcome.code, "enhanced": outcome.enhanced, "proven_by": proven_by}
                data |= {"bounce_type": "hard" if outcome.is_hard else "soft"}
                told |= {"proven": proven_by == "dsn"}
                told |= {"suppression_id": new_id("sup")} if outcome.is_hard else {}
            case Verdict.UNCERTAIN:
                data |= {"stage": stage}
                told |= {"owner": self.owner}
        return await self._step(outcome.row, message_id, delivery_id, data, **told)
