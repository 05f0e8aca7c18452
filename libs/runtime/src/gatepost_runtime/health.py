"""/livez, /readyz, /metrics, /asyncapi.json: is this process worth keeping, may it get work, what does it do and has done."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry, generate_latest

Send = Callable[[dict[str, Any]], Awaitable[None]]
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Health:
    """An ASGI application of four paths."""

    def __init__(
        self, alive: Callable[[], str | None], ready: Callable[[], Awaitable[str | None]], registry: CollectorRegistry,
        asyncapi: Callable[[], dict[str, Any] | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._alive, self._ready, self._registry, self._asyncapi = alive, ready, registry, asyncapi

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:  # noqa: ARG002 (ASGI)
        """Answer one request; a problem is a 503 whose body names it."""
        if scope["type"] == "lifespan":
            return
        match scope.get("path"):
            case "/livez":
                await _say(send, self._alive())
            case "/readyz":
                await _say(send, await self._ready())
            case "/metrics":
                await _respond(send, 200, _TEXT, generate_latest(self._registry))
            case "/asyncapi.json" if (document := self._asyncapi()) is not None:
                await _respond(send, 200, b"application/json", json.dumps(document).encode())
            case _:
                await _respond(send, 404, b"application/json", b'{"error": "no such page"}')


async def _say(send: Send, problem: str | None) -> None:
    body = {"status": "ok"} if problem is None else {"status": "unavailable", "reason": problem}
    await _respond(send, 200 if problem is None else 503, b"application/json", json.dumps(body).encode())


async def _respond(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Uvicorn(uvicorn.Server):
    """Signals are the process's business, not the server's: uvicorn would raise them again after a clean stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield


class HttpServer:
    """One ASGI application on one port, inside our own loop."""

    def __init__(self, app: Any, host: str, port: int, *, graceful_timeout_s: float = 5, lifespan: str = "off") -> None:
        config = uvicorn.Config(
            app, host=host, port=port, log_config=None, access_log=False, server_header=False,
            lifespan="auto" if lifespan == "auto" else "off", timeout_graceful_shutdown=max(1, int(graceful_timeout_s)),
        )  # fmt: skip
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None
        self.host, self.port = host, port

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        self._task = asyncio.create_task(self._run(), name=f"http {self.host}:{self.port}")
        while not self._server.started:
            if self._task.done():
                raise OSError(f"cannot listen on {self.host}:{self.port}")
            await asyncio.sleep(0.01)
        for server in self._server.servers:
            for socket in server.sockets:
                self.port = int(socket.getsockname()[1])

    async def stop(self) -> None:
        """Take no further request, finish those that run."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:  # its way to say that it could not begin
            return
