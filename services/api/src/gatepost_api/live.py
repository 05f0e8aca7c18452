"""What just happened, told to whoever waits for it: one subscription for the whole process, no polling.

It only wakes; what happened is then read from the store. So a lost message costs a moment and never an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gatepost_runtime.logging import get_logger

log = get_logger()
SUBJECTS = ("email.*.*", "mailbox.*.*", "endpoint.*.*")
_LOOK_S = 1.0


@dataclass(eq=False)
class Waiter:
    """Somebody who wants to be woken: by these event types (none: all) of these mailboxes (None: all)."""

    types: frozenset[str]
    mailboxes: frozenset[str] | None
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, seconds: float) -> bool:
        """True when something happened meanwhile."""
        try:
            await asyncio.wait_for(self.happened.wait(), seconds)
        except TimeoutError:
            return False
        self.happened.clear()
        return True


class Live:
    """Wakes waiters. `run` keeps the subscription on whichever client is connected."""

    def __init__(self, client: Callable[[], Any], stopping: asyncio.Event) -> None:
        self._client, self.stopping = client, stopping
        self._waiters: set[Waiter] = set()

    @contextmanager
    def waiting(self, types: frozenset[str], mailboxes: list[str] | None) -> Iterator[Waiter]:
        """A waiter for as long as the block runs."""
        waiter = Waiter(types, None if mailboxes is None else frozenset(mailboxes))
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    def tell(self, subject: str) -> None:
        """An event of this subject was published."""
        event_type, _, mailbox = subject.rpartition(".")
        for waiter in self._waiters:
            if (not waiter.types or event_type in waiter.types) and (
                waiter.mailboxes is None or mailbox in waiter.mailboxes
            ):
                waiter.happened.set()

    async def run(self) -> None:
        """Until stopping: subscribed to what is published, anew with each new connection."""
        held: Any = None
        while not self.stopping.is_set():
            client = self._client()
            if client is not None and client is not held and client.is_connected:
                for subject in SUBJECTS:
                    await client.subscribe(subject, cb=self._heard)
                held = client
                log.info("listening to events")
            try:
                await asyncio.wait_for(self.stopping.wait(), _LOOK_S)
            except TimeoutError:
                continue
        for waiter in self._waiters:
            waiter.happened.set()

    async def _heard(self, message: Any) -> None:
        self.tell(message.subject)
