"""What comes over the wire is what is taken: bytes, envelope, order."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from integration.ingest.door import Opens, call


async def test_a_mail_is_taken_as_it_is(doors: Opens) -> None:
    """Byte for byte, dots unstuffed, with its envelope."""
    door = await doors()
    peer = await call(door)
    await peer.begin("support@demo.test", "Support+tag@demo.test")
    reply = await peer.data(b"Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n")
    await peer.say("QUIT", "221")

    (mail,) = door.took
    assert reply == "250 2.0.0 stored as msg_1"
    assert mail.raw == b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n"
    assert mail.sender == "ada@c.example"
    assert [r.address for r in mail.recipients] == ["support@demo.test", "support+tag@demo.test"]


async def test_several_mails_in_one_breath(doors: Opens) -> None:
    """Pipelined commands behind the final dot are answered in order."""
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    one = b"MAIL FROM:<a@c.example>\r\nRCPT TO:<support@demo.test>\r\nDATA\r\n"
    peer.writer.write(
        b"EHLO x\r\n"
        + one
        + b"\r\n.\r\n"
        + one
        + b".\r\n"
        + one
        + b"A: b\r\n\r\n"
        + b"x" * 70_000
        + b"\r\n.\r\nQUIT\r\n"
    )
    replies = [(await peer.read())[:3] for _ in range(14)]

    assert replies == ["250", *["250", "250", "354", "250"] * 3, "221"]
    assert [len(m.raw) for m in door.took] == [2, 0, 70_010]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 1_000_003])
async def test_the_end_is_found_wherever_the_pieces_break(doors: Opens, size: int) -> None:
    door = await doors(max_size=5_000_000)
    peer = await call(door)
    await peer.begin()
    await peer.say("DATA", "354")
    raw = b"\r\n.x\r\n..\r\n" + (b"y" * 1500 + b"\r\n") * (2000 if size > 100 else 1)
    raw = raw[:190_000]
    raw = raw[: raw.rindex(b"\r\n") + 2]
    whole = raw + b".\r\n"
    for start, end in _cuts(len(whole), size):
        peer.writer.write(whole[start:end])
        await peer.writer.drain()
        await asyncio.sleep(0.001)
    await peer.expect("250")

    assert door.took[0].raw == b"\r\nx\r\n.\r\n" + raw[len(b"\r\n.x\r\n..\r\n") :]


def _cuts(length: int, size: int) -> list[tuple[int, int]]:
    edges = sorted({0, length, *range(0, min(length, 40), size), *range(max(0, length - 40), length, size)})
    return list(pairwise(edges))


async def test_the_null_sender_is_heard(doors: Opens) -> None:
    """Delivery reports come from it."""
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("HELO x", "250")
    await peer.say("MAIL FROM:<>", "250")
    await peer.say("RCPT TO:<support@demo.test>", "250")
    await peer.data(b"A: b\r\n\r\n.\r\n")

    assert door.took[0].sender == ""


async def test_a_peer_that_closes_its_side_is_still_answered(doors: Opens) -> None:
    """All it said is done, then the connection closes."""
    door = await doors()
    door.wait = lambda: asyncio.sleep(0.1)
    peer = await call(door)
    await peer.begin()
    peer.writer.write(b"DATA\r\na\r\n.\r\nNOOP\r\n")
    peer.writer.write_eof()
    for code in ("354", "250 2.0.0 stored", "250 2.0.0 ok"):
        await peer.expect(code)
    await peer.closed()
