"""Claude through the Messages API, by Anthropic's own SDK.

The SDK's retries are off: they would multiply with ours. One budget counts tries and seconds for a draft.
"""

from __future__ import annotations

import secrets
from typing import Any

import anthropic

from gatepost_drafter.answer import read_answer
from gatepost_drafter.prompt import PROMPT_VERSION, SCHEMA, build
from gatepost_drafter.provider import DraftFailed, DraftRequest, DraftResult, Usage
from gatepost_drafter.providers.retry import Budget, within


class AnthropicMessages:
    """Asks `POST <base_url>/v1/messages`."""

    name = "anthropic"
    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        api_key: str,
        model: str,
        base_url: str | None = None,
        *,
        max_tokens: int = 4096,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._model = model
        self._max_tokens = max_tokens
        self._is_structured = True
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key, base_url=base_url, max_retries=0, timeout=self._budget.calls_s
        )

    async def draft(self, request: DraftRequest) -> DraftResult:
        """Write one draft; raises DraftFailed."""
        prompt = build(request, f"data-{secrets.token_hex(8)}")
        messages = [{"role": say.role, "content": say.text} for say in prompt.messages]

        async def call() -> DraftResult:
            return self._read(await self._ask(prompt.system, messages), request)

        return await within(self._budget, call)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(self, system: str, messages: list[dict[str, str]]) -> Any:
        while True:
            options: dict[str, Any] = {}
            if self._is_structured:
                options["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
            try:
                return await self._client.messages.create(
                    model=self._model, max_tokens=self._max_tokens, system=system,
                    messages=messages, **options,  # type: ignore[arg-type]
                )  # fmt: skip
            except anthropic.APITimeoutError:
                raise DraftFailed("timeout", "the model did not answer in time") from None
            except anthropic.BadRequestError as error:
                if self._is_structured and "output_config" in str(error):  # an older model or a gateway
                    self._is_structured = False
                    continue
                raise DraftFailed("invalid", "the model refused the request as malformed") from None
            except anthropic.APIStatusError as error:
                raise _failure(error) from None
            except anthropic.APIConnectionError as error:
                raise DraftFailed("unavailable", f"the connection broke off ({type(error).__name__})") from None
            except anthropic.APIError as error:
                raise DraftFailed("invalid", f"the reply could not be read ({type(error).__name__})") from None
            except ValueError as error:  # not JSON, not UTF-8
                raise DraftFailed("invalid", f"the reply could not be read ({type(error).__name__})") from None

    def _read(self, reply: Any, request: DraftRequest) -> DraftResult:
        try:
            usage = Usage(str(reply.model)[:100], int(reply.usage.input_tokens), int(reply.usage.output_tokens))
            reason = reply.stop_reason
            text = "".join(str(block.text) for block in reply.content if block.type == "text")
        except (AttributeError, TypeError, ValueError):
            raise DraftFailed("invalid", "the reply is not a message", usage=Usage(self._model)) from None
        if reason == "refusal":
            raise DraftFailed("refused", "the model refused", usage=usage)
        if reason in {"max_tokens", "model_context_window_exceeded"}:
            raise DraftFailed("cut", "the answer was cut at the token limit", usage=usage)
        return read_answer(text, given=request.given, usage=usage)


def _failure(error: anthropic.APIStatusError) -> DraftFailed:
    status = error.status_code
    try:
        wait = float(error.response.headers.get("retry-after") or 0) or None
    except ValueError:
        wait = None
    if status == 429:
        return DraftFailed("rate_limited", "the model asks to wait", retry_after_s=wait)
    if status in {408, 409} or status >= 500:
        return DraftFailed("unavailable", f"the model answered {status}", retry_after_s=wait)
    if status in {401, 403, 404}:
        return DraftFailed("configuration", f"the model answered {status}: check model and key")
    return DraftFailed("invalid", f"the model answered {status}")
