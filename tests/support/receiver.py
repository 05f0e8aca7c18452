"""A webhook endpoint of our own: it keeps what it was sent, and answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Took = tuple[dict[str, str], bytes]


class Receiver:
    """Listens on a free port until closed."""

    def __init__(self, handle: Callable[[dict[str, str], bytes], int] | None = None) -> None:
        self.got: list[Took] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {k.lower(): v for k, v in self.headers.items()}
                status = handle(headers, body) if handle else 200
                receiver.got.append((headers, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """The payloads whose fields have these values, in order of arrival."""
        bodies = [json.loads(body) for _, body in list(self.got)]
        return [b for b in bodies if all(b.get(k) == v for k, v in wanted.items())]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
