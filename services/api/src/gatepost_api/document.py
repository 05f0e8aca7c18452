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


def operation(route: Route) -> dict[str, Any]:
    """What the route's row adds to its operation."""
    found: dict[str, Any] = {
        "x-command": route.command, "x-scope": list(route.scope), "x-tenant": route.tenant, "x-mutates": route.mutates,
        "x-outward": route.outward, "x-door": route.door,
        "responses": {"4XX": {"description": "Refused.", "content": _AS_JSON}},
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
    made["x-statuses"], made["x-events"], made["x-rate-limits"] = sorted(WORDS), list(KNOWN), {}
    return json.dumps(made)
