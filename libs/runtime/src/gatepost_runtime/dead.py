"""What lies in DEAD: events that could not be handled, kept with the reason until a person says what becomes of them.

A dead letter is read by its number in the stream. To redrive it is to have its event published again by its owner, from
the audit record; every consumer bears an event that it has seen before. What no record makes can only be edited and
published by the operator's own user.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

DEAD = "DEAD"
BROKER_FORGETS_S = 125
"""Behind this the broker takes an event again whose id it has seen."""


@dataclass(frozen=True)
class DeadLetter:
    """One of them. `body` are the bytes as they came."""

    seq: int
    at: str
    service: str
    subject: str
    durable: str
    handler: str
    reason: str
    words: str
    attempts: int
    sequence: int
    correlation_id: str
    traceparent: str
    body: bytes

    @property
    def event(self) -> dict[str, Any] | None:
        """The body as an object, if it is one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @property
    def event_id(self) -> str | None:
        """The event's own id, if the body says so."""
        found = (self.event or {}).get("event_id")
        return found if isinstance(found, str) else None

    @property
    def tenant_id(self) -> str | None:
        """Whose it is, if the body says so."""
        found = (self.event or {}).get("tenant_id")
        return found if isinstance(found, str) else None

    def view(self) -> dict[str, Any]:
        """As callers read it; a body that is no object is shown as text."""
        fields = {name: value for name, value in asdict(self).items() if name != "body"}
        event = self.event
        shown = {"event": event} if event is not None else {"body": self.body.decode("utf-8", "replace")}
        return fields | {"event_id": self.event_id} | shown


class DeadLetters:
    """Reads and drops; needs INFO, MSG.GET and MSG.DELETE of the stream and nothing else."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def count(self) -> int:
        """How many there are."""
        return int((await self._js.stream_info(DEAD)).state.messages)

    async def all(self, *, since: int = 0, most: int = 1000) -> AsyncIterator[DeadLetter]:
        """The oldest first, from this number on."""
        seq = max(1, since)
        for _ in range(most):
            try:
                message = await self._js.get_msg(DEAD, seq=seq, subject=">", next=True)
            except NotFoundError:
                return
            yield _read(message)
            seq = int(message.seq or seq) + 1

    async def get(self, seq: int) -> DeadLetter | None:
        """The one of this number."""
        try:
            return _read(await self._js.get_msg(DEAD, seq=seq))
        except NotFoundError:
            return None

    async def drop(self, seq: int) -> bool:
        """Forget it; False when it is not there."""
        try:
            return bool(await self._js.delete_msg(DEAD, seq))
        except NotFoundError:
            return False


def _read(message: RawStreamMsg) -> DeadLetter:
    headers = message.headers or {}
    service, _, subject = str(message.subject or "").removeprefix("dead.").partition(".")
    at = message.time if isinstance(message.time, datetime) else None
    return DeadLetter(
        seq=int(message.seq or 0),
        at=at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else str(message.time or ""),
        service=service, subject=headers.get("subject", subject), durable=headers.get("durable", ""),
        handler=headers.get("handler", ""), reason=headers.get("reason", ""), words=headers.get("words", ""),
        attempts=_number(headers.get("attempts")), sequence=_number(headers.get("sequence")),
        correlation_id=headers.get("correlation_id", ""), traceparent=headers.get("traceparent", ""),
        body=message.data or b"",
    )  # fmt: skip


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
