"""Connections, silence and slowness: nobody holds the door for long."""

from __future__ import annotations

import asyncio

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
