"""One request, made by a blocking or an asyncio client, and made again where that is safe.

Made again: what only reads, and what carries an idempotency key. Never made again: anything else, because a lost reply does
not say whether the request was done.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from gatepost_client.errors import MultiMailError, error_for

TRIES = 4
_AGAIN = frozenset({429, 502, 503, 504})
_WAIT_MOST_S = 30.0


@dataclass(frozen=True)
class Ask:
    """One request, before it is sent."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_raw: bool = False
    keeps_null: bool = False  # None in the body empties a field instead of leaving it alone

    @property
    def is_repeatable(self) -> bool:
        """May it be sent twice?"""
        return self.method in {"GET", "HEAD", "PUT", "DELETE"} or bool((self.body or {}).get("idempotency_key"))

    def arguments(self) -> dict[str, Any]:
        """For the HTTP client; what is None is not sent."""
        sent: dict[str, Any] = {"params": {k: _word(v) for k, v in self.params.items() if v is not None}}
        if self.body is not None:
            sent["json"] = {k: v for k, v in self.body.items() if v is not None or self.keeps_null}
        return sent


class Line:
    """A blocking line to the service."""

    def __init__(self, base_url: str, key: str, timeout: float, transport: httpx2.BaseTransport | None = None) -> None:
        self._client = httpx2.Client(
            base_url=base_url,
            headers=_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=not _is_local(base_url),
        )

    def send(self, ask: Ask) -> Any:
        """The reply's content, or the error that stands for it."""
        for attempt in range(TRIES):
            is_last = attempt == TRIES - 1 or not ask.is_repeatable
            try:
                reply = self._client.request(ask.method, ask.path, **ask.arguments())
            except httpx2.HTTPError as reason:
                if is_last:
                    raise _unreachable(reason) from reason
                time.sleep(_pause(attempt, None))
                continue
            if is_last or reply.status_code not in _AGAIN:
                return _content(reply, is_raw=ask.is_raw)
            time.sleep(_pause(attempt, retry_after(reply)))
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class AsyncLine:
    """The same for asyncio."""

    def __init__(
        self, base_url: str, key: str, timeout: float, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._client = httpx2.AsyncClient(
            base_url=base_url,
            headers=_headers(key),
            timeout=timeout,
            transport=transport,
            trust_env=not _is_local(base_url),
        )

    async def send(self, ask: Ask) -> Any:
        """The reply's content, or the error that stands for it."""
        for attempt in range(TRIES):
            is_last = attempt == TRIES - 1 or not ask.is_repeatable
            try:
                reply = await self._client.request(ask.method, ask.path, **ask.arguments())
            except httpx2.HTTPError as reason:
                if is_last:
                    raise _unreachable(reason) from reason
                await asyncio.sleep(_pause(attempt, None))
                continue
            if is_last or reply.status_code not in _AGAIN:
                return _content(reply, is_raw=ask.is_raw)
            await asyncio.sleep(_pause(attempt, retry_after(reply)))
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()


def retry_after(reply: httpx2.Response) -> float | None:
    """How long the service asks to wait; a date is not taken, ours never sends one."""
    text = reply.headers.get("retry-after", "").strip()
    return float(text) if text.replace(".", "", 1).isdigit() else None


def _headers(key: str) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": "gatepost-client"}
    return {**headers, "Authorization": f"Bearer {key}"} if key else headers


def _is_local(base_url: str) -> bool:
    host = httpx2.URL(base_url).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pause(attempt: int, asked: float | None) -> float:
    if asked is not None:
        return min(asked, _WAIT_MOST_S)
    return float(0.2 * 2**attempt * (0.5 + random.random()))  # noqa: S311 (spreads retries, hides nothing)


def _unreachable(reason: Exception) -> MultiMailError:
    return MultiMailError(f"the service could not be reached: {type(reason).__name__}")


def _content(reply: httpx2.Response, *, is_raw: bool) -> Any:
    if is_raw and reply.status_code < 400:
        return reply.content
    try:
        body = reply.json()
    except ValueError:
        body = None
    if reply.status_code >= 400:
        raise error_for(reply.status_code, body if body is not None else reply.text[:1000], retry_after(reply))
    if body is None:
        raise MultiMailError(
            f"the service answered {reply.status_code} without JSON", reply.status_code, reply.text[:1000]
        )
    return body


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set):
        return ",".join(str(item) for item in value)
    return value
