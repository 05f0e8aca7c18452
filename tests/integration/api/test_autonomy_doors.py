"""How autonomy is raised and lowered through the doors, with real mail: codes, categories, lists, evidence, dry runs, stops."""

from __future__ import annotations

import re
from typing import Any

import pytest

from support.doors import Doors, numbers
from support.installation import eventually


@pytest.fixture
def fresh(doors: Doors) -> dict[str, Any]:
    return dict(doors["operator"].post("/v1/mailboxes", json={"address": f"auto{next(numbers)}@guide.test"}).json())


def answered(doors: Doors, gatepost: Any, box: dict[str, Any], text: str, **more: Any) -> dict[str, Any]:
    """A customer's mail to the mailbox, answered by the agent."""
    mail_id = gatepost.write(to=box["address"], subject=f"Question {next(numbers)}", text=text)
    mail = eventually(lambda: gatepost.inbound(mail_id, mailbox_id=box["id"]), "the customer's mail")
    if tag := more.pop("tag", None):
        assert doors[more.pop("tagged_by", "reviewer")].put(
            f"/v1/mailboxes/{box['id']}/emails/{mail['id']}/tags", json={"tags": [tag]}
        ).status_code == 200  # fmt: skip
    sent = doors["agent"].post(
        "/reply_email", json={"message_id": mail["id"], "body": f"Answer {next(numbers)}.", **more}
    )
    assert sent.status_code == 202, sent.text

    def judged() -> dict[str, Any] | None:
        view = dict(doors["reviewer"].get(f"/v1/emails/{sent.json()['id']}").json())
        return None if view["status"] == "pending_scan" else view

    return eventually(judged, "a verdict")


def test_the_code_leaves_through_the_sender_and_an_operator_redeems_it(
    doors: Doors, gatepost: Any, fresh: dict[str, Any]
) -> None:
    """A real mail in the catcher, DKIM-signed like any other, to the oversight address; no door shows it."""
    path = f"/v1/mailboxes/{fresh['id']}"
    asked = doors["agent"].post(f"{path}/request-upgrade", json={"target_mode": "monitored"})
    assert (202, "upgrade_requested") == (asked.status_code, asked.json()["status"])
    assert "***@" in asked.json()["sent_to"]

    def code() -> str | None:
        for mail in gatepost.left():
            if fresh["address"] in str(mail) and "operator@demo.test" in str(mail):
                found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", str(mail))
                return found[0] if found else None
        return None

    found = eventually(code, "the code in the catcher")
    assert not [
        m for m in doors["operator"].get("/check_inbox", params={"limit": 100}).json()["messages"] if found in str(m)
    ]

    for_agent = doors["agent"].post(f"{path}/upgrade", json={"code": found})
    wrong = doors["operator"].post(f"{path}/upgrade", json={"code": "0000-0000-0000"})
    raised = doors["operator"].post(f"{path}/upgrade", json={"approval_code": found.lower(), "covers_ask": True})
    again = doors["operator"].post(f"{path}/upgrade", json={"code": found})

    assert [(403, "operator_redeems"), (403, "approval_code_invalid")] == [
        (reply.status_code, reply.json()["code"]) for reply in (for_agent, wrong)
    ]
    assert (200, "upgraded", "monitored") == (
        raised.status_code,
        raised.json()["status"],
        raised.json()["oversight_mode"],
    )
    assert 403 == again.status_code
    view = doors["agent"].get(path).json()
    assert ("monitored", True) == (view["oversight_mode"], view["covers_ask"])


