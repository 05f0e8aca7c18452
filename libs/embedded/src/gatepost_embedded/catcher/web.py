"""The page and the API of the catcher. HTML of mails is never rendered, only shown as text."""

from __future__ import annotations

import asyncio
import html
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from gatepost_embedded.catcher.kept import Kept
from gatepost_embedded.catcher.smtp import Fault, Faults

SAFE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build(kept: Kept, faults: Faults) -> Starlette:
    """The ASGI application."""

    async def views(request: Request) -> list[dict[str, Any]]:
        wanted = {name: request.query_params.get(name, "").lower() for name in ("to", "subject", "message_id")}
        found = [v for n in kept.ids() if (v := await asyncio.to_thread(kept.view, n)) is not None]
        return [view for view in found if _fits(view, wanted)]

    async def page(request: Request) -> Response:
        rows = "".join(_row(view) for view in reversed(await views(request)))
        table = f"<table><tr><th>when</th><th>from</th><th>to</th><th>subject</th><th>DKIM</th></tr>{rows}</table>"
        return _html("Mail that left", table if rows else "<p>Nothing has left yet.</p>")

    async def one_page(request: Request) -> Response:
        view = await asyncio.to_thread(kept.view, request.path_params["number"])
        if view is None:
            return _html("No such mail", "", 404)
        heads = "".join(f"<tr><td>{_e(n)}</td><td>{_e(v)}</td></tr>" for n, v in view["headers"])
        parts = "".join(
            f"<li>{_e(a['name'])}, {_e(a['content_type'])}, {a['size']} bytes</li>" for a in view["attachments"]
        )
        raw = f'<p><a href="/api/messages/{view["id"]}/raw">raw</a></p>'
        body = f"<table>{heads}</table><p>DKIM: {_e(_dkim(view))}</p><h2>Text</h2><pre>{_e(view['text'])}</pre>"
        return _html(
            view["subject"], f"{body}<h2>HTML, as source</h2><pre>{_e(view['html'] or '')}</pre><ul>{parts}</ul>{raw}"
        )

    async def messages(request: Request) -> Response:
        return JSONResponse({"messages": await views(request)})

    async def clear(_: Request) -> Response:
        return JSONResponse({"deleted": await asyncio.to_thread(kept.clear)})

    async def message(request: Request) -> Response:
        view = await asyncio.to_thread(kept.view, request.path_params["number"])
        return JSONResponse(view) if view else JSONResponse({"error": "no such mail"}, 404)

    async def raw(request: Request) -> Response:
        found = await asyncio.to_thread(kept.raw, request.path_params["number"])
        if found is None:
            return JSONResponse({"error": "no such mail"}, 404)
        return Response(found, media_type="text/plain", headers=SAFE)

    async def set_faults(request: Request) -> Response:
        try:
            asked = await request.json()
            faults.waiting.extend(Fault(**one) for one in (asked if isinstance(asked, list) else [asked]))
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"waiting": len(faults.waiting)})

    async def clear_faults(_: Request) -> Response:
        faults.waiting.clear()
        return JSONResponse({"waiting": 0})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/mail/{number}", one_page),
            Route("/api/messages", messages, methods=["GET"]),
            Route("/api/messages", clear, methods=["DELETE"]),
            Route("/api/messages/{number}", message),
            Route("/api/messages/{number}/raw", raw),
            Route("/api/faults", set_faults, methods=["POST"]),
            Route("/api/faults", clear_faults, methods=["DELETE"]),
        ]
    )


def _fits(view: dict[str, Any], wanted: dict[str, str]) -> bool:
    ids = " ".join(value for name, value in view["headers"] if name.lower() == "message-id").lower()
    return (
        wanted["to"] in " ".join(view["rcpt_to"]).lower()
        and wanted["subject"] in view["subject"].lower()
        and wanted["message_id"] in ids
    )


def _row(view: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(view["received_at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    link = f'<a href="/mail/{view["id"]}">{_e(view["subject"]) or "(no subject)"}</a>'
    cells = (when, _e(view["envelope_from"]), _e(", ".join(view["rcpt_to"])), link, _e(_dkim(view)))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _dkim(view: dict[str, Any]) -> str:
    return ", ".join(f"{d['domain']}/{d['selector']} {d['result']}" for d in view["dkim"]) or "unsigned"


def _e(text: str) -> str:
    return html.escape(text)


def _html(title: str, body: str, status: int = 200) -> HTMLResponse:
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_e(title)}</title><h1>{_e(title)}</h1>'
    return HTMLResponse(f'{head}{body}<p><a href="/">all mail</a></p></html>', status, headers=SAFE)
