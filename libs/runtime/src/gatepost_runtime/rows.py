"""What a service hands to the runtime: rows of events and handlers, commands it answers, loops it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatepost_contracts.catalogue import CONSUMERS, SERVICES
from gatepost_contracts.commands import Command, CommandReply
from gatepost_contracts.event import Event
from gatepost_runtime.errors import Fatal

Handler = Callable[..., Awaitable[Any]]
Answer = Callable[[Any], Awaitable[CommandReply]]
Loop = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, init=False)
class On:
    """When this happens, do that. `handler` is a function of the event, or a method of the service's actor.

    `makes` names the rows of the lifecycle that it may run, where others of its service follow the same events; a replay
    then knows which of the old records were its doing. `-`: none, it only wakes a loop.
    """

    events: tuple[type[Event], ...]
    handler: Handler
    workers: int
    attempts: int
    ack_wait_s: float
    name: str | None
    makes: tuple[str, ...]

    def __init__(
        self,
        event: type[Event] | Sequence[type[Event]],
        handler: Handler,
        *,
        workers: int = 8,
        attempts: int = 8,
        ack_wait_s: float = 30,
        name: str | None = None,
        makes: Sequence[str] = (),
    ) -> None:
        events = (event,) if isinstance(event, type) else tuple(event)
        if len(events) > 1 and name is None:
            raise ValueError("a row of several event types needs a name for its durable")
        put = object.__setattr__
        put(self, "events", events)
        put(self, "handler", handler)
        put(self, "workers", max(2, workers))
        put(self, "attempts", attempts)
        put(self, "ack_wait_s", ack_wait_s)
        put(self, "name", name)
        put(self, "makes", tuple(makes))

    @property
    def types(self) -> tuple[str, ...]:
        """The event types of this row."""
        return tuple(event.type for event in self.events)

    def durable(self, service: str) -> str:
        """`<service>_<event>` with underscores, or `<service>_<name>`."""
        return f"{service}_{self.name or self.types[0].replace('.', '_')}"

    def bound(self, actor: object | None) -> Handler:
        """What is called with the event."""
        if actor is None:
            return self.handler
        method: Handler = getattr(actor, self.handler.__name__)
        return method

    def decode(self, subject: str, body: bytes) -> Event:
        """The event of this subject; a ValidationError or KeyError is hopeless."""
        event_type = subject.rsplit(".", 1)[0]
        for event in self.events:
            if event.type == event_type:
                return event.decode(body)
        raise KeyError(event_type)


@dataclass(frozen=True)
class Wired:
    """A service, put together by its `app.py`."""

    handlers: Sequence[On] = ()
    actor: object | None = None
    commands: Mapping[type[Command], Answer] = field(default_factory=dict)
    tasks: Sequence[Loop] = ()
    http: Any = None  # an ASGI application
    http_bind: tuple[str, int] | None = None
    close: Sequence[Callable[[], Awaitable[Any]]] = ()


def check_rows(service: str, rows: Sequence[On]) -> None:
    """The rows and the catalogue say the same; else streams and rights would be made for something else."""
    declared = CONSUMERS.get(service, {})
    wired = {row.durable(service): row.types for row in rows}
    if len(wired) < len(rows):
        raise Fatal(f"{service}: two rows share one durable")
    if service not in SERVICES:
        return  # a consumer of somebody's own: the operator declared its durables
    for durable, types in wired.items():
        if set(declared.get(durable, ())) != set(types):
            raise Fatal(f"{service}: the row {durable} does not read what the catalogue says it reads")
    if missing := sorted(set(declared) - set(wired)):
        raise Fatal(f"{service}: nothing reads {', '.join(missing)}")
