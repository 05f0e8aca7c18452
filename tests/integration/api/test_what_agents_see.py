"""An agent learns that a person must look, and nothing by which it could write towards the line."""

from __future__ import annotations

import json
from typing import Any

from support.doors import Doors, numbers


def test_no_bound_no_rule_and_no_ground_of_a_judgement(doors: Doors, box: dict[str, Any]) -> None:
    """Evidence, categories, the chain of verdicts and the queue, as the agent and as the reviewer see them."""
    m = f"/v1/mailboxes/{box['id']}"
    made = doors["operator"].put(f"{m}/categories/parcels", json={"conditions": {"words": ["parcel"]}})
    assert made.status_code == 200, made.text
    mail = doors.held(box, subject=f"seen {next(numbers)}")
    seen = {
        name: {
            "evidence": doors[name].get(f"{m}/evidence").json(),
            "categories": doors[name].get(f"{m}/categories").json()["categories"],
            "why": doors[name].get(f"/v1/emails/{mail['id']}/why").json()["chain"],
            "pending": doors[name]
            .get("/v1/oversight/pending", params={"mailbox": box["id"], "include": ""})
            .json()["pending"],
        }
        for name in ("agent", "reviewer")
    }
    agent, person = seen["agent"], seen["reviewer"]

    assert (agent["evidence"]["confidence"], person["evidence"]["confidence"]) == (None, 0.95)
    assert agent["evidence"]["mailbox"]["lower_bound"] is None
    assert agent["evidence"]["mailbox"]["reviews_still_needed"] == {}
    assert person["evidence"]["mailbox"]["reviews_still_needed"]
    assert [c["conditions"] for c in agent["categories"]] == [None]
    assert [c["conditions"] for c in person["categories"]] == [{"words": ["parcel"]}]
    assert [link["row"] for link in agent["why"]] == [link["row"] for link in person["why"]]
    assert "facts" not in json.dumps(agent["why"])
    assert "facts" in json.dumps(person["why"])
    assert {reason["why"] for item in agent["pending"] for reason in item["reasons"]} == {"a person must look at this"}
    assert {item["confidence"] for item in agent["pending"]} == {None}
    assert doors["agent"].post(f"{m}/dry-run", json={"oversight_mode": "monitored"}).status_code == 403


def test_a_queue_to_look_over_holds_no_text_and_says_how_long_it_is(doors: Doors, box: dict[str, Any]) -> None:
    """An empty include; `include=body` has the draft's text alone, none at all has everything."""
    for _ in range(3):
        mail = doors.held(box, subject=f"over {next(numbers)}")
    ask = {"mailbox": box["id"], "limit": 2}
    bare = doors["reviewer"].get("/v1/oversight/pending", params={**ask, "include": ""}).json()
    body = doors["reviewer"].get("/v1/oversight/pending", params={**ask, "include": "body"}).json()
    whole = doors["reviewer"].get("/v1/oversight/pending", params=ask).json()

    assert bare["pending"][0]["id"] == mail["id"]
    assert {"markdown", "draft_body", "body_text"} & bare["pending"][0].keys() == set()
    assert body["pending"][0]["draft_body"] == mail["draft_body"]
    assert body["pending"][0]["thread"] is None
    assert whole["pending"][0]["thread"]["id"]
    assert bare["count"] == body["count"] == whole["count"] >= 3
    assert (bare["count_text"], bare["has_more_than_count"]) == (str(bare["count"]), False)