def test_a_category_is_ruled_granted_proven_and_ended(doors: Doors, gatepost: Any, fresh: dict[str, Any]) -> None:
    """Its answers leave by themselves, but for the lasting sample; everything else waits."""
    path = f"/v1/mailboxes/{fresh['id']}/categories/parcels"
    body = {"conditions": {"words": ["parcel"]}, "priority": 3, "oversight_mode": "monitored", "covers_ask": True}
    assert 403 == doors["agent"].put(path, json=body).status_code
    made = doors["operator"].put(path, json=body).json()
    assert (1, {"words": ["parcel"]}, "monitored", True) == (
        made["revision"], made["conditions"], made["oversight_mode"], made["covers_ask"],
    )  # fmt: skip
    assert 1 == doors["operator"].put(path, json=body).json()["revision"]

    views = [answered(doors, gatepost, fresh, "Where is my parcel?", oversight_mode="gated_send") for _ in range(3)]
    other = answered(doors, gatepost, fresh, "Hello there", oversight_mode="gated_send")

    assert all(
        [r["rule"] for r in v["reasons"]] == ["sampled"] for v in views if v["status"] == "pending_send_approval"
    )
    assert [v for v in views if v["status"] != "pending_send_approval"]
    assert {("parcels", 1)} == {(v["category"], v["category_revision"]) for v in views}
    assert ("pending_send_approval", None) == (other["status"], other["category"])

    lowered = doors["agent"].put(path, json={"oversight_mode": "gated_send"})
    assert (200, "gated_send") == (lowered.status_code, lowered.json()["oversight_mode"])
    assert 403 == doors["agent"].put(path, json={"oversight_mode": "monitored"}).status_code
    assert 400 == doors["operator"].put(path, json={"conditions": {"moon": 1}}).status_code
    assert 200 == doors["operator"].delete(path).status_code
    assert 404 == doors["operator"].delete(path).status_code
    assert [] == doors["agent"].get(f"/v1/mailboxes/{fresh['id']}/categories").json()["categories"]


def test_a_tag_of_a_person_makes_a_category_and_an_agents_does_not(
    doors: Doors, gatepost: Any, fresh: dict[str, Any]
) -> None:
    path = f"/v1/mailboxes/{fresh['id']}/categories/simple"
    doors["operator"].put(path, json={"conditions": {"tag": "simple"}, "oversight_mode": "gated_all"})

    by_person = answered(doors, gatepost, fresh, "Hello", tag="simple", tagged_by="reviewer")
    by_agent = answered(doors, gatepost, fresh, "Hello", tag="simple", tagged_by="agent")

    assert ["simple", None] == [by_person["category"], by_agent["category"]]
    assert ["gated_all", "gated_send"] == [by_person["oversight_mode"], by_agent["oversight_mode"]]


def test_listed_recipients(doors: Doors, fresh: dict[str, Any]) -> None:
    path = f"/v1/mailboxes/{fresh['id']}/allowlist"
    asked = doors["agent"].post(path, json={"pattern": "*@customer.example"})
    assert (202, "*@customer.example", []) == (
        asked.status_code, asked.json()["pattern"], doors["agent"].get(path).json()["entries"],
    )  # fmt: skip
    assert 400 == doors["agent"].post(path, json={"pattern": "[click](x)@customer.example"}).status_code
    made = doors["operator"].post(path, json={"pattern": "*@Customer.example"})
    assert (201, "*@customer.example", True) == (made.status_code, made.json()["pattern"], made.json()["effective"])
    assert 400 == doors["operator"].post(path, json={"pattern": "everyone"}).status_code
    entries = doors["agent"].get(path).json()
    assert entries["entries"] == entries["allowlist"] == [made.json()]

    assert 200 == doors["agent"].delete(f"{path}/{made.json()['id']}").status_code
    assert [] == doors["agent"].get(path).json()["entries"]
    assert 404 == doors["agent"].delete(f"{path}/*@customer.example").status_code


