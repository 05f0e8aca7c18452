"""The published SDK's methods under their own names: each asks for the right thing and unwraps the right list."""

from __future__ import annotations

import inspect
import json

import httpx2
import pytest

from gatepost_client import AsyncMultiMail, MultiMail, MultiMailError
from gatepost_client.published import PublishedCalls

LISTS = {"mailboxes": "list_mailboxes", "contacts": "list_contacts", "pending": "list_pending", "api_keys": "list_api_keys",
         "webhooks": "list_webhooks", "domains": "list_domains", "suppressions": "list_suppressions", "entries": "get_audit_log"}  # fmt: skip
METHODS = [n for n, f in inspect.getmembers(PublishedCalls, inspect.isfunction) if not n.startswith("_")]


def answer(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(
        200, json={"path": request.url.path, "method": request.method, **{key: [{"id": key}] for key in LISTS}}
    )


def arguments(name: str) -> tuple[list[str], dict[str, object]]:
    parameters = [p for p in inspect.signature(getattr(PublishedCalls, name)).parameters.values() if p.name != "self"]
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return (["a b"] * sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in needed),
            {p.name: ["x@y.test"] if p.name == "to" else "x" for p in needed if p.kind is p.KEYWORD_ONLY})  # fmt: skip


def test_the_thirty_six_are_there() -> None:
    assert len(METHODS) == 36


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_does_what_the_published_one_does(name: str) -> None:
    args, kwargs = arguments(name)
    if name == "set_tags":
        args[-1] = {}  # type: ignore[call-overload]
    with MultiMail("k", base_url="http://t", transport=httpx2.MockTransport(answer)) as client:
        result = getattr(client, name)(*args, **kwargs)

    wanted = next((key for key, method in LISTS.items() if method == name), None)
    if wanted:
        assert result == [{"id": wanted}]
    elif name.startswith(("delete_", "revoke_", "remove_")):
        assert result is None
    elif name == "download_attachment":
        assert json.loads(result)["path"].endswith("/attachments/a b")
    else:
        assert result["path"].startswith("/v1/")


async def test_the_asyncio_client_does_the_same() -> None:
    async with AsyncMultiMail("k", base_url="http://t", transport=httpx2.MockTransport(answer)) as client:
        assert await client.list_mailboxes() == [{"id": "mailboxes"}]
        assert await client.delete_contact("c") is None
        assert (await client.get_account())["method"] == "GET"


def test_a_refusal_is_raised_with_its_words() -> None:
    refused = httpx2.MockTransport(
        lambda _: httpx2.Response(501, json={"error": "No.", "code": "not_offered", "hint": ""})
    )
    with MultiMail("k", base_url="http://t", transport=refused) as client, pytest.raises(MultiMailError) as error:
        client.delete_account()

    assert (error.value.status_code, error.value.code) == (501, "not_offered")
