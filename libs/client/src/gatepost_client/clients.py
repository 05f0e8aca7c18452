"""What every client is: where the service is, with which key, one line to it, and its end."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx2

from gatepost_client import settings
from gatepost_client.transport import AsyncLine, Line


class Blocking:
    """A blocking client; `with` closes it."""

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = settings.base_url(base_url)
        self._line = Line(self.base_url, settings.api_key(api_key), timeout, transport)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Awaited:
    """The same for asyncio: every call is awaited, `async with` closes it."""

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = settings.base_url(base_url)
        self._line = AsyncLine(self.base_url, settings.api_key(api_key), timeout, transport)

    async def close(self) -> None:
        """Hang up."""
        await self._line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
