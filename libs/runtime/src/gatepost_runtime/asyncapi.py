"""What a service reads, publishes and answers, as an AsyncAPI 3 document made from the rows it really runs with.

One channel per event type, an operation for each thing a service does with it. FastStream's own generator knows no row of
several types: it would show the notifier as a reader of one base class.
Each running service shows its document at `/asyncapi.json` of the health port; `merged` makes one of all.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gatepost_contracts.catalogue import EVENTS_BY_TYPE, publishes
from gatepost_contracts.commands import COMMANDS, Command, CommandReply
from gatepost_runtime.rows import On
from gatepost_runtime.users import ASKS

Document = dict[str, Any]
_MAILBOX = {
    "mailbox_id": {"description": "The mailbox it happened in.", "examples": ["mbx_01JD0000000000000000000000"]}
}
_SERVER = {"nats": {"host": "gatepost", "protocol": "nats", "description": "The installation's NATS, JetStream on."}}


def document(service: str, rows: Sequence[On]) -> Document:
    """The document of one service."""
    made = _empty(f"Gatepost: {service}", f"What {service} reads, publishes and answers.")
    for event_type in publishes(service):
        operation = _event(made, event_type, "send", f"{service} publishes {event_type}")
        made["operations"][f"{service}.publishes.{event_type}"] = operation
    for row in rows:
        durable = row.durable(service)
        told = inspect.getdoc(row.handler) or ""
        for event_type in row.types:
            operation = _event(made, event_type, "receive", f"{service} reads {event_type}")
            operation |= {"description": told, "x-durable": durable, "x-attempts": row.attempts}
            made["operations"][f"{durable}.reads.{event_type}"] = operation
    for name, model in COMMANDS.items():
        subject = f"cmd.{name}"
        if model.server == service:
            made["operations"][f"{service}.answers.{subject}"] = _command(made, subject, model, "receive")
        if {subject, f"{subject.rpartition('.')[0]}.*"} & set(ASKS.get(service, ())):
            made["operations"][f"{service}.asks.{subject}"] = _command(made, subject, model, "send")
    return made


def merged(documents: Sequence[Mapping[str, Any]]) -> Document:
    """One document of all services."""
    whole = _empty(
        "Gatepost", "Events on NATS JetStream, one subject per type and mailbox, and the commands behind the doors."
    )
    for one in documents:
        whole["channels"] |= one["channels"]
        whole["operations"] |= one["operations"]
        for kind in ("messages", "schemas"):
            whole["components"][kind] |= one["components"][kind]
    ordered: Document = _sorted(whole)
    return ordered


def _empty(title: str, description: str) -> Document:
    return {
        "asyncapi": "3.0.0", "defaultContentType": "application/json",
        "info": {"title": title, "version": "1", "license": {"name": "Apache-2.0"}, "description": description},
        "servers": _SERVER, "channels": {}, "operations": {}, "components": {"messages": {}, "schemas": {}},
    }  # fmt: skip


def _event(made: Document, event_type: str, action: str, summary: str) -> Document:
    model = EVENTS_BY_TYPE[event_type]
    _message(made, event_type, model.__name__, model.model_json_schema())
    made["components"]["messages"][event_type]["headers"] = {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("Nats-Msg-Id", "correlation_id", "causation_id", "traceparent")
        },
    }
    made["channels"][event_type] = {
        "address": f"{event_type}.{{mailbox_id}}", "description": inspect.getdoc(model) or "", "parameters": _MAILBOX,
        "messages": {event_type: {"$ref": f"#/components/messages/{event_type}"}},
    }  # fmt: skip
    return {"action": action, "summary": summary, "channel": {"$ref": f"#/channels/{event_type}"}}


def _command(made: Document, subject: str, model: type[Command], action: str) -> Document:
    _message(made, subject, f"{model.__name__}Command", model.model_json_schema())
    _message(made, "cmd.reply", CommandReply.__name__, CommandReply.model_json_schema())
    for name, address in ((subject, subject), ("cmd.reply", None)):
        made["channels"][name] = {
            "address": address, "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "description": inspect.getdoc(model) or "" if address else "The inbox that the asker names.",
        }  # fmt: skip
    reply = {"address": {"location": "$message.header#/reply_to"}, "channel": {"$ref": "#/channels/cmd.reply"}}
    return {"action": action, "channel": {"$ref": f"#/channels/{subject}"}, "reply": reply}


def _message(made: Document, name: str, title: str, schema: Document) -> None:
    schemas = made["components"]["schemas"]
    schemas[title] = json.loads(json.dumps(schema).replace("#/$defs/", "#/components/schemas/"))
    schemas.update(schemas[title].pop("$defs", {}))
    made["components"]["messages"][name] = {"name": name, "payload": {"$ref": f"#/components/schemas/{title}"}}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(part) for part in value] if isinstance(value, list) else value
