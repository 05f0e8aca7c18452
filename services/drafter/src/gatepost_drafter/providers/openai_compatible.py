"""Any endpoint that speaks OpenAI's chat completions: OpenAI itself, local servers, gateways.

Servers differ in what they take: some know no JSON schema, some no `max_tokens`.
A 400 that names one of them is answered by asking the same in the plainer form, which is then remembered.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

import aiohttp

from gatepost_drafter.answer import read_answer
from gatepost_drafter.prompt import PROMPT_VERSION, SCHEMA, build
from gatepost_drafter.provider import DraftFailed, DraftRequest, DraftResult, Usage
from gatepost_drafter.providers.retry import Budget, within

LONGEST_REPLY = 1_500_000
"""Bytes of a reply that are read."""

_FORMATS: tuple[dict[str, Any] | None, ...] = (
    {"type": "json_schema", "json_schema": {"name": "draft", "strict": True, "schema": SCHEMA}},
    {"type": "json_object"},
    None,
)


class OpenAICompatible:
    """Asks `POST <base_url>/chat/completions`."""

    name = "openai"
    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        max_tokens: int = 4096,
        budget: Budget | None = None,
    ) -> None:
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._max_tokens = max_tokens
        self._budget = budget or Budget()
        self._format = 0
        self._limit_name = "max_tokens"
        self._session: aiohttp.ClientSession | None = None

    async def draft(self, request: DraftRequest) -> DraftResult:
        """Write one draft; raises DraftFailed."""
        prompt = build(request, f"data-{secrets.token_hex(8)}")
        messages = [{"role": "system", "content": prompt.system}]
        messages += [{"role": say.role, "content": say.text} for say in prompt.messages]

        async def call() -> DraftResult:
            return self._read(await self._ask(messages), request)

        return await within(self._budget, call)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        while True:
            body: dict[str, Any] = {"model": self._model, "messages": messages, self._limit_name: self._max_tokens}
            if (shape := _FORMATS[self._format]) is not None:
                body["response_format"] = shape
            status, headers, reply = await self._post(body)
            if status == 200:
                return _reply_object(reply)
            if status in {400, 422} and self._is_plainer(reply):
                continue
            raise _failure(status, headers.get("Retry-After"))

    def _is_plainer(self, reply: bytes) -> bool:
        """Whether the refusal names something that can be left out; the next body leaves it out."""
        if self._limit_name == "max_tokens" and b"max_completion_tokens" in reply:
            self._limit_name = "max_completion_tokens"
            return True
        names_format = b"response_format" in reply or b"json_schema" in reply or b"json_object" in reply
        if names_format and self._format + 1 < len(_FORMATS):
            self._format += 1
            return True
        return False

    async def _post(self, body: dict[str, Any]) -> tuple[int, Any, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        try:
            async with self._session.post(
                self._url, json=body, headers=self._headers, allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._budget.calls_s),
            ) as reply:  # fmt: skip
                content = bytearray()
                async for piece in reply.content.iter_chunked(65_536):
                    content += piece
                    if len(content) > LONGEST_REPLY:
                        raise DraftFailed("too_large", "the endpoint's reply does not end")
                return reply.status, reply.headers, bytes(content)
        except TimeoutError:
            raise DraftFailed("timeout", "the endpoint did not answer in time") from None
        except aiohttp.ClientError as error:
            raise DraftFailed("unavailable", f"the endpoint broke off ({type(error).__name__})") from None

    def _read(self, reply: dict[str, Any], request: DraftRequest) -> DraftResult:
        usage = _usage(reply, self._model)
        try:
            choice = reply["choices"][0]
            message = choice["message"]
            text, reason, refusal = message.get("content"), choice.get("finish_reason"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise DraftFailed("invalid", "the reply is not a chat completion", usage=usage) from None
        if refusal or reason == "content_filter":
            raise DraftFailed("refused", "the model refused", usage=usage)
        if reason == "length":
            raise DraftFailed("cut", "the answer was cut at the token limit", usage=usage)
        return read_answer(text if isinstance(text, str) else "", given=request.given, usage=usage)


def _reply_object(reply: bytes) -> dict[str, Any]:
    try:
        content = json.loads(reply.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise DraftFailed("invalid", "the reply is not JSON") from None
    if not isinstance(content, dict):
        raise DraftFailed("invalid", "the reply is not a JSON object")
    return content


def _usage(reply: dict[str, Any], model: str) -> Usage:
    counts = reply.get("usage")
    counts = counts if isinstance(counts, dict) else {}

    def count(name: str) -> int:
        value = counts.get(name)
        return value if isinstance(value, int) and 0 <= value < 2**31 else 0

    named = reply.get("model")
    return Usage(named[:100] if isinstance(named, str) else model, count("prompt_tokens"), count("completion_tokens"))


def _failure(status: int, retry_after: str | None) -> DraftFailed:
    try:
        wait = float(retry_after) if retry_after else None
    except ValueError:
        wait = None
    if status == 429:
        return DraftFailed("rate_limited", "the endpoint asks to wait", retry_after_s=wait)
    if status in {408, 409} or status >= 500:
        return DraftFailed("unavailable", f"the endpoint answered {status}", retry_after_s=wait)
    if status in {401, 403, 404} or 300 <= status < 400:
        return DraftFailed("configuration", f"the endpoint answered {status}: check address, model and key")
    return DraftFailed("invalid", f"the endpoint answered {status}")
