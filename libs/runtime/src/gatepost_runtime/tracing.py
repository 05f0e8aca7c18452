"""Correlation: which mail's way a line, an event or a command belongs to, carried from service to service in headers.

`correlation_id` names the whole story (the thread, or the first subject), `causation_id` the event or command that led
here, `traceparent` is W3C trace context. Events are published by the group commit's own task, so what belongs to a mail
in work is remembered by its ids as well as in the context of its handler.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gatepost_contracts.event import Event
from gatepost_runtime.spans import in_trace_of, provider

CORRELATION, CAUSATION, VERSION = "correlation_id", "causation_id", "schema_version"
CARRIED = ("traceparent", CORRELATION)
"""What a dead letter keeps of its event's headers."""
_REMEMBERED = 10_000
_MAX_ID = 200
_propagator = TraceContextTextMapPropagator()


@dataclass(frozen=True)
class Flow:
    """What is handed on from what is handled now."""

    correlation_id: str
    causation_id: str
    carrier: Mapping[str, str]
    ids: tuple[str, ...] = ()


_now: ContextVar[Flow | None] = ContextVar("flow", default=None)


class Flows:
    """The stories in work in this process."""

    def __init__(self, service: str, *, url: str | None = None, ratio: float = 1) -> None:
        self._provider = provider(service, url, ratio)
        self._tracer = self._provider.get_tracer("gatepost")
        self._by_id: OrderedDict[str, Flow] = OrderedDict()

    @contextmanager
    def follow(
        self, name: str, headers: Mapping[str, str] | None, event: Event | None, causation: str
    ) -> Iterator[Flow]:
        """Handle something within its story; spans, log lines and events made inside belong to it."""
        headers = headers or {}
        ids = _ids_of(event)
        correlation = _clean(headers.get(CORRELATION)) or (ids[0] if ids else causation)
        parent = _propagator.extract(headers, context=Context())
        with (
            in_trace_of(ids[0] if ids else causation),
            self._tracer.start_as_current_span(name, context=parent, kind=trace.SpanKind.CONSUMER) as span,
            structlog.contextvars.bound_contextvars(
                correlation_id=correlation, causation_id=causation, trace_id=f"{span.get_span_context().trace_id:032x}"
            ),
        ):
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
            flow = Flow(correlation, causation, carrier, ids)
            self._remember(ids, flow)
            token = _now.set(flow)
            try:
                yield flow
            finally:
                _now.reset(token)

    def headers(self, event: Event) -> dict[str, str]:
        """The transport headers of an event of ours."""
        flow, ids = _now.get(), _ids_of(event)
        if flow is None:
            flow = next((found for i in ids if (found := self._by_id.get(i))), None)
        version = {VERSION: str(event.schema_version)}
        if flow is None:
            return {**self._begin(event, ids), CORRELATION: ids[0], **version}
        is_same_story = not set(ids).isdisjoint(flow.ids)
        carrier = flow.carrier if is_same_story else self._begin(event, ids)
        return {**carrier, CORRELATION: flow.correlation_id, CAUSATION: flow.causation_id, **version}

    @contextmanager
    def span(self, name: str, subject: str) -> Iterator[None]:
        """Work on a thread outside of any handler, as a part of its trace."""
        flow = self._by_id.get(subject)
        context = _propagator.extract(flow.carrier, context=Context()) if flow else Context()
        with (
            in_trace_of(subject),
            self._tracer.start_as_current_span(name, context=context, kind=trace.SpanKind.CLIENT),
        ):
            yield

    def close(self) -> None:
        """Send what waits; blocks for some seconds at most."""
        self._provider.shutdown()

    def _begin(self, event: Event, ids: tuple[str, ...]) -> dict[str, str]:
        """A span at which the event enters its conversation's trace: nothing of that trace is being handled here."""
        carrier: dict[str, str] = {}
        with (
            in_trace_of(ids[0]),
            self._tracer.start_as_current_span(event.type, context=Context(), kind=trace.SpanKind.PRODUCER),
        ):
            _propagator.inject(carrier)
        return carrier

    def command_headers(self, command_id: str) -> dict[str, str]:
        """The transport headers of a command we ask."""
        flow = _now.get()
        if flow is not None:
            return {**flow.carrier, CORRELATION: flow.correlation_id, CAUSATION: flow.causation_id}
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        bound: Mapping[str, Any] = structlog.contextvars.get_contextvars()
        return {**carrier, CORRELATION: _clean(bound.get(CORRELATION)) or command_id}

    def _remember(self, ids: tuple[str, ...], flow: Flow) -> None:
        for i in ids:
            self._by_id[i] = flow
            self._by_id.move_to_end(i)
        while len(self._by_id) > _REMEMBERED:
            self._by_id.popitem(last=False)


def _ids_of(event: Event | None) -> tuple[str, ...]:
    if event is None:
        return ()
    thread = getattr(event, "thread_id", None)
    return (thread, event.subject_id) if thread else (event.subject_id,)


def _clean(value: object) -> str | None:
    """A header from outside, short and printable, or nothing."""
    text = str(value or "")
    return text if 0 < len(text) <= _MAX_ID and text.isascii() and text.isprintable() else None
