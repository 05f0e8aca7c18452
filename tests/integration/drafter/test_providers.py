"""The two adapters against local servers that speak their APIs, well and badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from gatepost_drafter.provider import DraftFailed, DraftRequest, Passage, Provider, Turn
from gatepost_drafter.providers.openai_compatible import OpenAICompatible
from gatepost_drafter.providers.retry import Budget

ANSWER = {"body": "Hello,\n\ntwo days.", "category": "shipping", "placeholders": [], "commitments": [],
          "evidence": [{"sentence": "two days.", "ids": ["chk_1"]}]}  # fmt: skip
REQUEST = DraftRequest(
    "Support", "support@demo.test", "Answer as Zoe would.", "Ada",
    (Turn("msg_1", "inbound", "Ada", "ada@c.example", None, "s", "How long does delivery take?"),
     Turn("msg_2", "outbound", "Support", "support@demo.test", None, "Re: s", "Two days."),
     Turn("msg_3", "inbound", "Ada", "ada@c.example", None, "s", "To Austria too?")),
    (Passage("chk_1", "kno_1", "Shipping", "Times", "Two days.", 1.0),),
)  # fmt: skip
Reply = web.StreamResponse | str


class Model:
    """A local server whose replies a test scripts; the last one repeats."""

    def __init__(self) -> None:
        self.replies: list[Callable[[], web.Response] | str] = []
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append({k.lower(): v for k, v in request.headers.items()})
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply == "hang":
            await asyncio.sleep(30)
        if reply == "reset":
            assert request.transport is not None
            request.transport.abort()
        assert callable(reply)
        return reply()


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model()
    app = web.Application()
    app.router.add_post("/v1/messages", made.answer)
    app.router.add_post("/v1/chat/completions", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


class Talk:
    """How one API words a good answer, and the adapter for it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def provider(self, model: Model, **budget: Any) -> Provider:
        limits = Budget(**({"attempts": 3, "deadline_s": 5, "pause_s": 0.01, "calls_s": 2} | budget))
        if self.kind == "anthropic":
            from gatepost_drafter.providers.anthropic_messages import AnthropicMessages

            return AnthropicMessages("secret", "claude-test", model.url, budget=limits)
        return OpenAICompatible(model.url + "/v1", "gpt-test", "secret", budget=limits)

    def says(self, text: str, reason: str = "done") -> Callable[[], web.Response]:
        if self.kind == "anthropic":
            stop = {"done": "end_turn", "cut": "max_tokens", "refused": "refusal"}[reason]
            body: dict[str, Any] = {
                "id": "m", "type": "message", "role": "assistant", "model": "claude-test", "stop_reason": stop,
                "stop_sequence": None, "content": [{"type": "text", "text": text}] if text else [],
                "usage": {"input_tokens": 11, "output_tokens": 7},
            }  # fmt: skip
        else:
            stop = {"done": "stop", "cut": "length", "refused": "content_filter"}[reason]
            body = {
                "id": "c", "object": "chat.completion", "model": "gpt-test",
                "choices": [{"index": 0, "finish_reason": stop, "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7},
            }  # fmt: skip
        return lambda: web.json_response(body)


@pytest.fixture(params=["anthropic", "openai"])
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(request.param)


async def failure(provider: Provider) -> DraftFailed:
    try:
        with pytest.raises(DraftFailed) as failed:
            await provider.draft(REQUEST)
        return failed.value
    finally:
        await provider.close()


async def test_a_good_answer_is_a_draft(model: Model, talk: Talk) -> None:
    """With its words, its evidence and what it cost."""
    model.replies = [talk.says(json.dumps(ANSWER))]
    provider = talk.provider(model)
    draft = await provider.draft(REQUEST)
    await provider.close()

    assert draft.markdown == "Hello,\n\ntwo days."
    assert draft.evidence[0].ids == ("chk_1",)
    assert (draft.usage.input_tokens, draft.usage.output_tokens) == (11, 7)
    assert model.headers[0].get("authorization", model.headers[0].get("x-api-key", "")).endswith("secret")


async def test_the_thread_is_asked_as_roles(model: Model, talk: Talk) -> None:
    """The operator's words in the system prompt, the thread behind it, the model asked for JSON."""
    model.replies = [talk.says(json.dumps(ANSWER))]
    provider = talk.provider(model)
    await provider.draft(REQUEST)
    await provider.close()
    (asked,) = model.asked
    system = asked["system"] if talk.kind == "anthropic" else asked["messages"].pop(0)["content"]

    assert "Answer as Zoe would." in system
    assert [m["role"] for m in asked["messages"]] == ["user", "assistant", "user"]
    assert "tools" not in asked
    assert ("output_config" in asked) or ("response_format" in asked)


async def test_a_busy_model_is_asked_again(model: Model, talk: Talk) -> None:
    model.replies = [
        lambda: web.Response(status=429, headers={"Retry-After": "0"}),
        lambda: web.Response(status=500),
        talk.says(json.dumps(ANSWER)),
    ]
    provider = talk.provider(model)
    draft = await provider.draft(REQUEST)
    await provider.close()

    assert draft.markdown
    assert len(model.asked) == 3


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limited"), (500, "unavailable"), (529, "unavailable")])
async def test_retries_end(model: Model, talk: Talk, status: int, kind: str) -> None:
    """One budget: the SDK's own retries do not multiply with ours."""
    model.replies = [
        lambda: web.json_response({"type": "error", "error": {"type": "x", "message": "m"}}, status=status)
    ]
    failed = await failure(talk.provider(model))

    assert failed.kind == kind
    assert len(model.asked) == 3


async def test_a_pause_beyond_the_deadline_is_not_waited_for(model: Model, talk: Talk) -> None:
    model.replies = [lambda: web.Response(status=429, headers={"Retry-After": "3600"})]

    assert (await failure(talk.provider(model))).kind == "rate_limited"
    assert len(model.asked) == 1


@pytest.mark.parametrize(("status", "kind"), [(401, "configuration"), (404, "configuration"), (400, "invalid")])
async def test_what_would_fail_again_is_tried_once(model: Model, talk: Talk, status: int, kind: str) -> None:
    model.replies = [lambda: web.json_response({"error": {"message": "no"}}, status=status)]

    assert (await failure(talk.provider(model))).kind == kind
    assert len(model.asked) == 1


async def test_a_silent_model_times_out(model: Model, talk: Talk) -> None:
    model.replies = ["hang"]

    assert (await failure(talk.provider(model, attempts=2, calls_s=0.3))).kind == "timeout"


async def test_a_broken_connection_is_unavailable(model: Model, talk: Talk) -> None:
    model.replies = ["reset"]

    assert (await failure(talk.provider(model, attempts=2))).kind == "unavailable"


@pytest.mark.parametrize(
    ("text", "reason", "kind"),
    [
        ("", "done", "empty"),
        ('{"body": "half', "cut", "cut"),
        ("", "refused", "refused"),
        ('{"body": "half', "done", "cut"),
        ("no json", "done", "invalid"),
        ('{"wrong": 1}', "done", "invalid"),
        ('{"body": "' + "x" * 600_000 + '"}', "done", "too_large"),
    ],
)
async def test_no_half_answer_becomes_a_draft(model: Model, talk: Talk, text: str, reason: str, kind: str) -> None:
    """And it is paid for once, and counted."""
    model.replies = [talk.says(text, reason)]
    failed = await failure(talk.provider(model))

    assert failed.kind == kind
    assert failed.usage.output_tokens == 7
    assert len(model.asked) == 1


@pytest.mark.parametrize("body", [b"not json", b'{"a": "\xff\xfe"}', b"[]", b"{}", b'{"choices": 5, "content": 5}'])
async def test_a_reply_that_is_none_is_invalid(model: Model, talk: Talk, body: bytes) -> None:
    model.replies = [lambda: web.Response(body=body, content_type="application/json")]

    assert (await failure(talk.provider(model))).kind == "invalid"


async def test_an_endless_reply_is_cut_off(model: Model) -> None:
    model.replies = [lambda: web.Response(body=b"x" * 2_000_000)]

    assert (await failure(Talk("openai").provider(model))).kind == "too_large"


async def test_a_plain_server_is_asked_plainly(model: Model) -> None:
    """Local servers know neither JSON schemas nor the newer names; the plainer form is remembered."""
    talk = Talk("openai")
    model.replies = [
        lambda: web.json_response({"error": {"message": "unknown response_format json_schema"}}, status=400),
        lambda: web.json_response({"error": {"message": "response_format is not known"}}, status=400),
        talk.says(json.dumps(ANSWER)),
    ]
    provider = talk.provider(model)
    await provider.draft(REQUEST)
    await provider.draft(REQUEST)
    await provider.close()

    assert ["response_format" in asked for asked in model.asked] == [True, True, False, False]
