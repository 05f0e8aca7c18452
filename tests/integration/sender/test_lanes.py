"""How many attempts a destination may have: few at first, more with each mail it takes, fewer when it cannot be reached."""

from __future__ import annotations

import asyncio

from gatepost_sender.driver import Ended, Manner, Timeouts
from gatepost_sender.envelope import Envelope
from gatepost_sender.lanes import Lanes
from gatepost_sender.route import Host, Route
from gatepost_sender.tls import Tls
from support.smtp_peer import CLOSE, Peer

QUICK = Timeouts(connect_s=1, greeting_s=0.3, command_s=0.3, data_s=0.3, block_s=0.3, dot_s=0.3)
MAIL = Envelope("us@here.test", ("ada@there.test",), b"Subject: hi\r\n\r\nhi\r\n")


async def send(lanes: Lanes, peer: Peer) -> Ended:
    async def announce(_: tuple[str, ...]) -> bool:
        return True

    host = Host("127.0.0.1", "127.0.0.1", peer.port, Manner("here.test", Tls.OFFERED, QUICK))
    return (await lanes.send(Route("x", (host,), "mx"), MAIL, announce))["ada@there.test"]


def room(lanes: Lanes) -> int:
    """How many more may begin now."""
    begun = 0
    while begun < 100 and lanes.has_room("x"):
        lanes.enter("x")
        begun += 1
    for _ in range(begun):
        lanes.leave("x")
    return begun


async def test_a_destination_starts_slowly_and_grows_to_its_limit() -> None:
    async with Peer() as peer:
        lanes = Lanes(width_max=7, idle_s=10, mails_per_connection=100)
        grown = [room(lanes)]
        for _ in range(5):
            await send(lanes, peer)
            grown.append(room(lanes))
        await lanes.close()

    assert grown[1:] == [5, 6, 7, 7, 7]
    assert 1 == peer.connections


async def test_trouble_narrows_it_and_nobody_at_home_lets_it_rest() -> None:
    """421 and lost connections halve it; where no connection can be made twice, its mail waits and holds no attempts."""
    now = [1000.0]
    async with Peer({"MAIL": ["250 ok\r\n"] * 4 + ["421 busy\r\n" + CLOSE]}) as peer:
        lanes = Lanes(width_max=20, idle_s=10, mails_per_connection=1, clock=lambda: now[0])
        for _ in range(4):
            await send(lanes, peer)
        wide = room(lanes)
        await send(lanes, peer)
        narrow = room(lanes)
        await asyncio.sleep(0.05)
    for _ in range(2):
        await send(lanes, peer)  # nobody listens any more
    resting = room(lanes)
    now[0] += 61
    after = room(lanes)
    await lanes.close()

    assert (8, 4) == (wide, narrow)
    assert (0, 1) == (resting, after)


async def test_a_connection_is_left_after_so_many_mails() -> None:
    async with Peer() as peer:
        lanes = Lanes(width_max=4, idle_s=10, mails_per_connection=2)
        for _ in range(5):
            await send(lanes, peer)
        await lanes.close()

    assert 3 == peer.connections
