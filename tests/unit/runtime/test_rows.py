"""Rows become subscribers that cannot lose an event, for every service as it is wired."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from faststream.middlewares import AckPolicy
from nats.js.api import AckPolicy as ServerAckPolicy

from gatepost_contracts.catalogue import CONSUMERS
from gatepost_contracts.email import EmailReceived, EmailRejected
from gatepost_runtime.broker import Broker
from gatepost_runtime.errors import Fatal
from gatepost_runtime.metrics import Metrics
from gatepost_runtime.policy import Rules
from gatepost_runtime.rows import On
from gatepost_runtime.settings import StreamSettings
from gatepost_runtime.streams import durables, filters_of, streams
from gatepost_runtime.subscriber import Pulled
from gatepost_runtime.tracing import Flows
from gatepost_runtime.users import ASKERS, nats_users, rights_of, serves


async def ignore(event: Any) -> None:
    """A handler that has nothing to do."""


def broker(service: str) -> Broker:
    rules = Rules(service, {}, Flows(service), Metrics(service), first_retry_s=1, max_retry_s=60)
    return Broker(service, "nats://127.0.0.1:1", rules, graceful_timeout_s=1, fatal=lambda reason: None)


class Anybody:
    """An actor of which only the names matter."""

    def __getattr__(self, name: str) -> Any:
        return ignore


def rows_of(service: str) -> tuple[On, ...]:
    """The rows as the service's `handlers` module has them."""
    module = importlib.import_module(f"gatepost_{service}.handlers")
    return tuple(module.HANDLERS) if hasattr(module, "HANDLERS") else tuple(module.handlers(workers=8))


@pytest.mark.parametrize("service", CONSUMERS)
def test_no_subscriber_can_lose_an_event(service: str) -> None:
    """Another ack policy, a batch, or no worker limit would; so each subscriber of each service is looked at."""
    made = broker(service)
    made.wire(rows_of(service), Anybody())

    assert set(CONSUMERS[service]) == {sub.durable for sub in made.pulled}
    assert len(made.subscribers) == len(made.pulled)
    for sub in made.pulled:
        assert isinstance(sub, Pulled)
        assert AckPolicy.NACK_ON_ERROR is sub.ack_policy
        assert sub.max_workers >= 2
        assert sub._no_reply
        assert f"_INBOX_{service}.".encode() == sub.extra_options["inbox_prefix"]
        assert sub.stream.name == "EVENTS" and not sub.stream.declare


def test_rows_that_are_not_in_the_catalogue_are_refused() -> None:
    """Streams and rights are made from the catalogue; a row beside it would read nothing."""
    good = (On(EmailReceived, ignore), On(EmailRejected, ignore))
    for rows in (good[:1], (*good, On(EmailReceived, ignore)), (*good, On(EmailReceived, ignore, name="twice"))):
        with pytest.raises(Fatal):
            broker("drafter").wire(rows, None)

    broker("drafter").wire(good, None)


def test_a_row_of_several_types_needs_a_name() -> None:
    """Its durable is named after it."""
    with pytest.raises(ValueError, match="name"):
        On((EmailReceived, EmailRejected), ignore)

    assert On((EmailReceived, EmailRejected), ignore, name="both").durable("x") == "x_both"
    assert On(EmailReceived, ignore).durable("x") == "x_email_received"


def test_retries_grow_and_have_a_limit() -> None:
    """A plain nak would be a hot loop."""
    rules = broker("drafter").rules
    delays = [rules.delay_s(attempt) for attempt in (1, 2, 3, 4, 50)]

    for expected, delay in zip((1, 2, 4, 8, 60), delays, strict=True):
        assert 0.79 * expected <= delay <= 1.21 * expected


def test_durables_are_declared_explicit_and_endless() -> None:
    """Our own limit decides; at the server's, an event just stops."""
    for config in durables(StreamSettings()):
        assert config.ack_policy == ServerAckPolicy.EXPLICIT
        assert config.max_deliver == -1
        assert (config.filter_subject is None) != (config.filter_subjects is None)
    assert filters_of(CONSUMERS["notifier"]["notifier_all"]) == ["email.>", "mailbox.>", "endpoint.>"]
    assert {"EVENTS", "DEAD"} == {config.name for config in streams(StreamSettings())}


def test_no_service_may_create_or_read_past_its_own() -> None:
    """Allow lists only, each durable by its name; NATS has no partial wildcards."""
    for service in ("ingest", "drafter", "gatekeeper", "sender", "notifier", "api"):
        rights = rights_of(service)
        assert not [right for right in rights.publish if "CREATE" in right or right in {">", "$JS.>", "$JS.API.>"}]
        heard = {"email", "mailbox", "endpoint"} if service == "api" else set()
        assert {right.split(".")[0] for right in rights.subscribe} <= {f"_INBOX_{service}", "cmd"} | heard
        for durable in re.findall(r"EVENTS\.(\w+)", " ".join(rights.publish)):
            assert durable in CONSUMERS[service]
    assert serves("gatekeeper") == "cmd.gatekeeper.*"
    assert serves("sender") == "cmd.sender.domain_key"
    assert serves("notifier") == "cmd.notifier.*"
    assert dict(ASKERS) == {
        "gatekeeper": ("api", "gatekeeper", "operator"), "notifier": ("api", "operator"), "sender": ("api", "operator"),
    }  # fmt: skip


def test_the_users_block_quotes_what_it_is_given() -> None:
    """A password cannot end its string."""
    text = nats_users({"ingest": 'a"}] evil', "operator": "$2a$11$abc"})

    assert r'"a\"}] evil"' in text
    assert '{ user: "operator", password: "$2a$11$abc" }' in text
    with pytest.raises(ValueError, match="stranger"):
        nats_users({"stranger": "x"})
