"""A request's fields: path, query and body, each decoded once, none larger than allowed."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any

import orjson
from fastapi import Request

from gatepost_api.access import Route
from gatepost_api.errors import Refusal
from gatepost_api.lenient import Fields, refuse_nul
from gatepost_api.settings import ApiSettings

_PAIRS_MOST = 200


async def fields_of(route: Route, request: Request, settings: ApiSettings) -> tuple[Fields, dict[str, Any]]:
    """The fields by their canonical names, and all of them as one map for the hash of the request."""
    path = {
        name: urllib.parse.unquote(value, errors="strict") for name, value in _decodable(request.path_params).items()
    }
    query: dict[str, Any] = {}
    for name, value in request.query_params.multi_items()[:_PAIRS_MOST]:
        query[name] = f"{query[name]},{value}" if name in query else value
    body = await _body(request, settings)
    try:
        refuse_nul(path)
        refuse_nul(query)
        refuse_nul(body)
    except RecursionError:
        raise Refusal("invalid_request", "The body is nested too deeply.") from None
    return Fields(route.command, path, query, body), {"path": path, "query": query, "body": body}


def _decodable(params: dict[str, Any]) -> dict[str, str]:
    for value in params.values():
        try:
            urllib.parse.unquote(str(value), errors="strict")
        except UnicodeDecodeError:
            raise Refusal("not_found", "There is no such path.") from None
    return {name: str(value) for name, value in params.items()}


async def _body(request: Request, settings: ApiSettings) -> dict[str, Any]:
    """The body as a map; empty when there is none, whatever the content type says."""
    limit = settings.max_body_bytes
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise Refusal("too_large", limit_bytes=limit)
    try:
        raw = await asyncio.wait_for(_read(request, limit), settings.body_timeout_s)
    except TimeoutError:
        raise Refusal("invalid_request", "The body did not arrive in time.", status=408) from None
    if not raw.strip():
        return {}
    if request.headers.get("content-type", "").startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        pairs = urllib.parse.parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)
        return dict(pairs)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(
            "invalid_request", "The body is no valid JSON.", hint=f"Line {error.lineno}, column {error.colno}."
        ) from None
    if not isinstance(body, dict):
        if request.method in {"GET", "DELETE"}:
            return {}
        raise Refusal("invalid_request", "The body must be a JSON object.")
    return body


async def _read(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Refusal("too_large", limit_bytes=limit)
        parts.append(part)
    return b"".join(parts)
