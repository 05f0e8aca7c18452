"""Threads put right through the doors: merged and taken back by a person, never by an agent."""

from __future__ import annotations

import time

import pytest

from support.installation import Installation, Refused, eventually


def test_a_person_merges_two_threads_and_takes_it_back(gatepost: Installation) -> None:
    address = f"threads-{time.time_ns()}@demo.test"
    box = gatepost.call("POST", "/v1/mailboxes", {"address": address, "drafting": False}, key="operator")
    asked = [gatepost.write(to=address, subject=subject) for subject in ("First", "Second")]
    one, two = (
        eventually(lambda rfc=rfc: gatepost.inbound(rfc, mailbox_id=box["id"]), "the mail") for rfc in asked
    )  # fmt: skip
    path = f"/v1/threads/{two['thread_id']}/merge"
    with pytest.raises(Refused) as refused:
        gatepost.call("POST", path, {"into": one["thread_id"]}, key="agent")
    moved = gatepost.call("POST", path, {"into": one["thread_id"]}, key="reviewer")
    merged = gatepost.call("GET", f"/v1/threads/{one['thread_id']}", key="reviewer")
    empty = gatepost.call("GET", f"/v1/threads/{two['thread_id']}", key="reviewer")
    undone = gatepost.call("POST", f"/v1/thread-moves/{moved['move_id']}/undo", {}, key="reviewer")
    after = gatepost.call("GET", f"/v1/threads/{two['thread_id']}", key="reviewer")

    assert refused.value.status == 403
    assert {m["id"] for m in merged["messages"]} == {one["id"], two["id"]}
    assert (empty["messages"], empty["merged_into"]) == ([], one["thread_id"])
    assert undone["thread_id"] == two["thread_id"]
    assert [m["id"] for m in after["messages"]] == [two["id"]]
    split = gatepost.call("POST", f"/v1/threads/{two['thread_id']}/split", {"message_ids": [two["id"]]}, key="reviewer")
    assert gatepost.inbound(asked[1], mailbox_id=box["id"])["thread_id"] == split["thread_id"]  # type: ignore[index]
