"""Wrong types, huge and hostile values, another account's ids in every place: an answer with a sentence, never a 5xx.

GATEPOST_TEST_BAD_CALLS sets how many calls are made: some in `make check`, 10,000 in `make properties`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gatepost_api.access import PUBLIC, routes
from gatepost_api.lenient import ALIASES
from support.tenants import CANARY

pytestmark = pytest.mark.check

BAD_CALLS = int(os.environ.get("GATEPOST_TEST_BAD_CALLS", "1500"))
THEIRS = ("mailbox", "address", "message", "draft", "thread", "webhook", "contact", "key", "pause")
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=2**63), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40), st.sampled_from(["a\r\nBcc: x@y.z", "\u202egnp.exe", "\x7f", "𝒳" * 50, "x" * 5000, "' OR 1=1 --", "%00", "../../etc",
    "msg_00000000000000000000000000", "mbx_system", "*", "9" * 400, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "{}", "[]"]),
    st.lists(st.text(max_size=10), max_size=4), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=6), st.sampled_from([("theirs", name) for name in THEIRS]),
)  # fmt: skip
CALLED = [r for r in routes() if r.command not in {"wait_for_email", "list_events"} and r.status != 501 and r.scope != (PUBLIC,)]  # fmt: skip
NAMES = (
    "mailbox", "message_id", "tags", "limit", "cursor", "offset", "since", "send_at", "metadata", "attachments", "scopes", "reason",
    "target", "scope", "name", "mode", "events", "url", "items", "conditions", "key", "id", "code", "action", "thread_id", "include",
)  # fmt: skip


@pytest.fixture(scope="module")
def answers(played: Any, other: Any) -> Iterator[Counter[int]]:
    """How often each status came; keys that stopped working would make all further calls worth nothing."""
    found: Counter[int] = Counter()
    yield found
    assert found[401] == 0
    assert len(found) > 3, found


@pytest.fixture(scope="module")
def client(played: Any) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=played.http_url, timeout=30, trust_env=False) as made:
        yield made


@given(
    route=st.sampled_from(CALLED), values=st.lists(st.tuples(st.integers(0, 30), ODD), max_size=6), path=st.lists(ODD, min_size=4, max_size=4),
    key=st.sampled_from(["agent", "operator", "reviewer"]), raw=st.sampled_from(["json", "json", "json", "form", "junk"]),
)  # fmt: skip
@settings(
    max_examples=BAD_CALLS, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip
def test_no_input_makes_a_server_error_or_shows_what_is_not_ours(
    played: Any, other: Any, client: httpx2.Client, answers: Counter[int], route: Any, values: Any, path: Any, key: str, raw: str
) -> None:  # fmt: skip
    names = sorted({alias for aliases in ALIASES.get(route.command, {}).values() for alias in aliases} | set(NAMES))
    fields = {names[n % len(names)]: _meant(value, other) for n, value in values}
    segments = iter(path)
    target = "/".join(
        _segment(_meant(next(segments), other)) if p.startswith("{") else p for p in route.path.split("/")
    )
    plain = {k: str(v)[:2000] for k, v in fields.items()}
    sent: dict[str, Any] = {"json": fields}
    if route.method == "GET":
        sent = {"params": plain}
    elif raw == "form":
        sent = {"data": plain}
    elif raw == "junk":
        sent = {"content": repr(fields).encode("utf-8", "replace")}
    reply = client.request(route.method, target, headers={"Authorization": f"Bearer {played.keys[key]}"}, **sent)
    if route.door != "token":  # its key stands in the form
        answers[reply.status_code] += 1

    told = (route.method, target, fields, reply.text[:300])
    assert reply.status_code < 500 or "Nothing is signed yet." in reply.text, told
    assert CANARY not in reply.text or CANARY in repr(fields), told
    if reply.status_code >= 400:
        body = reply.json()
        assert isinstance(body["error"], str), told
        assert body["code"], told
        assert body["request_id"].startswith("req_"), told


def _meant(value: Any, other: Any) -> Any:
    """A place-holder becomes one of the other account's ids."""
    return other.ids[value[1]] if isinstance(value, tuple) else value


def _segment(value: Any) -> str:
    return quote(str(value)[:200].encode("utf-8", "replace").decode(), safe="") or "x"
