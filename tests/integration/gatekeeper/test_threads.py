"""Threads that a person puts right: merged, split, taken back, each with its record; never under an open draft."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatepost_contracts.commands import MoveMails
from gatepost_gatekeeper.threads import Threads

from .house import ADA, House


@pytest.fixture
def threads(house: House) -> Threads:
    return Threads(house.world._world)


async def thread_of(house: House, mail: dict[str, Any]) -> str:
    return str((await house.show(mail["id"]))["thread_id"])


async def row(house: House, thread: str) -> Any:
    return await house.owner.fetchrow("SELECT * FROM thread WHERE id = $1", thread)


async def test_two_threads_become_one_and_two_again(house: House, threads: Threads) -> None:
    """All that a thread is follows from its mails: its newest mail, its people; undoing brings both back."""
    mailbox = await house.mailbox("gated_send")
    one, other = await house.inbound(mailbox), await house.inbound(mailbox, header_from="carl@customer.example")
    before = await row(house, one["thread_id"])
    merged = await threads.move(
        house.said(MoveMails, "reviewer", kind="merge", thread_id=other["thread_id"], into=one["thread_id"])
    )
    after, left = await row(house, one["thread_id"]), await row(house, other["thread_id"])

    assert merged.ok
    assert merged.id.startswith("tmv_")
    assert await thread_of(house, other) == one["thread_id"]
    assert (after["head"], left["head"], left["merged_into"]) == (other["id"], None, one["thread_id"])
    assert {"carl@customer.example", ADA} <= set(after["participants"])

    undone = await threads.move(house.said(MoveMails, "operator", kind="undo", move_id=merged.id))
    again, back = await row(house, one["thread_id"]), await row(house, other["thread_id"])

    assert undone.ok
    assert await thread_of(house, other) == other["thread_id"]
    assert (again["head"], set(again["participants"])) == (before["head"], set(before["participants"]))
    assert (back["head"], back["merged_into"]) == (other["id"], None)
    twice = await threads.move(house.said(MoveMails, "operator", kind="undo", move_id=merged.id))
    assert (twice.ok, twice.code) == (False, "not_found")


async def test_mails_are_split_off_into_a_thread_of_their_own(house: House, threads: Threads) -> None:
    mailbox = await house.mailbox("gated_send")
    first = await house.inbound(mailbox)
    second = await house.inbound(mailbox, thread=first["thread_id"], header_from="carl@customer.example")
    split = await threads.move(
        house.said(MoveMails, "reviewer", kind="split", thread_id=first["thread_id"], message_ids=(second["id"],))
    )
    new = await row(house, await thread_of(house, second))

    assert split.ok
    assert (new["head"], new["related_thread_id"]) == (second["id"], first["thread_id"])
    assert (await row(house, first["thread_id"]))["head"] == first["id"]
    assert ADA not in new["participants"]


async def test_each_move_is_in_the_log(house: House, threads: Threads) -> None:
    mailbox = await house.mailbox("gated_send")
    one, other = await house.inbound(mailbox), await house.inbound(mailbox)
    await threads.move(
        house.said(MoveMails, "reviewer", kind="merge", thread_id=other["thread_id"], into=one["thread_id"])
    )
    record = json.loads(
        await house.owner.fetchval(
            "SELECT record FROM audit_record WHERE subject_id = $1 ORDER BY seq DESC LIMIT 1", mailbox
        )
    )

    assert (record["row"], record["event"], record["role"]) == ("W13", "move_mails", "reviewer")
    assert record["data"]["merged_from"] == other["thread_id"]


@pytest.mark.parametrize("by", ["agent", "other_agent"])
async def test_an_agent_moves_nothing(house: House, threads: Threads, by: str) -> None:
    """The thread decides whom an answer may reach."""
    mailbox = await house.mailbox("autonomous")
    one, other = await house.inbound(mailbox), await house.inbound(mailbox)
    reply = await threads.move(
        house.said(MoveMails, by, kind="merge", thread_id=other["thread_id"], into=one["thread_id"])
    )

    assert reply.code == "scope_missing"
    assert await thread_of(house, other) == other["thread_id"]


async def test_a_thread_with_an_open_draft_stays(house: House, threads: Threads) -> None:
    """What is approved is approved beside its thread."""
    mailbox = await house.mailbox("gated_send")
    one, other = await house.inbound(mailbox), await house.inbound(mailbox)
    await house.draft(other)
    reply = await threads.move(
        house.said(MoveMails, "reviewer", kind="merge", thread_id=other["thread_id"], into=one["thread_id"])
    )

    assert (reply.ok, reply.code) == (False, "not_editable")


async def test_threads_of_two_mailboxes_never_mix(house: House, threads: Threads) -> None:
    one, other = (
        await house.inbound(await house.mailbox("gated_send")),
        await house.inbound(await house.mailbox("gated_send")),
    )
    for more in ({"into": one["thread_id"]}, {"into": "thr_" + "0" * 26}, {"into": other["thread_id"]}):
        reply = await threads.move(
            house.said(MoveMails, "operator", kind="merge", thread_id=other["thread_id"], **more)
        )
        assert (reply.ok, reply.code) == (False, "not_found")
