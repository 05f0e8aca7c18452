"""The access table is the router: nothing answers that has no row, and every row is guarded."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fastapi.routing import APIRoute

from gatepost_api import access
from gatepost_api.access import ACCESS, PUBLIC, routes
from gatepost_api.caller import Caller
from gatepost_api.commands import COMMANDS
from gatepost_api.door import application, sealed
from gatepost_api.errors import Refusal
from gatepost_api.lenient import ALIASES
from gatepost_oversight.credential import SCOPES


class Paper:
    """An office that nobody works in: enough to build the router."""

    public_url = "http://gatepost.test"
    openapi: Any = None


def app() -> Any:
    return application(cast("Any", Paper()))


def key(*scopes: str, kind: str = "agent") -> Caller:
    return Caller("key_1", "ten_1", "prn_1", kind, "x", "gp_live_x", frozenset(scopes))


def test_the_running_router_and_the_table_are_the_same() -> None:
    running = {
        (method, route.path) for route in app().routes if isinstance(route, APIRoute) for method in route.methods
    }

    assert {(r.method, r.path) for r in routes()} == running
    assert len(app().routes) == len(running)


async def planted_answer() -> dict[str, str]:
    return {"let": "in"}


@pytest.mark.parametrize("plant", [
    lambda planted: planted.add_api_route("/planted", planted_answer, methods=["GET"]),
    lambda planted: planted.mount("/planted", planted),
    lambda planted: planted.add_api_route("/v1/account", planted_answer, methods=["GET"]),
])  # fmt: skip
def test_a_route_without_a_row_stops_the_start(plant) -> None:
    """An unguarded route cannot exist: not beside the table, not below it, not twice."""
    planted = app()
    plant(planted)

    with pytest.raises(RuntimeError, match="without a row of the access table"):
        sealed(planted)


def test_every_command_has_one_function_and_one_row() -> None:
    names = [row.command for row in ACCESS]

    assert len(names) == len(set(names))
    assert set(names) == set(COMMANDS)
    assert set(ALIASES) <= set(names)


def test_no_two_rows_share_a_path() -> None:
    pairs = [(r.method, r.path) for r in routes()]

    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("row", ACCESS, ids=lambda row: row.command)
def test_every_row_says_who_may_and_whose_it_is(row: access.Access) -> None:
    assert row.scope
    assert row.tenant
    assert row.doc
    assert set(row.scope) <= {*SCOPES, access.OPERATOR, access.PERSON, access.ANY_KEY, PUBLIC}
    if row.mutates:
        assert "read" not in row.scope
        assert not any(method == "GET" for method, _ in row.rest)


def test_public_routes_are_few_and_known() -> None:
    assert {r.command for r in routes() if PUBLIC in r.scope} == {
        "show_approval",
        "show_unsubscribe",
        "unsubscribe",
        "health",
        "open_attachment",
        "openapi",
        "sign_up",
        "oauth_resource",
        "review_page",
        "signing_keys",
        "setup_multimail",
        "verify_page",
    }


def test_what_decides_takes_no_agent() -> None:
    agent = key("read", "send", "oversight_read", "admin")
    for command in (
        "decide_email", "decide_many", "claim_email", "resolve", "delete_pause", "remove_suppression", "apply_upgrade",
        "delete_category",
    ):  # fmt: skip
        row = next(row for row in ACCESS if row.command == command)
        with pytest.raises(Refusal) as refusal:
            agent.demand(row.scope)
        assert refusal.value.status == 403


def test_scopes_contain_what_they_contain_and_no_more() -> None:
    assert key("admin").may(("read",))
    assert key("oversight").may(("oversight_read",))
    assert not key("admin").may(("send",))
    assert not key("admin").may(("oversight",))
    assert not key("oversight").may(("read",))
    assert key("admin", kind="person").may(("operator",))
    assert not key("admin", kind="service").may(("operator",))
    assert key("oversight", kind="person").may(("person",))


def test_literal_segments_come_before_parameters() -> None:
    paths = [r.path for r in routes() if r.method == "GET"]

    assert paths.index("/v1/emails/inbox") < paths.index("/v1/emails/{message_id}")
    assert paths.index("/v1/emails/pending") < paths.index("/v1/emails/{message_id}")


def test_the_document_has_every_route() -> None:
    from gatepost_api import document

    made = document.whole(app(), "http://gatepost.test")
    described = {(method.upper(), path) for path, item in made["paths"].items() for method in item}

    assert {(r.method, r.path) for r in routes()} == described
    assert made["servers"] == [{"url": "http://gatepost.test"}]
