"""Whom nobody writes to any more: looked at when a delivery is claimed, and again at each retry."""

from __future__ import annotations

import asyncio

import pytest

from gatepost_contracts.ids import new_id
from support.lone_sender import eventually, lone_sender
from support.released import TENANT, World
from support.smtp_peer import Peer


def box_of(world: World, message: str) -> str:
    return world.sql(f"SELECT mailbox_id FROM message WHERE id = '{message}';")[0][0]


def suppress(world: World, mailbox: str | None = None, category: str | None = None, tenant: str = TENANT) -> None:
    world.insert("suppression", id=new_id("sup"), tenant_id=tenant, mailbox_id=mailbox, category=category,
                 address="ada@there.test", reason="manual")  # fmt: skip


@pytest.mark.parametrize("reason", ["account", "mailbox", "category", "deleted"])
async def test_each_scope_stops_the_mail_it_speaks_of(world: World, peer: Peer, reason: str) -> None:
    """The whole account, one mailbox, one category of mail; what was said to a mailbox that is gone holds for all."""
    stopped = world.released(category="news")
    other = world.released("bob@there.test", category="news")
    match reason:
        case "account":
            suppress(world)
        case "mailbox":
            suppress(world, box_of(world, stopped))
        case "category":
            suppress(world, category="news")
        case _:
            suppress(world, box_of(world, other))
            world.sql(f"UPDATE mailbox SET deleted_at = now() WHERE id = '{box_of(world, other)}';")

    async with lone_sender():
        await eventually(lambda: world.state(other) == "delivered")
        await asyncio.sleep(0.2)

    assert "0" == world.delivery(stopped)["attempts"]
    assert [["bob@there.test"]] == [mail.recipients for mail in peer.mails]


async def test_what_was_said_of_others_stops_nothing(world: World, peer: Peer) -> None:
    """Another account's list, another mailbox's, another category's: none of them is about this mail."""
    message, other = world.released(category="orders"), world.released("bob@there.test")
    suppress(world, tenant="ten_01JD0000000000000000000009")
    suppress(world, box_of(world, other))
    suppress(world, category="news")

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")

    assert ["ada@there.test"] in [mail.recipients for mail in peer.mails]


async def test_who_opts_out_between_two_attempts_gets_no_second_one(
    world: World, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_RETRY_DELAYS_S", "60")
    peer.says["RCPT"] = ["451 4.3.0 later\r\n"]
    message = world.released()

    async with lone_sender() as sender:
        await eventually(lambda: "email.deferred" in sender.types())
        suppress(world, box_of(world, message))
        world.sql("UPDATE delivery SET due_at = now();")
        await asyncio.sleep(0.5)

    assert world.state(message) == "deferred"
    assert "1" == world.delivery(message)["attempts"]
    assert peer.mails == []
