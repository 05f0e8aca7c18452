"""The application: one FastAPI route per row of the access table, and what every request goes through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from html import escape
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, unbind_contextvars

from gatepost_api import document
from gatepost_api.access import PUBLIC, Route, routes
from gatepost_api.commands import COMMANDS, CommandFunction
from gatepost_api.errors import Refusal
from gatepost_api.machine import page
from gatepost_api.mcp_door import PATH, McpDoor
from gatepost_api.obeying import obey
from gatepost_api.office import NOBODY, Call, Office, Reply
from gatepost_api.requests import fields_of
from gatepost_contracts.ids import new_id
from gatepost_runtime.errors import Unavailable
from gatepost_runtime.logging import get_logger
from gatepost_store import StoreUnavailable

log = get_logger()
Endpoint = Callable[[Request], Awaitable[Response]]


def build(office: Office, mcp: McpDoor) -> ASGIApp:
    """The doors, behind what all requests share."""
    return Threshold(application(office), mcp)


def application(office: Office) -> FastAPI:
    """One route per row; nothing else answers."""
    app = FastAPI(title="Gatepost", version="1", openapi_url=None, docs_url=None, redoc_url=None, max_body_size=None)
    for route in routes():
        app.add_api_route(
            route.path, _endpoint(office, route, COMMANDS[route.command]), methods=[route.method], status_code=route.status,
            name=f"{route.method} {route.path}", response_model=None, summary=route.doc,
            operation_id=f"{route.command}_{route.method}_{route.path}", openapi_extra=document.operation(route),
        )  # fmt: skip
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _failed)
    office.openapi = lambda: document.whole(app, office.public_url)
    return sealed(app)


def sealed(app: FastAPI) -> FastAPI:
    """The application, unless something answers that has no row of the access table: then the start ends here."""
    running = [
        (method, getattr(route, "path", ""))
        for route in app.routes
        for method in getattr(route, "methods", None) or {"any"}
    ]
    strangers = set(running) - {(route.method, route.path) for route in routes()}
    if strangers or len(running) != len(set(running)):
        named = ", ".join(f"{method} {path}" for method, path in sorted(strangers)) or "a path twice"
        raise RuntimeError(f"a route without a row of the access table: {named}")
    return app


def _endpoint(office: Office, route: Route, command: CommandFunction) -> Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await _answer(office, route, command, request)
        except (Unavailable, StoreUnavailable) as reason:
            log.warning("a request found a part away", command=route.command, reason=type(reason).__name__)
            raise Refusal("unavailable") from None

    return answer


async def _answer(office: Office, route: Route, command: CommandFunction, request: Request) -> Response:
    caller, read = NOBODY, None
    request.scope["gatepost.page"] = route.door == "token" and "text/html" in request.headers.get("accept", "")
    if route.scope != (PUBLIC,):
        headers: Mapping[str, str] = request.headers
        if route.door == "token":  # a page carries its key in the form: there is no cookie that another site could use
            read = await fields_of(route, request, office.settings)
            headers = {"x-api-key": read[0].text("key", most=500) or ""}
        caller = await office.keys.caller(headers)
        caller.demand(route.scope)
        standing = await office.limits.spend(f"key:{caller.key_id}", most=office.settings.rate_per_minute, seconds=60)
        request.scope["gatepost.standing"].update(standing.headers if standing else {})
    fields, asked = read or await fields_of(route, request, office.settings)
    call = Call(route, caller, fields, dict(request.headers), is_head=bool(request.scope.get("gatepost.head")))
    reply = await obey(office, call, asked, command)
    return _response(reply, route.status)


def _response(reply: Reply, usual: int) -> Response:
    headers = {"Cache-Control": "no-store", **reply.headers}
    if not isinstance(reply.body, dict | bytes):
        return StreamingResponse(reply.body, reply.status or usual, headers, media_type=reply.content_type)
    if isinstance(reply.body, bytes):
        return Response(reply.body, reply.status or usual, headers, media_type=reply.content_type)
    return _json(reply.status or usual, reply.body, headers)


def _json(status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, dict(headers), media_type="application/json")


async def _refused(request: Request, reason: Exception) -> Response:
    assert isinstance(reason, Refusal)  # noqa: S101 (the handler is registered for this type)
    if request.scope.get("gatepost.page"):
        told = page("Not done", f"<p><b>{escape(reason.error)}</b> {escape(reason.hint)}</p>")
        return _response(replace(told, headers={**told.headers, **reason.headers}), reason.status)
    return _json(reason.status, {**reason.body(), "request_id": request.scope.get("gatepost.id", "")}, reason.headers)


async def _unrouted(request: Request, reason: Exception) -> Response:
    assert isinstance(reason, HTTPException)  # noqa: S101 (the handler is registered for this type)
    if reason.status_code == 405:
        allowed = sorted({route.method for route in routes() if _fits(route.path, request.scope["path"])})
        refusal = Refusal("method_not_allowed", headers={"Allow": ", ".join(allowed)}, allow=allowed)
    else:
        refusal = Refusal("not_found", "There is no such path.", hint="See /v1/openapi.json.")
    return await _refused(request, refusal)


def _fits(pattern: str, path: str) -> bool:
    wanted, given = pattern.split("/"), path.split("/")
    return len(wanted) == len(given) and all(w == g or w.startswith("{") for w, g in zip(wanted, given, strict=True))


async def _failed(request: Request, reason: Exception) -> Response:
    log.error("a request failed", path=request.scope["path"].split("/")[1:3], exc_info=reason)
    refusal = Refusal(
        "internal", "Something went wrong on our side.", status=500, hint="Tell the operator the request_id."
    )
    return await _refused(request, refusal)


class Threshold:
    """What every request passes: its id, its path decoded once, HEAD as GET without effect, slashes without redirects."""

    def __init__(self, inner: ASGIApp, mcp: ASGIApp) -> None:
        self._inner, self._mcp = inner, mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        is_head = scope["method"] == "HEAD"
        request_id = new_id("req")
        inner = {
            **scope, "path": path.rstrip("/") or "/", "method": "GET" if is_head else scope["method"], "gatepost.head": is_head,
            "gatepost.standing": {},
            "gatepost.id": request_id,
        }  # fmt: skip
        began = time.perf_counter()
        status = 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = {"x-request-id": request_id, **inner["gatepost.standing"]}
                known = {name for name, _ in message["headers"]}
                added = [(n.lower().encode(), v.encode()) for n, v in more.items() if n.lower().encode() not in known]
                message = {**message, "headers": [*message["headers"], *added]}
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        bind_contextvars(request_id=request_id)
        try:
            await (self._mcp if inner["path"] == PATH else self._inner)(inner, receive, tell)
        except asyncio.CancelledError:
            raise
        except Exception:
            if status == 0:
                raise
            log.debug("an answer broke off", request_id=request_id)
        finally:
            log.debug(
                "answered", method=scope["method"], status=status, ms=round((time.perf_counter() - began) * 1000, 1)
            )
            unbind_contextvars("request_id")
