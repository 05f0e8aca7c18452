"""The HTTP side of the catcher: its pages, and the same as JSON for tests and the demo. Loopback only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gatepost_embedded.catcher.box import Box
from gatepost_embedded.catcher.faults import BadFaultError, Fault, Faults
from gatepost_embedded.catcher.pages import POLICY, list_page, mail_page
from gatepost_embedded.catcher.view import Views

MOST_ROWS = 200
SAFE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(box: Box, views: Views, faults: Faults) -> Starlette:
    """All routes. Only loopback names are served, so that no web page can reach it under a name of its own."""
    doors = _Doors(box, views, faults)
    return Starlette(
        routes=[
            Route("/", doors.index),
            Route("/messages/{id}", doors.page),
            Route("/livez", doors.livez),
            Route("/api/messages", doors.messages, methods=["GET"]),
            Route("/api/messages", doors.clear, methods=["DELETE"]),
            Route("/api/messages/{id}", doors.message),
            Route("/api/messages/{id}/raw", doors.raw),
            Route("/api/faults", doors.faults, methods=["GET"]),
            Route("/api/faults", doors.misbehave, methods=["POST"]),
            Route("/api/faults", doors.behave, methods=["DELETE"]),
        ],
        middleware=[
            Middleware(BaseHTTPMiddleware, dispatch=_safely),
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        ],
    )


async def _safely(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call(request)
    response.headers.update(SAFE_HEADERS)
    return response


class _Doors:
    def __init__(self, box: Box, views: Views, faults: Faults) -> None:
        self._box, self._views, self._faults = box, views, faults

    async def index(self, _request: Request) -> Response:
        envelopes = await asyncio.to_thread(self._box.envelopes)
        newest = envelopes[: -MOST_ROWS - 1 : -1]
        mails = await asyncio.to_thread(lambda: [mail for e in newest if (mail := self._views.of(e)) is not None])
        return HTMLResponse(list_page(mails, len(envelopes)))

    async def page(self, request: Request) -> Response:
        mail = await self._find(request)
        return HTMLResponse(mail_page(mail)) if mail else HTMLResponse("<p>no such mail</p>", status_code=404)

    async def livez(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def messages(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("to", "subject", "message_id", "after")}
        found = await asyncio.to_thread(lambda: self._views.all(**asked))
        return JSONResponse({"count": len(found), "messages": found})

    async def message(self, request: Request) -> Response:
        mail = await self._find(request)
        return JSONResponse(mail) if mail else _missing()

    async def raw(self, request: Request) -> Response:
        name = request.path_params["id"]
        try:
            raw = await asyncio.to_thread(self._box.raw, name)
        except KeyError:
            return _missing()
        return Response(
            raw, media_type="message/rfc822", headers={"Content-Disposition": f'attachment; filename="{name}.eml"'}
        )

    async def clear(self, _request: Request) -> Response:
        return JSONResponse({"deleted": await asyncio.to_thread(self._box.clear)})

    async def faults(self, _request: Request) -> Response:
        return JSONResponse({"faults": self._faults.listed()})

    async def misbehave(self, request: Request) -> Response:
        """Only as JSON: a web page elsewhere cannot send that without asking first, and is not answered then."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return JSONResponse({"error": "send it as application/json"}, status_code=415)
        try:
            self._faults.add(Fault.read(await request.json()))
        except BadFaultError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except ValueError:
            return JSONResponse({"error": "that is no JSON"}, status_code=400)
        return JSONResponse({"faults": self._faults.listed()}, status_code=201)

    async def behave(self, _request: Request) -> Response:
        self._faults.clear()
        return JSONResponse({"faults": []})

    async def _find(self, request: Request) -> dict[str, Any] | None:
        envelope = self._box.find(request.path_params["id"])
        return None if envelope is None else await asyncio.to_thread(self._views.of, envelope)


def _missing() -> Response:
    return JSONResponse({"error": "no such mail"}, status_code=404)
