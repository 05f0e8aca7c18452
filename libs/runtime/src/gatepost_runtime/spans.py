"""Where spans go: nowhere, or to a collector by OTLP over HTTP. The exporter is imported only when there is one.

A conversation has one trace whose id follows from its thread's, so that a mail which waits a week for a person, or is
handled by five processes that were all restarted meanwhile, is still one trace from SMTP to the webhook's reply.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

_wanted: ContextVar[int | None] = ContextVar("wanted_trace", default=None)


class _Ids(RandomIdGenerator):
    """Random, but for a root span whose trace was named."""

    def generate_trace_id(self) -> int:
        return _wanted.get() or super().generate_trace_id()


def trace_id_of(subject: str) -> int:
    """The trace of a thread, or of whatever a story is about."""
    return int.from_bytes(hashlib.sha256(b"gatepost trace\n" + subject.encode()).digest()[:16]) or 1


@contextmanager
def in_trace_of(subject: str) -> Iterator[None]:
    """A root span started in here belongs to the trace of this thread."""
    token = _wanted.set(trace_id_of(subject))
    try:
        yield
    finally:
        _wanted.reset(token)


def provider(service: str, url: str | None, ratio: float) -> TracerProvider:
    """The tracer provider of one service; `ratio` of the traces are kept, the same ones in every service."""
    made = TracerProvider(
        resource=Resource({"service.name": f"gatepost-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        id_generator=_Ids(),
        shutdown_on_exit=False,
    )
    if url is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    return made
