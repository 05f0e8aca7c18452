"""One POST to one endpoint: no redirect, no proxy, a bounded reply, and only to addresses that were checked.

A name is resolved at each new connection and the connection goes to exactly the addresses that were checked, so a name
which changes its mind between check and connect gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gatepost_notifier.retry import Outcome
from gatepost_runtime.targets import TargetRefused, Targets

EXCERPT, KNOWN_URLS = 500, 1024


class CheckingResolver(AbstractResolver):
    """Resolves a name and gives back its addresses only if every one of them may be delivered to."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of the host, checked."""
        return [
            ResolveResult(
                hostname=host, host=text, port=port, family=socket.AF_INET6 if ":" in text else socket.AF_INET, proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            ) for text in await self._targets.addresses(host, port, family)
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is held."""


class Wire:
    """The one HTTP session of the notifier; connections to an endpoint are kept."""

    def __init__(self, *, timeout_s: float, reply_bytes: int, targets: Targets, in_all: int) -> None:
        self._check_url = lru_cache(KNOWN_URLS)(targets.check_url)  # a refusal is no result and is looked at each time
        self._reply_bytes = reply_bytes
        self._timeout_s = timeout_s
        connector = aiohttp.TCPConnector(
            resolver=CheckingResolver(targets), use_dns_cache=False, limit=in_all, keepalive_timeout=60
        )
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s), trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """What came of it; never raises for what the other side does."""
        begun = time.monotonic()

        def outcome(status: int | None = None, error: str = "", excerpt: str = "", after: str | None = None) -> Outcome:
            return Outcome(status, error, excerpt, after, round((time.monotonic() - begun) * 1000))

        try:
            self._check_url(url)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as reply:
                read = await self._read(reply)
                said = read[: EXCERPT * 4].decode(errors="replace").replace("\0", "")[:EXCERPT]
                error = "" if 200 <= reply.status < 300 else f"answered {reply.status}"
                return outcome(reply.status, error, said, reply.headers.get("Retry-After"))
        except TargetRefused as refused:
            return outcome(error=str(refused))
        except aiohttp.ClientConnectorError as error:
            refused_by_us = isinstance(error.os_error, TargetRefused)
            return outcome(error=str(error.os_error) if refused_by_us else "could not connect")
        except TimeoutError:
            return outcome(error=f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return outcome(error=f"the connection failed ({type(error).__name__})")

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        """At most so many bytes of the reply; what is longer is cut off by closing the connection."""
        parts: list[bytes] = []
        left = self._reply_bytes
        try:
            while left > 0 and (part := await reply.content.read(left)):
                parts.append(part)
                left -= len(part)
        except (aiohttp.ClientError, asyncio.IncompleteReadError):
            pass  # the status line is what counts
        if left <= 0:
            reply.close()
        return b"".join(parts)
