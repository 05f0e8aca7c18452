"""An object store that speaks S3 over HTTP, as far as Gatepost asks: put, get, and delete in bulk."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web


@dataclass
class ObjectServer:
    """Objects by their path. `refuse` makes it answer 503 to everything."""

    kept: dict[str, bytes] = field(default_factory=dict)
    refuse: bool = False
    port: int = 0

    def environment(self) -> dict[str, str]:
        """The settings with which services find it."""
        options = f'{{"endpoint": "http://127.0.0.1:{self.port}", "region": "x", "access_key_id": "a", "secret_access_key": "b"}}'
        return {
            "GATEPOST_STORE_OBJECTS_URL": "s3://mail/gatepost", "GATEPOST_STORE_OBJECTS_OPTIONS": options,
            "GATEPOST_STORE_OBJECTS_OVER_BYTES": "20000", "GATEPOST_STORE_OBJECTS_TIMEOUT_S": "2",
        }  # fmt: skip

    async def answer(self, request: web.Request) -> web.Response:
        """One request. Signatures are the provider's to check."""
        path = request.path.removeprefix("/mail/gatepost/")
        if self.refuse:
            return web.Response(status=503)
        if request.method == "PUT":
            self.kept[path] = await request.read()
            return web.Response(headers={"ETag": '"x"'})
        if request.method == "GET" and path in self.kept:
            headers = {"ETag": '"x"', "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT"}
            return web.Response(body=self.kept[path], headers=headers)
        if request.method == "POST" and "delete" in request.query:
            keys = re.findall(r"<Key>(.*?)</Key>", await request.text())
            for key in keys:
                self.kept.pop(key.removeprefix("gatepost/"), None)
            gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return web.Response(text=f"<DeleteResult>{gone}</DeleteResult>", content_type="application/xml")
        return web.Response(status=404)

    def __enter__(self) -> Self:
        started = threading.Event()

        async def serve() -> None:
            app = web.Application(client_max_size=2**30)
            app.router.add_route("*", "/{path:.*}", self.answer)
            runner = web.AppRunner(app)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await self._done.wait()
            await runner.cleanup()

        self._thread = threading.Thread(target=asyncio.run, args=(serve(),))
        self._thread.start()
        started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)
