"""Every operation of the interface under generated input: no 5xx, and what comes is what the document says.

GATEPOST_TEST_EXAMPLES sets how many inputs each operation gets: few in `make check`, more in `make properties`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from gatepost_api.access import PUBLIC
from gatepost_api.door import application
from support.tenants import CANARY

pytestmark = pytest.mark.check

EXAMPLES = int(os.environ.get("GATEPOST_TEST_EXAMPLES", "2"))
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


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """Kept connections: opening one costs more than most calls."""
    with requests.Session() as made:
        made.trust_env = False
        yield made


@schema.exclude(operation_id_regex=r"^(wait_for_email|list_events)_").parametrize()
@QUICK
def test_an_operation_keeps_to_its_document(case: Any, played: Any, other: Any, session: requests.Session) -> None:
    raw = case.operation.definition.raw
    headers = {} if raw["x-scope"] == [PUBLIC] else {"Authorization": f"Bearer {played.keys[key_for(raw['x-scope'])]}"}
    response = case.call(base_url=played.http_url, headers=headers, timeout=30, session=session)

    if response.status_code == 503 and "audit" in raw["x-command"]:
        assert response.json()["error"] == "Nothing is signed yet."  # true of a fresh log, and of no other answer
        return
    assert CANARY not in response.text
    assert response.status_code < 500 or response.status_code == 501, response.text[:300]
    if response.status_code not in {404, 405}:  # a generated path may be no path of ours
        case.validate_response(response, checks=[status_code_conformance, response_schema_conformance])
    if response.status_code >= 400 and response.headers.get("content-type", [""])[0].startswith("application/json"):
        body = response.json()
        assert isinstance(body["error"], str)
        assert isinstance(body["code"], str)
