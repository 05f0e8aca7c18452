"""When mails leave: windows, rates, warm-up, greylists, and neighbours that are dead."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from support.dns_server import Dns
from support.lone_sender import Lone, eventually, lone_sender
from support.released import TENANT, World
from support.smtp_peer import SILENT, Peer


def gauge(sender: Lone, reason: str) -> float:
    return sender.registry.get_sample_value("gatepost_sender_waiting", {"reason": reason}) or 0.0


async def test_outside_its_window_a_mailbox_waits_and_others_do_not(world: World, peer: Peer) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    day = tomorrow.strftime("%a")
    waiting = world.released(mailbox={"send_window": f"{day} 00:00-23:59"})
    open_now = world.released(mailbox={"send_window": "Mon-Sun 00:00-23:59"})

    async with lone_sender() as sender:
        await eventually(lambda: world.state(open_now) == "delivered")
        await eventually(lambda: gauge(sender, "window") == 1)

    assert world.delivery(waiting)["attempts"] == "0"


async def test_a_mailbox_begins_no_more_an_hour_than_it_may(world: World, peer: Peer) -> None:
    first = world.released(mailbox={"rate_per_hour": 2})
    box = world.sql(f"SELECT mailbox_id FROM message WHERE id = '{first}';")[0][0]
    world.release_many(4, into=box)
    # an attempt within the hour leaves one
    world.sql(
        "INSERT INTO attempt (tenant_id, mailbox_id, message_id, delivery_id, n, stage, outcome) "
        f"VALUES ('{TENANT}', '{box}', 'm', 'd', 1, 'dot', 'delivered');"
    )

    async with lone_sender() as sender:
        await eventually(lambda: gauge(sender, "rate") >= 1)
        await asyncio.sleep(0.3)

    assert 1 == len(peer.mails)


async def test_a_new_mailbox_climbs_the_ladder(world: World, peer: Peer) -> None:
    """Twenty on the first day; what is above waits for tomorrow."""
    message = world.released(mailbox={"warmup_from": datetime.now(UTC).date().isoformat()})
    box = world.sql(f"SELECT mailbox_id FROM message WHERE id = '{message}';")[0][0]
    world.sql(
        "INSERT INTO attempt (tenant_id, mailbox_id, message_id, delivery_id, n, stage, outcome) "
        f"SELECT '{TENANT}', '{box}', 'm', 'd', n, 'dot', 'delivered' FROM generate_series(1, 20) n;"
    )

    async with lone_sender() as sender:
        await eventually(lambda: gauge(sender, "warmup") == 1)
    assert world.delivery(message)["attempts"] == "0"

    world.sql(f"DELETE FROM attempt WHERE mailbox_id = '{box}' AND n = 20;")
    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")


async def test_greylisted_mail_comes_back_after_the_lists_time(
    world: World,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_RETRY_DELAYS_S", "9999")
    monkeypatch.setenv("GATEPOST_SENDER_GREYLIST_DELAY_S", "0.1")
    peer.says["RCPT"] = ["450 4.7.1 Greylisted\r\n", "450 4.7.1 Greylisted\r\n"]
    message = world.released()

    async with lone_sender():
        await eventually(lambda: world.state(message) == "delivered")

    assert world.delivery(message)["attempts"] == "3"


async def test_a_dead_destination_never_delays_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred mails to a host that never answers, due before all others."""
    monkeypatch.setenv("GATEPOST_SENDER_RELAY_HOST", "")
    monkeypatch.setenv("GATEPOST_SENDER_GREETING_TIMEOUT_S", "30")
    monkeypatch.setenv("GATEPOST_SENDER_ATTEMPTS_AT_ONCE", "8")
    async with (
        Peer({"greeting": SILENT}, address="127.0.0.2") as dead,
        Peer(address="127.0.0.1", port=dead.port) as alive,
    ):
        zone = {"dead.test A": ["127.0.0.2"], "alive.test A": ["127.0.0.1"]}
        async with Dns(dict(zone)) as dns:
            monkeypatch.setenv("GATEPOST_SENDER_MX_PORT", str(dead.port))
            monkeypatch.setenv("GATEPOST_SENDER_DNS_SERVERS", f"127.0.0.1:{dns.port}")
            world.release_many(450, "ada@dead.test", due_in_s=-60)
            others = world.release_many(5, "ada@alive.test")

            async with lone_sender():
                await eventually(lambda: all(world.state(m) == "delivered" for m in others), 20)

    assert 5 == len(alive.mails)
    assert dead.connections <= 4


async def test_a_destination_with_a_rate_gets_so_many_a_minute(
    world: World,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEPOST_SENDER_DESTINATION_RATES", "slow.test=10")
    world.release_many(6, "ada@slow.test")
    others = world.release_many(3, "ada@quick.test")

    async with lone_sender() as sender:
        await eventually(lambda: all(world.state(m) == "delivered" for m in others))
        await eventually(lambda: gauge(sender, "destination") == 1)

    assert 4 >= len(peer.mails)
