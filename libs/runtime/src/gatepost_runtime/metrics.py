"""What a service counts, for /metrics. One registry a process, passed along, never the library's global one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The counters of the runtime itself; services add their own to `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        Gauge("gatepost_service", "Which service this is.", ["service"], registry=registry).labels(service).set(1)
        self.events = Counter(
            "gatepost_events_handled", "Events by what became of them.", ["durable", "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "gatepost_event_seconds", "Time in a handler.", ["durable"], buckets=_SECONDS, registry=registry
        )
        self.running = Gauge("gatepost_events_running", "Events in a handler now.", ["durable"], registry=registry)
        self.dead = Counter(
            "gatepost_dead_letters", "Events set aside for a person.", ["durable", "reason"], registry=registry
        )
        self.published = Counter(
            "gatepost_events_published", "Events handed to the broker.", ["outcome"], registry=registry
        )
        self.commands = Counter(
            "gatepost_commands", "Commands answered, by code; refused ones came from nobody who may ask.",
            ["command", "code"], registry=registry,
        )  # fmt: skip
        self.task_failures = Counter(
            "gatepost_task_failures", "Loops that failed and were begun again.", ["task"], registry=registry
        )
