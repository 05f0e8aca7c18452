"""A service that was recorded: for tests of your own that need what Gatepost answers, and no Gatepost.

    with Gatepost("gp_test_x", transport=Recorded("tests/recordings/inbox.json")) as gatepost: ...
    client = AsyncGatepost("gp_test_x", transport=Recorded(...))

With `record=True`, or GATEPOST_RECORD=1 in the environment, the calls go to the service and what it says is written to the
file; else the file answers and nothing leaves the machine. A call is known by method, path, query and body; equal calls
get their answers in the order they were recorded, the last one for ever. Keys and secrets are never written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2

from gatepost_client import settings

_SECRETS = frozenset({"api_key", "key", "secret", "signing_secret", "approval_code", "code"})
_KEPT = ("content-type", "retry-after", "x-request-id")
NOT_WRITTEN = "(not recorded)"


class Unrecorded(LookupError):
    """The recording has no answer to this call; record it again."""


class Recorded(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """The transport of a client, blocking or asyncio, that answers from a file."""

    def __init__(self, path: str | Path, *, record: bool | None = None) -> None:
        self.path, self.is_recording = Path(path), settings.recording() if record is None else record
        self._calls: list[dict[str, Any]] = []
        self._line: httpx2.HTTPTransport | None = None
        self._async_line: httpx2.AsyncHTTPTransport | None = None
        if not self.is_recording:
            if not self.path.exists():
                raise Unrecorded(f"there is no recording {self.path}; make one with GATEPOST_RECORD=1")
            self._calls = json.loads(self.path.read_text("utf-8"))
        self._given: set[int] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer to one call."""
        if not self.is_recording:
            return self._answer(_asked(request, request.read()))
        self._line = self._line or httpx2.HTTPTransport()
        reply = self._line.handle_request(request)
        return self._keep(_asked(request, request.read()), reply, reply.read())

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The same for asyncio."""
        if not self.is_recording:
            return self._answer(_asked(request, await request.aread()))
        self._async_line = self._async_line or httpx2.AsyncHTTPTransport()
        reply = await self._async_line.handle_async_request(request)
        return self._keep(_asked(request, await request.aread()), reply, await reply.aread())

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()

    async def aclose(self) -> None:
        """The same for asyncio."""
        if self._async_line is not None:
            await self._async_line.aclose()

    def _keep(self, asked: dict[str, Any], reply: httpx2.Response, raw: bytes) -> httpx2.Response:
        """Write the call down at once, so that a test that fails later has what was said until then."""
        headers = {name: reply.headers[name] for name in _KEPT if name in reply.headers}
        said = {"status": reply.status_code, "headers": headers, **_content(raw)}
        self._calls.append({"asked": asked, "said": said})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self._calls, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return httpx2.Response(reply.status_code, headers=headers, content=raw)

    def _answer(self, asked: dict[str, Any]) -> httpx2.Response:
        equal = [n for n, call in enumerate(self._calls) if call["asked"] == asked]
        if not equal:
            known = ", ".join(sorted({f"{c['asked']['method']} {c['asked']['path']}" for c in self._calls}))
            raise Unrecorded(
                f"{asked['method']} {asked['path']} with these fields is not in {self.path}, which has: {known}"
            )
        n = next((n for n in equal if n not in self._given), equal[-1])
        self._given.add(n)
        said = self._calls[n]["said"]
        raw = bytes.fromhex(said["hex"]) if "hex" in said else json.dumps(said["json"], ensure_ascii=False).encode()
        return httpx2.Response(said["status"], headers=said["headers"], content=raw)


def _asked(request: httpx2.Request, raw: bytes) -> dict[str, Any]:
    """A call as it is known again; not by its headers, which hold the key."""
    query = sorted([name, value] for name, value in request.url.params.multi_items())
    return {
        "method": request.method,
        "path": request.url.path,
        "query": query,
        "body": _content(raw).get("json") if raw else None,
    }


def _content(raw: bytes) -> dict[str, Any]:
    try:
        return {"json": _without_secrets(json.loads(raw))}
    except ValueError:
        return {"hex": raw.hex()}


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: NOT_WRITTEN if k in _SECRETS and isinstance(v, str) else _without_secrets(v) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return value
