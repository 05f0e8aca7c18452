"""The interface as an OpenAPI document, made from the routes that run."""

from __future__ import annotations

import functools
import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gatepost_api.access import PUBLIC, Route
from gatepost_api.errors import CODES
from gatepost_api.event_words import KNOWN
from gatepost_api.lenient import ALIASES
from gatepost_api.status import WORDS

_ERROR = {
    "type": "object",
    "required": ["error", "code", "hint"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CODES)},
        "hint": {"type": "string"},
        "request_id": {"type": "string"},
    },
}

_AS_JSON = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
_PAGE = ("cursor", "next_cursor")
_MAIL = (
    "id",
    "email_id",
    "message_id",
    "thread_id",
    "direction",
    "status",
    "subject",
    "from",
    "to",
    "metadata",
    "tags",
)
_SENT = ("id", "email_id", "message_id", "status", "thread_id", "message")
# command -> what its success always holds; a published client indexes these without looking
HOLDS: dict[str, tuple[str, ...]] = {
    "check_inbox": ("emails", "messages", *_PAGE), "list_spam": ("emails", "messages", *_PAGE), "read_email": _MAIL,
    "get_thread": ("id", "thread_id", "emails", "messages", "drafts", "history", "participants"), "send_email": _SENT,
    "reply_email": _SENT, "forward_email": _SENT, "cancel_message": ("id", "status"), "get_tags": ("tags", "tag_list"),
    "set_tags": ("tags", "tag_list"), "delete_tag": ("tags", "deleted"), "wait_for_email": ("found", "email", "emails"),
    "list_events": ("events", *_PAGE), "list_pending": ("pending", "emails", "messages", "count", *_PAGE),
    "decide_email": ("id", "status", "decision"), "list_pauses": ("pauses",), "list_mailboxes": ("mailboxes",),
    "get_mailbox": ("id", "address", "oversight_mode"), "list_webhooks": ("webhooks", "subscriptions"),
    "list_webhook_deliveries": ("deliveries", *_PAGE), "list_api_keys": ("api_keys", "keys"),
    "create_api_key": ("id", "api_key", "key", "prefix"), "search_contacts": ("contacts", *_PAGE),
    "add_contact": ("id", "email", "name", "tags"), "list_suppression": ("suppressions", *_PAGE),
    "get_account": ("id", "name", "account"), "get_usage": ("emails_sent", "emails_received", "api_calls", "oversight_actions", "data"),
    "get_audit_log": ("entries", *_PAGE), "health": ("status",), "list_allowlist": ("entries", "allowlist"),
}  # fmt: skip
# name -> what is counted, how many in how long; the settings that change them where there are any
RATE_LIMITS = {
    "calls": {"per": "key", "most": 6000, "seconds": 60, "setting": "GATEPOST_API_RATE_PER_MINUTE"},
    "export_account": {"per": "account", "most": 1, "seconds": 3600},
    "request_upgrade": {"per": "mailbox", "most": 3, "seconds": 3600},
    "approval codes": {"per": "key", "most": 20, "seconds": 3600},
}
# commands whose success is no JSON document
_RAW = frozenset(
    {
        "download_attachment",
        "show_unsubscribe",
        "unsubscribe",
        "export_audit_log",
        "show_approval",
        "approve_by_link",
        "verify_page",
    }
)


def operation(route: Route) -> dict[str, Any]:
    """What the route's row adds to its operation."""
    found: dict[str, Any] = {
        "x-command": route.command, "x-scope": list(route.scope), "x-tenant": route.tenant, "x-mutates": route.mutates,
        "x-outward": route.outward, "x-door": route.door,
        "responses": responses(route),
    }  # fmt: skip
    if route.scope != (PUBLIC,):
        found["security"] = [{"bearer": []}, {"apiKey": []}]
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    found["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    fields = ALIASES.get(route.command, {})
    if route.method in {"POST", "PUT", "PATCH"}:
        properties = {
            alias: {"description": f"Alias of {field}." if alias != field else field}
            for field, aliases in fields.items()
            for alias in aliases
        }
        found["requestBody"] = {
            "content": {"application/json": {"schema": {"type": "object", "properties": properties}}}
        }
    return found


def responses(route: Route) -> dict[str, Any]:
    """What an answer may be: the success, a refusal, and a part that is away."""
    told: dict[str, Any] = {
        "4XX": {"description": "Refused.", "content": _AS_JSON},
        "503": {"description": "A part is away; repeat the request.", "content": _AS_JSON},
    }
    if route.status == 501:
        return {**told, "501": {"description": "Not offered here.", "content": _AS_JSON}}
    held: dict[str, Any] = {"type": "object"}
    if route.command in HOLDS:
        held["required"] = list(HOLDS[route.command])
    content = {"*/*": {}} if route.command in _RAW else {"application/json": {"schema": held}}
    if route.command == "list_events":
        content["text/event-stream"] = {}
    done = {"description": "Done.", "content": content}
    told[str(route.status)] = done
    if route.mutates:
        told |= {"200": done, "202": done}
    return told


def whole(app: FastAPI, public_url: str) -> dict[str, Any]:
    """The document."""
    return json.loads(_whole(app, public_url))  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=4)
def _whole(app: FastAPI, public_url: str) -> str:
    made = get_openapi(title="Gatepost", version="1", routes=app.routes, servers=[{"url": public_url}])
    schemas = made.setdefault("components", {})
    schemas.setdefault("schemas", {})["Error"] = _ERROR
    schemas["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    made["x-statuses"], made["x-events"], made["x-rate-limits"] = sorted(WORDS), list(KNOWN), RATE_LIMITS
    return json.dumps(made)
