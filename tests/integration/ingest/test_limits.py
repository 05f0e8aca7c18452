"""Connections, silence and slowness: nobody holds the door for long."""

from __future__ import annotations

import asyncio

from gatepost_ingest.arrived import Arrived
from integration.ingest.door import Opens, call


async def test_connections_are_capped(doors: Opens) -> None:
    """In all and for one address; a place is given back."""
    door = await doors(max_connections_per_address=2)
    peers = [await call(door) for _ in range(3)]
    await peers[0].expect("220")
    await peers[1].expect("220")
    await peers[2].expect("421")
    await peers[2].closed()
    await peers[0].say("QUIT", "221")
    await peers[0].closed()
    again = await call(door)

    await again.expect("220")
    assert door.listener.conversations == 2


async def test_a_silent_peer_is_let_go(doors: Opens) -> None:
    door = await doors(idle_s=0.3)
    peer = await call(door)
    await peer.expect("220")

    await peer.expect("421 4.4.2")
    await peer.closed()


async def test_a_dripping_mail_ends(doors: Opens) -> None:
    """Each byte resets the idle limit, none the limit for the whole mail."""
    door = await doors(idle_s=0.5, data_s=0.8)
    peer = await call(door)
    await peer.begin()
    await peer.say("DATA", "354")

    async def drip() -> None:
        while True:
            peer.writer.write(b"x")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(drip())
    await peer.expect("421 4.4.2")
    task.cancel()

    assert door.took == []


async def test_a_mail_bomb_waits_in_front_of_its_own_mailbox(doors: Opens) -> None:
    """Forty mails to one address that store slowly; a mail to another is taken at once."""
    door = await doors(stores_per_mailbox=3)
    go, storing = asyncio.Event(), 0

    async def wait(mail: Arrived) -> None:
        nonlocal storing
        if mail.recipients[0].mailbox.id == "mbx_1":
            storing += 1
            await go.wait()

    door.wait_for = wait
    peers = [await call(door) for _ in range(40)]
    for peer in peers:
        await peer.begin("support@demo.test")
        await peer.say("DATA", "354")
        peer.writer.write(b"bomb\r\n.\r\n")
    other = await call(door)
    await other.begin("small@demo.test")
    await other.data(b"hello\r\n.\r\n", "250")
    during = storing, len(door.took)
    go.set()
    for peer in peers:
        await peer.expect("250")

    assert during == (3, 1)
    assert len(door.took) == 41
    assert door.answers._turns._gates == {}
