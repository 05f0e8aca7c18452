"""How an event follows from the audit record: by this one function, for the first publish and for every repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost_contracts.catalogue import EVENTS_BY_TYPE
from gatepost_contracts.event import EmailEvent, Event


def event_from_record(record: Mapping[str, Any], event_type: str) -> Event:
    """The event of this type that the record names. Common fields are the record's, the rest stand in its `data`."""
    model = EVENTS_BY_TYPE[event_type]
    fields: dict[str, Any] = {
        **record["data"],
        "event_id": f"{record['message']}.{record['seq']}.{event_type}",
        "occurred_at": record["at"],
        "tenant_id": record["tenant"],
        "mailbox_id": record["mailbox"],
        "subject_id": record["message"],
        "seq": record["seq"],
    }
    if issubclass(model, EmailEvent):
        fields |= {"message_id": record["message"], "thread_id": record["thread"], "row": record["row"]}
    return model.model_validate(fields)
