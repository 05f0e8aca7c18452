"""The SDK against a transport of our own: what it sends, what it repeats, what it raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from gatepost_client import (
    AsyncGatepost,
    AuthenticationError,
    Gatepost,
    MultimailClient,
    MultiMailError,
    NotFoundError,
    RateLimitError,
    ValidationError,
)

Answer = Callable[[httpx2.Request], httpx2.Response]


def client(answer: Answer, **more: Any) -> MultimailClient:
    return MultimailClient("k", base_url="http://gp.test", transport=httpx2.MockTransport(answer), **more)


def answers(*replies: tuple[int, Any, dict[str, str]]) -> tuple[Answer, list[httpx2.Request]]:
    seen: list[httpx2.Request] = []
    left = list(replies)

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        status, body, headers = left.pop(0) if len(left) > 1 else left[0]
        return httpx2.Response(status, json=body, headers=headers)

    return answer, seen


def test_a_read_is_a_get_with_the_key() -> None:
    answer, seen = answers((200, {"messages": []}, {}))

    client(answer).check_inbox("support@d.test", filter="unread", limit=5)

    assert seen[0].method == "GET"
    assert seen[0].url.path == "/check_inbox"
    assert dict(seen[0].url.params) == {"mailbox_id": "support@d.test", "filter": "unread", "limit": "5"}
    assert seen[0].headers["authorization"] == "Bearer k"


def test_a_send_takes_from_as_a_keyword() -> None:
    answer, seen = answers((202, {"id": "msg_1"}, {}))

    client(answer, mailbox_id="mbx_1").send_email("a@b.test", "s", "b", metadata={"n": 1}, **{"from": "s@d.test"})

    assert json.loads(seen[0].content) == {
        "to": "a@b.test",
        "subject": "s",
        "body": "b",
        "from": "s@d.test",
        "metadata": {"n": 1},
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ValidationError),
        (422, ValidationError),
        (401, AuthenticationError),
        (404, NotFoundError),
        (403, MultiMailError),
    ],
)
def test_each_refusal_has_its_error(status: int, kind: type[MultiMailError]) -> None:
    answer, _ = answers((status, {"error": "No.", "code": "x", "hint": "Do."}, {}))

    with pytest.raises(kind) as error:
        client(answer).cancel_message("msg_1")

    assert error.value.status_code == status
    assert error.value.code == "x"
    assert "No." in str(error.value)


def test_reads_are_repeated_and_honour_retry_after() -> None:
    answer, seen = answers((503, {"error": "x"}, {"Retry-After": "0"}), (200, {"messages": []}, {}))

    assert client(answer).list_pending() == {"messages": []}
    assert len(seen) == 2


def test_a_decision_is_never_repeated() -> None:
    answer, seen = answers((503, {"error": "x"}, {"Retry-After": "0"}))

    with pytest.raises(MultiMailError):
        client(answer).decide_email("msg_1", "approve")

    assert len(seen) == 1


def test_a_send_with_a_key_is_repeated() -> None:
    answer, seen = answers((503, {"error": "x"}, {"Retry-After": "0"}), (202, {"id": "msg_1"}, {}))

    assert client(answer).send_email("a@b.test", "s", "b", idempotency_key="k1") == {"id": "msg_1"}
    assert len(seen) == 2


def test_too_many_says_how_long() -> None:
    answer, _ = answers((429, {"error": "slow"}, {"Retry-After": "7"}))

    with pytest.raises(RateLimitError) as error:
        client(answer).tag_email("msg_1", ["a"])

    assert error.value.retry_after == 7


def test_the_key_may_be_named_like_the_guides_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIMAIL_API_KEY", "from-there")
    answer, seen = answers((200, {}, {}))

    MultimailClient("$MULTIMAIL_API_KEY", base_url="http://gp.test", transport=httpx2.MockTransport(answer)).status()

    assert seen[0].headers["authorization"] == "Bearer from-there"


async def test_both_rest_clients_ask_the_same() -> None:
    """One set of methods; only waiting differs."""
    answer, seen = answers((200, {"id": "x"}, {}))

    with Gatepost("k", base_url="http://gp.test", transport=httpx2.MockTransport(answer)) as blocking:
        blocking.get_mailbox("a b@d.test")
        blocking.decide("msg_1", "reject", reason="no")
    async with AsyncGatepost("k", base_url="http://gp.test", transport=httpx2.MockTransport(answer)) as waiting:
        await waiting.get_mailbox("a b@d.test")
        await waiting.decide("msg_1", "reject", reason="no")

    assert [(r.method, str(r.url), r.content) for r in seen[:2]] == [
        (r.method, str(r.url), r.content) for r in seen[2:]
    ]
