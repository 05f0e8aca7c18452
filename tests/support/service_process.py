"""A small service in its own process, for tests of signals and statuses: `python service_process.py NAME LOG SECONDS`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_runtime import On, Service, Wired, serve

NAME, LOG, SECONDS = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])


def note(*words: str) -> None:
    with LOG.open("a") as out:
        out.write(" ".join(words) + "\n")


class Store:
    publisher: Any = None

    async def ready(self) -> None:
        """Always."""

    async def sweep(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        note("store closed")


async def received(event: EmailReceived) -> None:
    note("begun", event.event_id)
    await asyncio.sleep(SECONDS)
    note("done", event.event_id)


async def rejected(event: EmailRejected) -> None:
    """Nothing to do."""


async def wire(service: Service) -> Wired:
    async def loop() -> None:
        try:
            while await service.rest(60):
                pass
        finally:
            note("loop ended")

    return Wired((On(EmailReceived, received, workers=4), On(EmailRejected, rejected)), tasks=(loop,))


async def open_store(settings: Any, name: str) -> Any:
    return Store()


if __name__ == "__main__":
    serve(NAME, wire, open_store=open_store)
