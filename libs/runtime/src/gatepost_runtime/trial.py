"""For the tests of consumers: an example of any event, a consumer running inside a test's loop, and waiting for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import nats

from gatepost_contracts.event import Event
from gatepost_contracts.ids import new_id
from gatepost_runtime.consumer import ConsumerSettings, process_of
from gatepost_runtime.rows import On

E = TypeVar("E", bound=Event)


def example(model: type[E], **fields: Any) -> E:
    """An event of this type with plausible values; each has an id of its own."""
    message = new_id("msg")
    values: dict[str, Any] = {
        "event_id": f"{message}.1.{model.type}", "occurred_at": datetime.now(UTC), "tenant_id": new_id("ten"),
        "mailbox_id": new_id("mbx"), "subject_id": message, "message_id": message, "thread_id": new_id("thr"), "seq": 1,
    }  # fmt: skip
    schema = model.model_json_schema()
    for name in schema.get("required", ()):
        if name not in values:
            values[name] = _plausible(schema["properties"][name], schema.get("$defs", {}))
    return model.model_validate(values | fields)


def _plausible(field: dict[str, Any], definitions: dict[str, Any]) -> Any:
    if "$ref" in field:
        field = definitions[field["$ref"].rpartition("/")[2]]
    if field.get("examples"):
        return field["examples"][0]
    if field.get("enum"):
        return field["enum"][0]
    by_type: dict[str, Any] = {
        "integer": 1, "number": 1, "boolean": False, "array": [], "object": {}, "string": "example",
    }  # fmt: skip
    return datetime.now(UTC) if field.get("format") == "date-time" else by_type[field.get("type", "string")]


async def publish(nats_url: str, *events: Event) -> None:
    """Publish events as their owners do."""
    client = await nats.connect(nats_url, inbox_prefix="_INBOX_operator")
    try:
        for event in events:
            await client.jetstream().publish(event.subject, event.encode(), headers={"Nats-Msg-Id": event.event_id})
    finally:
        await client.close()


@asynccontextmanager
async def running(name: str, rows: Sequence[On], actor: object | None, nats_url: str) -> AsyncIterator[None]:
    """The consumer, reading; stopped as by SIGTERM at the end."""
    settings = ConsumerSettings(env="dev", nats_url=nats_url, health_port=0, first_retry_s=0.05, log_level="error")
    process = process_of(name, rows, actor, settings)
    task = asyncio.create_task(process.run())
    try:
        until = time.monotonic() + 20
        while (why := await process.problem()) is not None:
            if task.done() or time.monotonic() > until:
                raise AssertionError(f"{name} is not ready: {why}")
            await asyncio.sleep(0.02)
        yield
    finally:
        process.leave(0)
        await asyncio.wait_for(task, 30)


async def eventually(look: Callable[[], Any], what: str, within_s: float = 20) -> Any:
    """The first truthy answer; fails by naming what never came."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if found := look():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come within {within_s} s")
