"""Every operation of the interface under generated input: no 5xx, and what comes is what the document says.

A sample runs in `make test`; GATEPOST_TEST_EXAMPLES sets how many inputs each operation gets, and `make check` asks for more.
"""

from __future__ import annotations

import os
from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from gatepost_api.access import PUBLIC, routes
from gatepost_api.door import application
from gatepost_api.lenient import ALIASES

EXAMPLES = int(os.environ.get("GATEPOST_TEST_EXAMPLES", "3"))
BAD_CALLS = int(os.environ.get("GATEPOST_TEST_BAD_CALLS", "300"))
QUICK = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.generate], database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Paper:
    """An office that nobody works in: enough to make the document."""

    public_url = "http://gatepost.test"
    openapi: Any = None


def document() -> dict[str, Any]:
    paper = Paper()
    application(paper)  # type: ignore[arg-type]
    return dict(paper.openapi())


schema = schemathesis.openapi.from_dict(document())


def key_for(scope: list[str]) -> str:
    """The key that may."""
    if set(scope) & {"oversight"}:
        return "reviewer"
    return "operator" if set(scope) & {"admin", "operator"} else "agent"


@schema.exclude(operation_id_regex=r"^(wait_for_email|list_events)_").parametrize()
@QUICK
def test_an_operation_keeps_to_its_document(case: Any, played: Any) -> None:
    raw = case.operation.definition.raw
    headers = {} if raw["x-scope"] == [PUBLIC] else {"Authorization": f"Bearer {played.keys[key_for(raw['x-scope'])]}"}
    response = case.call(base_url=played.http_url, headers=headers, timeout=30)

    if response.status_code == 503 and "audit" in raw["x-command"]:
        assert response.json()["error"] == "Nothing is signed yet."  # true of a fresh log, and of no other answer
        return
    assert response.status_code < 500 or response.status_code == 501, response.text[:300]
    if response.status_code not in {404, 405}:  # a generated path may be no path of ours
        case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])
    if response.status_code >= 400 and response.headers.get("content-type", [""])[0].startswith("application/json"):
        body = response.json()
        assert isinstance(body["error"], str)
        assert isinstance(body["code"], str)


# -- bad input -----------------------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=2**63), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=40), st.sampled_from(["a\r\nBcc: x@y.z", "\u202egnp.exe", "\x7f", "𝒳" * 50, "x" * 5000, "' OR 1=1 --", "%00", "../../etc",
    "msg_00000000000000000000000000", "mbx_system", "*", "9" * 400, "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "{}", "[]"]),
    st.lists(st.text(max_size=10), max_size=4), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=6),
)  # fmt: skip
CALLED = [
    r
    for r in routes()
    if r.command not in {"wait_for_email", "list_events"} and r.status != 501 and r.scope != (PUBLIC,)
]


@given(
    route=st.sampled_from(CALLED), values=st.lists(st.tuples(st.integers(0, 30), ODD), max_size=6), path=st.lists(ODD, min_size=4, max_size=4),
    key=st.sampled_from(["agent", "operator", "reviewer"]), raw=st.sampled_from(["json", "json", "json", "form", "junk"]),
)  # fmt: skip
@settings(
    max_examples=BAD_CALLS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_no_input_makes_a_server_error(played: Any, route: Any, values: Any, path: Any, key: str, raw: str) -> None:
    names = sorted({alias for aliases in ALIASES.get(route.command, {}).values() for alias in aliases} | {
        "mailbox", "message_id", "tags", "limit", "cursor", "offset", "since", "send_at", "metadata", "attachments", "scopes", "reason",
        "target", "scope", "name", "mode", "events", "url", "items", "conditions", "key", "id", "code", "action"})  # fmt: skip
    fields = {names[n % len(names)]: value for n, value in values}
    segments = iter(path)
    parts = [_segment(next(segments)) if p.startswith("{") else p for p in route.path.split("/")]
    headers = {"Authorization": f"Bearer {played.keys[key]}"}
    with httpx2.Client(base_url=played.http_url, timeout=30, trust_env=False) as client:
        if route.method == "GET":
            reply = client.request(
                "GET", "/".join(parts), params={k: str(v)[:2000] for k, v in fields.items()}, headers=headers
            )
        elif raw == "form":
            reply = client.request(
                route.method, "/".join(parts), data={k: str(v)[:2000] for k, v in fields.items()}, headers=headers
            )
        elif raw == "junk":
            reply = client.request(
                route.method, "/".join(parts), content=repr(fields).encode("utf-8", "replace"), headers=headers
            )
        else:
            reply = client.request(route.method, "/".join(parts), json=fields, headers=headers)

    assert reply.status_code < 500 or "Nothing is signed yet." in reply.text, (
        route.method,
        route.path,
        fields,
        reply.text[:300],
    )
    if reply.status_code >= 400:
        assert isinstance(reply.json()["error"], str)


def _segment(value: Any) -> str:
    from urllib.parse import quote

    return quote(str(value)[:200].encode("utf-8", "replace").decode(), safe="") or "x"
