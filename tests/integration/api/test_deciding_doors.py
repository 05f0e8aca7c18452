"""Decisions through the doors: two reviewers at once, two people, leases, many at a time, edits and what they changed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from support.doors import Doors, numbers


@pytest.fixture(scope="module")
def second(doors: Doors, gatepost: Any) -> Iterator[httpx2.Client]:
    """Another reviewer."""
    made = doors["operator"].post(
        "/v1/api-keys", json={"name": f"second {next(numbers)}", "scopes": ["read", "oversight"], "kind": "person"}
    ).json()  # fmt: skip
    with httpx2.Client(
        base_url=gatepost.http_url, headers={"Authorization": f"Bearer {made['api_key']}"}, timeout=30, trust_env=False
    ) as client:
        client.key_id = made["id"]  # type: ignore[attr-defined]
        client.principal = made["principal"]  # type: ignore[attr-defined]
        yield client


def decide(client: httpx2.Client, mail: dict[str, Any], action: str = "approve", **more: Any) -> httpx2.Response:
    return client.post(
        "/v1/oversight/decide", json={"id": mail["id"], "action": action, "revision": mail["content_sha256"]} | more
    )


def test_two_reviewers_clicking_at_once_give_one_decision_and_one_409(
    doors: Doors, box: dict[str, Any], second: httpx2.Client
) -> None:
    """With who decided and when; and the mail is sent once."""
    for _ in range(5):
        mail = doors.held(box)
        with ThreadPoolExecutor(2) as both:
            replies = list(both.map(decide, (doors["reviewer"], second), (mail, mail)))

        assert [200, 409] == sorted(reply.status_code for reply in replies)
        winner, loser = sorted(replies, key=lambda reply: reply.status_code)
        assert ("already_decided", winner.json()["decided_by"]) == (loser.json()["code"], loser.json()["decided_by"])
        assert loser.json()["decided_at"]


def test_an_approval_of_revision_1_never_sends_revision_2(doors: Doors, box: dict[str, Any], gatepost: Any) -> None:
    """The page showed the first; the agent rewrote it; the click is refused, and the second waits."""
    mail = doors.held(box, subject=f"revision {next(numbers)}")
    text = f"another text {next(numbers)}"
    revised = doors["agent"].post("/reply_email", json={"message_id": mail["id"], "body": text})
    assert (202, 2) == (revised.status_code, revised.json()["revision"])

    def click() -> httpx2.Response:
        return decide(doors["reviewer"], mail)

    from support.installation import eventually

    eventually(lambda: click().json().get("code") == "stale_revision" or None, "a refusal of the stale page")
    view = doors["reviewer"].get(f"/v1/emails/{mail['id']}").json()
    assert ("pending_send_approval", 2) == (view["status"], view["revision"])
    assert not [m for m in gatepost.left() if text in str(m)]


def test_two_people_where_two_are_asked_for(doors: Doors, second: httpx2.Client, gatepost: Any) -> None:
    """And an approval whose key was revoked counts no more: the next is a first one again."""
    box = doors["operator"].post("/v1/mailboxes", json={"address": f"two{next(numbers)}@guide.test"}).json()
    path = f"/v1/mailboxes/{box['id']}"
    assert 403 == doors["agent"].patch(path, json={"two_person": True}).status_code
    assert doors["operator"].patch(path, json={"two_person": True}).json()["two_person"] is True
    third = doors["operator"].post(
        "/v1/api-keys", json={"name": f"third {next(numbers)}", "scopes": ["read", "oversight"], "kind": "person"}
    ).json()  # fmt: skip
    mail = doors.held(box)
    first = httpx2.post(
        f"{gatepost.http_url}/v1/oversight/decide", headers={"X-API-Key": third["api_key"]}, timeout=30,
        json={"id": mail["id"], "action": "approve", "revision": mail["content_sha256"]},
    ).json()  # fmt: skip
    assert ("held", 1) == (first["state"], first["approvals_left"])
    assert 200 == doors["operator"].delete(f"/v1/api-keys/{third['id']}").status_code

    again = decide(second, mail).json()
    assert ("held", 1) == (again["state"], again["approvals_left"])
    waiting = doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"][0]
    assert (2, [second.principal]) == (waiting["approvals_needed"], waiting["approvals"])  # type: ignore[attr-defined]
    assert "approved" in decide(doors["reviewer"], mail).json()["status"]


def test_a_lease_keeps_another_reviewer_away_until_it_is_given_back(
    doors: Doors, box: dict[str, Any], second: httpx2.Client
) -> None:
    mail = doors.held(box)
    reviewer = doors["reviewer"]
    taken = reviewer.post("/v1/oversight/claim", json={"message_id": mail["id"], "lease_s": 60})
    assert 200 == taken.status_code
    assert taken.json()["claimed_until"]
    assert 200 == reviewer.post("/v1/oversight/claim", json={"message_id": mail["id"]}).status_code

    others = [second.post("/v1/oversight/claim", json={"message_id": mail["id"]}), decide(second, mail)]
    assert [(409, "claimed", taken.json()["claimed_by"])] * 2 == [
        (reply.status_code, reply.json()["code"], reply.json()["claimed_by"]) for reply in others
    ]
    shown = second.get("/list_pending", params={"mailbox_id": box["id"]}).json()["messages"]
    assert taken.json()["claimed_by"] == next(m for m in shown if m["id"] == mail["id"])["claimed_by"]
    assert 403 == doors["agent"].post("/v1/oversight/claim", json={"message_id": mail["id"]}).status_code

    assert "released" == reviewer.post("/v1/oversight/release", json={"message_id": mail["id"]}).json()["status"]
    assert 200 == second.post("/v1/oversight/claim", json={"message_id": mail["id"]}).status_code
    assert 409 == decide(reviewer, mail).status_code
    assert 200 == decide(reviewer, mail, force=True).status_code
    assert 409 == second.post("/v1/oversight/claim", json={"message_id": mail["id"]}).status_code


def test_a_lease_ends_by_itself(doors: Doors, box: dict[str, Any], second: httpx2.Client, gatepost: Any) -> None:
    import asyncio

    import asyncpg

    mail = doors.held(box)
    assert 200 == doors["reviewer"].post("/v1/oversight/claim", json={"message_id": mail["id"]}).status_code

    async def age() -> None:
        owner = await asyncpg.connect(gatepost.info["database_url"])
        await owner.execute("UPDATE review_claim SET claimed_until = now() WHERE message_id = $1", mail["id"])
        await owner.close()

    asyncio.run(age())

    assert 200 == decide(second, mail).status_code


def test_many_at_once_where_the_reasons_are_the_same(doors: Doors, box: dict[str, Any]) -> None:
    """Each is decided by itself; one that was decided before is refused alone."""
    mails = [doors.held(box) for _ in range(4)]
    decide(doors["reviewer"], mails[0], "reject")
    items = [{"id": mail["id"], "revision": mail["content_sha256"]} for mail in mails]

    reply = doors["reviewer"].post("/v1/oversight/decide-many", json={"action": "approve", "items": items}).json()

    assert (3, 1) == (reply["decided"], reply["refused"])
    assert [m["id"] for m in mails] == [result["id"] for result in reply["results"]]
    assert [409, 200, 200, 200] == [result["status_code"] for result in reply["results"]]
    assert "already_decided" == reply["results"][0]["code"]


def test_different_reasons_are_not_decided_together(doors: Doors, box: dict[str, Any]) -> None:
    """Nothing is decided; the reply says which belong together."""
    mails = [doors.held(box), doors.held(box), doors.held(box, body="We owe you $25,000 by Friday.")]
    items = [{"id": mail["id"], "action": "approve", "revision": mail["content_sha256"]} for mail in mails]

    refused = doors["reviewer"].post("/v1/oversight/decide-many", json={"items": items})

    assert (400, 2) == (refused.status_code, len(refused.json()["groups"]))
    waiting = doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"], "limit": 100}).json()["messages"]
    assert {m["id"] for m in mails} <= {m["id"] for m in waiting}


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []}, {"items": "all"}, {"items": [{"id": "x", "action": "approve"}] * 201}, {"items": [{"id": "x"}]},
        {"action": "approve", "items": [{"id": "x", "revised_body": "y"}]},
        {"items": [{"id": "x", "action": "approve"}, {"id": "y", "action": "reject"}]},
    ],
)  # fmt: skip
def test_what_is_no_bulk_is_refused(doors: Doors, wrong: dict[str, Any]) -> None:
    assert 400 == doors["reviewer"].post("/v1/oversight/decide-many", json=wrong).status_code


def test_an_edit_says_what_it_changed(doors: Doors, box: dict[str, Any]) -> None:
    mail = doors.held(box, subject=f"Way {next(numbers)}", body="It is on its way.")

    reply = decide(doors["reviewer"], mail, revised_body="It is not on its way.").json()

    assert "It is {+not+} on its way." == reply["word_diff"]
    assert "-It is on its way." in reply["diff"]
    thread = doors["reviewer"].get(f"/v1/threads/{mail['thread_id']}", params={"include": "history"}).json()
    assert any("+It is not on its way." in (entry.get("diff") or "") for entry in thread["history"])


def test_a_rewrite_shows_what_it_changed(doors: Doors, box: dict[str, Any]) -> None:
    from support.installation import eventually

    mail = doors.held(box, subject=f"Way {next(numbers)}", body="It is on its way.")
    decide(doors["reviewer"], mail, "reject", note="Say when.", reason_code="incomplete")
    doors["agent"].post("/reply_email", json={"message_id": mail["id"], "body": "It is on its way, for Monday."})

    def look() -> dict[str, Any] | None:
        page = doors["reviewer"].get("/list_pending", params={"mailbox_id": box["id"], "limit": 100}).json()["messages"]
        return next((m for m in page if m["id"] == mail["id"]), None)

    shown = eventually(look, "the rewrite")
    assert "+It is on its way, for Monday." in shown["diff"]


def test_a_fault_has_a_name_that_is_known(doors: Doors, box: dict[str, Any]) -> None:
    mail = doors.held(box)

    unknown = decide(doors["reviewer"], mail, "reject", note="no", reason_code="ugly")

    assert (400, "wrong_fact" in unknown.json()["hint"]) == (unknown.status_code, True)
    assert 200 == decide(doors["reviewer"], mail, "reject", note="no", reason_code="tone").status_code


def test_a_draft_for_later_does_not_expire_before_anyone_is_asked(
    doors: Doors, box: dict[str, Any], gatepost: Any
) -> None:
    """A month ahead, with a week to decide."""
    import asyncio
    from datetime import UTC, datetime, timedelta

    import asyncpg

    later = datetime.now(UTC) + timedelta(days=30)
    sent = doors.send(box, send_at=later.strftime("%Y-%m-%dT%H:%M:%SZ"), gate_timing="schedule_first").json()

    async def expires_at() -> datetime:
        owner = await asyncpg.connect(gatepost.info["database_url"])
        try:
            return await owner.fetchval("SELECT expires_at FROM message WHERE id = $1", sent["id"])
        finally:
            await owner.close()

    assert asyncio.run(expires_at()) > later + timedelta(days=6)


def test_limits_of_a_mailbox_are_an_operators(doors: Doors, box: dict[str, Any]) -> None:
    path = f"/v1/mailboxes/{box['id']}"

    assert 403 == doors["agent"].patch(path, json={"undo_window_s": 0}).status_code
    assert 400 == doors["operator"].patch(path, json={"undo_window_s": -1}).status_code
    set_to = doors["operator"].patch(path, json={"undo_window_s": 60, "rounds_max": 2, "expires_after_s": 3600}).json()
    assert (60, 2, 3600) == (set_to["undo_window_s"], set_to["rounds_max"], set_to["expires_after_s"])
