"""What every event and command has in common."""

from __future__ import annotations

from datetime import datetime

import pytest
from pydantic import ValidationError

from gatepost_contracts.catalogue import CATALOGUE, CONSUMERS, EVENTS_BY_TYPE, SERVICES, STREAMS, publishes
from gatepost_contracts.commands import COMMANDS
from gatepost_contracts.email import EmailHeld
from gatepost_contracts.event import EmailEvent, Event
from gatepost_contracts.records import event_from_record

MESSAGE, MAILBOX, TENANT = (f"{p}_01JD0000000000000000000000" for p in ("msg", "mbx", "ten"))
RECORD = {
    "message": MESSAGE, "seq": 4, "at": "2026-01-02T03:04:05.678901Z", "tenant": TENANT, "mailbox": MAILBOX,
    "thread": "thr_01JD0000000000000000000000", "row": "T09", "emits": ["email.held"], "v": 1,
    "data": {"revision": 2, "content_sha256": "0a" * 32, "reasons": ["gated"], "mode": "gated_send", "later": 1},
}  # fmt: skip


def held() -> EmailHeld:
    event = event_from_record(RECORD, "email.held")
    assert isinstance(event, EmailHeld)
    return event


def test_an_event_follows_from_its_record_alone() -> None:
    """A repeat, a sweep and a reconcile publish the very same bytes under the same id."""
    event = held()

    assert f"{MESSAGE}.4.email.held" == event.event_id
    assert f"email.held.{MAILBOX}" == event.subject
    assert (event.revision, event.reasons, event.row) == (2, ("gated",), "T09")
    assert event.encode() == held().encode()
    assert event == EmailHeld.decode(event.encode())


def test_an_event_cannot_be_changed() -> None:
    """It happened."""
    with pytest.raises(ValidationError):
        held().revision = 3  # type: ignore[misc]


def test_a_naive_time_is_refused() -> None:
    """Nobody knows where it was noon."""
    fields = held().model_dump() | {"occurred_at": datetime(2026, 1, 1, 12)}  # noqa: DTZ001 (the point of it)

    with pytest.raises(ValidationError):
        EmailHeld(**fields)


def test_unknown_fields_are_ignored() -> None:
    """A newer publisher must not break an older consumer."""
    assert held() == EmailHeld(**held().model_dump(), invented="later")


@pytest.mark.parametrize("model", EVENTS_BY_TYPE.values(), ids=EVENTS_BY_TYPE)
def test_every_event_type_is_in_order(model: type[Event]) -> None:
    """Named in the past tense by its class, described, frozen, bodies left out."""
    noun, verb = model.type.split(".")
    assert model.__name__.lower() == (noun + verb).replace("_", "")
    assert model.__doc__
    assert model.model_config["frozen"] and model.model_config["extra"] == "ignore"
    assert not {"text", "html", "subject_line", "from_", "to", "address", "recipient"} & set(model.model_fields)
    if noun == "email" and issubclass(model, EmailEvent):
        assert {"message_id", "thread_id"} <= set(model.model_fields)


def test_the_catalogue_names_services_that_exist() -> None:
    """Owners, consumers and durables say the same."""
    for entry in CATALOGUE:
        assert set(entry.owners) | set(entry.consumers) <= set(SERVICES)
        assert entry.owners
    for service, durables in CONSUMERS.items():
        heard = {t for types in durables.values() for t in types}
        assert heard == {e.model.type for e in CATALOGUE if service in e.consumers}, service
        assert all(name.startswith(f"{service}_") for name in durables)
    assert publishes("drafter") == ("email.drafted",)


def test_every_type_belongs_to_one_stream() -> None:
    """An event outside of the streams' subjects would be published to nobody."""
    roots = {subject.partition(".")[0] for stream in STREAMS if stream.name == "EVENTS" for subject in stream.subjects}

    assert roots == {event_type.partition(".")[0] for event_type in EVENTS_BY_TYPE}


def test_commands_are_asked_on_their_servers_subject() -> None:
    """And each carries who asks, by which door, and an id that makes a repeat harmless."""
    for name, model in COMMANDS.items():
        assert name == f"{model.server}.{model.name}"
        assert {"command_id", "tenant_id", "key_id", "principal_id", "door", "at"} <= set(model.model_fields)
