"""One mail in, one mail stored: odd ends of data, and commands around STARTTLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from integration.ingest.door import Door, Opens, call, make_certificate


@pytest.mark.parametrize(
    "odd",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\r\n.\r\r\n",
        b"\r\r\n.\r\r\n",
        b"\r\n\x00.\r\n",
    ],
)
async def test_odd_ends_of_data_smuggle_nothing(doors: Opens, odd: bytes) -> None:
    """One mail, one sender, and no bare line end in what is kept."""
    door = await doors()
    peer = await call(door)
    await peer.begin()
    second = b"MAIL FROM:<evil@c.example>\r\nRCPT TO:<support@demo.test>\r\nDATA\r\nsmuggled"
    await peer.data(b"Subject: a\r\n\r\nfirst" + odd + second + b"\r\n.\r\n")
    await peer.say("NOOP", "250")

    (mail,) = door.took
    assert mail.sender == "ada@c.example"
    assert b"smuggled" in mail.raw
    assert mail.raw.count(b"\r") == mail.raw.count(b"\n") == mail.raw.count(b"\r\n")


async def test_nothing_slips_in_behind_starttls(doors: Opens, tmp_path: Path) -> None:
    """Commands sent before the handshake are not answered inside it, and the conversation starts anew."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(cert, key)
    door = await doors(tls_cert_file=cert, tls_key_file=key)
    peer = await call(door)
    await peer.expect("220")
    assert "STARTTLS" in await peer.say("EHLO x", "250-")
    peer.writer.write(b"STARTTLS\r\nMAIL FROM:<evil@c.example>\r\n")
    await peer.expect("220")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await peer.writer.start_tls(context)
    await peer.say("MAIL FROM:<a@c.example>", "503")
    hello = await peer.say("EHLO x", "250-")
    await peer.mail()
    await peer.data(b"a\r\n.\r\n")

    assert "AUTH" not in hello
    assert "STARTTLS" not in hello
    assert door.took[0].is_encrypted


@pytest.mark.parametrize(
    "together", [b"STARTTLS\r\nRSET\r\nEHLO evil\r\nMAIL FROM:<evil@c.example>\r\n", b"STARTTLS\nNOOP\n"]
)
async def test_what_came_with_starttls_is_never_answered(doors: Opens, tmp_path: Path, together: bytes) -> None:
    """CVE-2024-34083: one reply, the 220; then silence until the handshake, and a blank conversation after it."""
    door = await tls_door(doors, tmp_path)
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    peer.writer.write(together)
    await peer.expect("220 2.0.0")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await peer.writer.start_tls(context)
    await peer.say("RCPT TO:<support@demo.test>", "503")


async def test_a_mail_begun_before_tls_is_forgotten(doors: Opens, tmp_path: Path) -> None:
    """RFC 3207 4.2: what was said in the clear does not count inside."""
    door = await tls_door(doors, tmp_path)
    peer = await call(door)
    await peer.begin()
    await peer.secure()
    await peer.say("DATA", "503")
    await peer.say("STARTTLS", "503")


async def test_a_broken_handshake_costs_nobody_else(doors: Opens, tmp_path: Path) -> None:
    """Garbage instead of a handshake ends that connection and gives its place back."""
    door = await tls_door(doors, tmp_path)
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    await peer.say("STARTTLS", "220")
    peer.writer.write(b"MAIL FROM:<evil@c.example>\r\n" * 10)
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(peer.reader.read(1000), 5):
            pass
    other = await call(door)
    await other.begin()

    assert door.listener.conversations == 1


async def test_a_peer_that_hangs_up_before_the_handshake_leaves_nothing_behind(doors: Opens, tmp_path: Path) -> None:
    """Found by hostile conversations: a handshake on a connection that had gone waited for ever."""
    door = await tls_door(doors, tmp_path)
    for _ in range(3):
        peer = await call(door)
        await peer.expect("220")
        conversation = next(iter(door.listener._talking))
        conversation._transport.abort()  # what was read before is still heard in this turn of the loop
        conversation.data_received(b"EHLO x\r\nSTARTTLS\r\n")
        peer.writer.close()
    for _ in range(100):
        waiting = [task for task in asyncio.all_tasks() if "_encrypt" in repr(task)]
        if not waiting and not door.listener.conversations:
            break
        await asyncio.sleep(0.05)

    assert (waiting, door.listener.conversations) == ([], 0)


async def test_an_end_in_a_chunk_ends_nothing(doors: Opens) -> None:
    """BDAT counts bytes: CRLF.CRLF inside is content, and what follows is not a command."""
    door = await doors()
    peer = await call(door)
    await peer.begin()
    inside = b"Subject: a\r\n\r\nfirst\r\n.\r\nMAIL FROM:<evil@c.example>\r\n"
    peer.writer.write(b"BDAT %d LAST\r\n" % len(inside) + inside)
    await peer.expect("250 2.0.0 stored")

    (mail,) = door.took
    assert mail.raw == inside


async def tls_door(doors: Opens, tmp_path: Path, **more: object) -> Door:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(cert, key)
    return await doors(tls_cert_file=cert, tls_key_file=key, **more)
