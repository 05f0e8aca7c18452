"""What the sender counts, for /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_QUEUE_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86_400)


class Counts:
    """Counters of attempts, and of the window in which a crash makes a mail uncertain."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter("gatepost_sender_attempts", "Attempts begun.", ["via"], registry=registry)
        self.outcomes = Counter(
            "gatepost_sender_outcomes",
            "How attempts ended, and at which stage.",
            ["outcome", "stage"],
            registry=registry,
        )
        self.announced = Counter(
            "gatepost_sender_announced", "Intents recorded: each opens the ambiguous window.", registry=registry
        )
        self.window = Gauge(
            "gatepost_sender_window",
            "Mails in the ambiguous window now: intent recorded, outcome not.",
            registry=registry,
        )
        self.again = Counter(
            "gatepost_sender_again",
            "Mails delivered after an attempt whose fate was unknown: each may be a second copy, with the same Message-ID.",
            registry=registry,
        )
        self.takeovers = Counter(
            "gatepost_sender_takeovers", "Deliveries found without their sender.", ["phase"], registry=registry
        )
        self.refused_grants = Counter(
            "gatepost_sender_refused_grants", "Deliveries whose grant does not cover them.", registry=registry
        )
        self.queue_seconds = Histogram(
            "gatepost_sender_queue_seconds", "From due to the attempt.", buckets=_QUEUE_SECONDS, registry=registry
        )
        self.waiting = Gauge(
            "gatepost_sender_waiting",
            "Mailboxes and destinations that their window, rate or warm-up holds back now.",
            ["reason"],
            registry=registry,
        )
        self.uncertain = Gauge(
            "gatepost_sender_uncertain", "Deliveries whose fate a person has to settle.", registry=registry
        )
        self.uncertain_age = Gauge(
            "gatepost_sender_uncertain_age_seconds", "Age of the oldest of them.", registry=registry
        )
        self.running = Gauge("gatepost_sender_running", "Attempts running now.", registry=registry)
        self.queue_age = Gauge(
            "gatepost_sender_queue_age_seconds", "Age of the oldest delivery due.", registry=registry
        )
