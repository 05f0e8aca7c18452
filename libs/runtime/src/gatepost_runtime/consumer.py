"""A consumer of your own: rows of events and handlers under the services' failure policy, and nothing else of them.

It has no database and no key of ours. Its durables are declared by the operator (`gatepost streams add-consumer`), its
NATS user may read those and bury what it cannot handle, and nothing more. See docs/howto/add-a-consumer.md.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from pydantic import Field, model_validator

from gatepost_contracts.catalogue import SERVICES
from gatepost_runtime.logging import configure
from gatepost_runtime.main import Process
from gatepost_runtime.rows import On, Wired
from gatepost_runtime.service import Service
from gatepost_runtime.settings import RuntimeSettings, read
from gatepost_runtime.streams import EVENTS, MAX_ACK_PENDING

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


class ConsumerSettings(RuntimeSettings):
    """Read from GATEPOST_*, as a service's; only GATEPOST_NATS_URL is needed."""

    database_url: str = Field("postgresql://127.0.0.1/none", description="Not used by consumers.", repr=False)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.nats_url.startswith(("nats://", "tls://")):
            raise ValueError("GATEPOST_NATS_URL must begin with nats://")
        return self


class NoStore:
    """Takes the place of the database that a consumer does not have."""

    publisher: Any = None

    async def ready(self) -> None:
        """Always."""

    async def sweep(self) -> None:
        """There is no outbox."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is held."""


def check_name(name: str) -> str:
    """A name that subjects, durables and packages can carry; raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("a consumer's name is lower-case letters, digits and underscores, and begins with a letter")
    if name in (*SERVICES, "operator"):
        raise ValueError(f"{name} is one of Gatepost's own")
    return name


def process_of(
    name: str, rows: Sequence[On], actor: object | None, settings: ConsumerSettings,
    close: Sequence[Callable[[], Awaitable[Any]]] = (),
) -> Process:  # fmt: skip
    """One run of a consumer."""

    async def wire(_: Service) -> Wired:
        return Wired(handlers=rows, actor=actor, close=close)

    async def no_store(*_: object) -> Any:
        return NoStore()

    return Process(check_name(name), settings, wire, no_store)


def consume(
    name: str, rows: Sequence[On], actor: object | None = None, *, close: Sequence[Callable[[], Awaitable[Any]]] = ()
) -> None:
    """Run until SIGTERM or SIGINT; the main() of a consumer. `close` is awaited at the end."""
    settings = read(ConsumerSettings)
    configure(name, settings.log_level)
    sys.exit(asyncio.run(process_of(name, rows, actor, settings, close).run()))


async def declare(
    nats_url: str, name: str, types: Sequence[str], *, mailbox: str | None = None, from_start: bool = False
) -> list[str]:
    """Make the durables of a consumer, one per event type; needs the operator's user. Returns their names.

    With `mailbox` it sees that mailbox alone. A new durable begins with what comes next, unless `from_start`.
    """
    subjects = {f"{name}_{kind.replace('.', '_')}": f"{kind}.{mailbox or '*'}" for kind in types}
    return await _declare(nats_url, name, subjects, from_start=from_start)


async def declare_reader(nats_url: str, name: str, mailbox: str, *, from_start: bool = False) -> None:
    """Make the one durable, of its own name, from which a plain NATS client reads all mail events of one mailbox."""
    await _declare(nats_url, name, {name: f"email.*.{mailbox}"}, from_start=from_start)


async def _declare(nats_url: str, name: str, subjects: Mapping[str, str], *, from_start: bool) -> list[str]:
    check_name(name)
    client = await nats.connect(nats_url, inbox_prefix="_INBOX_operator", allow_reconnect=False, connect_timeout=5)
    try:
        js = client.jetstream()
        known = {info.name: info.config for info in await js.consumers_info(EVENTS)}
        for durable, subject in subjects.items():
            begin = DeliverPolicy.ALL if from_start else DeliverPolicy.NEW
            config = ConsumerConfig(
                durable_name=durable, description=f"consumer {name}", ack_policy=AckPolicy.EXPLICIT, ack_wait=30, max_deliver=-1,
                max_ack_pending=MAX_ACK_PENDING, filter_subject=subject,
                deliver_policy=known[durable].deliver_policy if durable in known else begin,
            )  # fmt: skip
            await js.add_consumer(EVENTS, config)
        return list(subjects)
    finally:
        await client.close()