def test_the_evidence_counts_clean_reviews_and_says_how_many_more(doors: Doors, fresh: dict[str, Any]) -> None:
    """Three clean ones, one edited in a word, one edited in a comma, one rejected."""
    reviewer = doors["reviewer"]
    mails = [
        doors.held(fresh, subject=f"Way {next(numbers)}", body="It is on its way.", oversight_mode="gated_send")
        for _ in range(6)
    ]
    choices: list[dict[str, Any]] = [
        {}, {}, {}, {"revised_body": "It is lost."}, {"revised_body": "It is on its way!"}, {"action": "reject"}
    ]  # fmt: skip
    for mail, choice in zip(mails, choices, strict=True):
        body = {"id": mail["id"], "action": "approve", "revision": mail["content_sha256"]} | choice
        assert 200 == reviewer.post("/v1/oversight/decide", json=body).status_code

    found = reviewer.get(f"/v1/mailboxes/{fresh['id']}/evidence").json()

    (item,) = found["categories"]
    assert ("", 6, 4) == (item["category"], item["reviewed"], item["approved_clean"])
    assert 0.2713 == pytest.approx(item["lower_bound"], abs=1e-3)
    assert {"95%", "98%", "99%"} == set(item["reviews_still_needed"])
    assert item["reviews_still_needed"]["95%"] > 59
    assert [{"gated_send": 6}] == list(found["asks"].values())
    none = reviewer.get(f"/v1/mailboxes/{fresh['id']}/evidence", params={"category": "faq"}).json()["categories"]
    assert [(0, {"95%": 59, "98%": 149, "99%": 299})] == [(n["reviewed"], n["reviews_still_needed"]) for n in none]
    assert 404 == reviewer.get("/v1/mailboxes/mbx_system/evidence").status_code


def test_a_dry_run_says_what_another_policy_would_have_done(doors: Doors, gatepost: Any, fresh: dict[str, Any]) -> None:
    """Of the answers to parcel mails: one a person approved, one a person rejected; the rest stays held."""
    path = f"/v1/mailboxes/{fresh['id']}/dry-run"
    for text, action in (("My parcel?", "approve"), ("Parcel!", "reject"), ("Hello", "approve")):
        view = answered(doors, gatepost, fresh, text)
        body = {"id": view["id"], "action": action, "revision": view["content_sha256"]}
        assert 200 == doors["reviewer"].post("/v1/oversight/decide", json=body).status_code
    category = {"name": "parcels", "conditions": {"words": ["parcel"]}, "oversight_mode": "monitored"}

    tried = doors["reviewer"].post(path, json={"categories": [category]}).json()
    nothing = doors["reviewer"].post(path, json={}).json()
    looser = doors["reviewer"].post(path, json={"oversight_mode": "autonomous"}).json()

    assert (3, {"release": 2, "hold": 1}) == (tried["judged"], tried["verdicts"])
    assert {"approved": 1, "rejected": 1} == tried["newly_released"]
    assert {"parcels": 2, "": 1} == tried["categories"]
    assert {"release"} == {example["proposed"] for example in tried["examples"]}
    assert ({}, {"hold": 3}) == (nothing["newly_released"], nothing["verdicts"])
    assert {"approved": 2, "rejected": 1} == looser["newly_released"]
    assert [] == doors["agent"].get(f"/v1/mailboxes/{fresh['id']}/categories").json()["categories"]
    assert 400 == doors["reviewer"].post(path, json={"categories": [{"name": "x", "conditions": {}}]}).status_code


def test_a_stop_of_the_account_is_told_by_every_mailbox(doors: Doors, gatepost: Any, fresh: dict[str, Any]) -> None:
    """By its own event, and once, however many subscribers listen."""
    import asyncio

    import asyncpg

    pulled = doors["agent"].post("/v1/pauses", json={"scope": "agent", "target": "agent", "reason": "odd"})
    assert 201 == pulled.status_code
    try:

        async def told() -> int:
            owner = await asyncpg.connect(gatepost.info["database_url"])
            try:
                return int(await owner.fetchval(
                    "SELECT count(*) FROM audit_record WHERE subject_id = $1 AND row_id = 'W4t'"
                    " AND record::jsonb->'data'->>'pause_id' = $2", fresh["id"], pulled.json()["id"],
                ))  # fmt: skip
            finally:
                await owner.close()

        assert 1 == eventually(lambda: asyncio.run(told()) or None, "the mailbox's own record")
        held = doors.held(fresh)
        assert "paused" in [reason["rule"] for reason in held["reasons"]]
        assert 403 == doors["agent"].delete(f"/v1/pauses/{pulled.json()['id']}").status_code
    finally:
        assert 200 == doors["operator"].delete(f"/v1/pauses/{pulled.json()['id']}").status_code
