"""The extensions that EHLO promises: CHUNKING, SMTPUTF8, 8BITMIME, SIZE, PIPELINING; and AUTH where relays sign in."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from integration.ingest.door import Door, Opens, Peer, call, make_certificate


async def test_ehlo_promises_what_is_kept(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    said = await peer.say("EHLO x", "250-")

    promised = {line[4:].split()[0] for line in said.split("\n")[1:]}
    assert promised == {"SIZE", "8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES", "HELP"}


async def test_chunks_make_one_mail(doors: Opens) -> None:
    """RFC 3030: bytes are counted, dots are not stuffed, each chunk is answered."""
    door = await doors()
    peer = await call(door)
    await peer.begin()
    peer.writer.write(b"BDAT 9\r\nA: b\r\n\r\n.BDAT 6\r\n..\r\nx\r")
    await peer.expect("250 2.0.0 9 octets")
    await peer.expect("250 2.0.0 15 octets")
    await peer.say("DATA", "503")
    await peer.say("RCPT TO:<support@demo.test>", "503")
    peer.writer.write(b"BDAT 1 LAST\r\n\nQUIT\r\n")
    await peer.expect("250 2.0.0 stored as msg_1")
    await peer.expect("221")

    assert door.took[0].raw == b"A: b\r\n\r\n...\r\nx\r\n"


async def test_an_empty_last_chunk_ends_the_mail(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.begin()
    peer.writer.write(b"BDAT 6\r\nA: b\r\nBDAT 0 LAST\r\n")
    await peer.expect("250 2.0.0 6")
    await peer.expect("250 2.0.0 stored")

    assert door.took[0].raw == b"A: b\r\n"


async def test_chunks_without_a_recipient_are_read_and_refused(doors: Opens) -> None:
    """Its bytes must not be taken for commands."""
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    peer.writer.write(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    await peer.expect("503")
    await peer.expect("250 2.0.0 ok")


async def test_chunks_beyond_the_limit_are_refused(doors: Opens) -> None:
    door = await doors(max_size=2000)
    peer = await call(door)
    await peer.begin()
    peer.writer.write(b"BDAT 1500\r\n" + b"x" * 1500 + b"BDAT 1500 LAST\r\n" + b"y" * 1500)
    await peer.expect("250")
    await peer.expect("552")
    await peer.say("NOOP", "250")
    await peer.say("BDAT 999999999", "552")
    await peer.closed()

    assert door.took == []


@pytest.mark.parametrize("wrong", ["BDAT", "BDAT x", "BDAT -1", "BDAT 5 LEAST", "BDAT 5 LAST LAST", "BDAT \u0665"])
async def test_a_chunk_of_unknown_size_ends_the_conversation(doors: Opens, wrong: str) -> None:
    """Nobody knows where its bytes end."""
    door = await doors()
    peer = await call(door)
    await peer.begin()
    await peer.say(wrong, "501")
    await peer.closed()


async def test_other_scripts_need_smtputf8(doors: Opens) -> None:
    """RFC 6531: with the parameter, and only with it."""
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    await peer.say("MAIL FROM:<zoë@c.example>", "553")
    await peer.say("MAIL FROM:<zoë@münchen.example> BODY=8BITMIME SMTPUTF8", "250")
    await peer.say("RCPT TO:<jürgen@demo.test>", "550 5.1.1")
    await peer.say("RCPT TO:<support@demo.test>", "250")
    await peer.data("Subject: Grüße\r\n\r\nä\r\n.\r\n".encode())

    (mail,) = door.took
    assert mail.sender == "zoë@münchen.example"
    assert mail.raw == "Subject: Grüße\r\n\r\nä\r\n".encode()


async def test_parameters_nobody_promised_are_refused(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    for wrong in ("BODY=BINARYMIME", "SIZE=-1", "SIZE=9999999999999999999999", "SMTPUTF8=1"):
        await peer.say(f"MAIL FROM:<a@c.example> {wrong}", "501")
    for unknown in ("RET=FULL", "AUTH=<>", "X"):
        await peer.say(f"MAIL FROM:<a@c.example> {unknown}", "555")
    await peer.say("MAIL FROM:<a@c.example>", "250")
    await peer.say("RCPT TO:<support@demo.test> NOTIFY=NEVER", "555")


def plain(name: str, secret: str) -> str:
    return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()


async def relay_door(doors: Opens, tmp_path: Path) -> tuple[Door, Peer]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(cert, key)
    door = await doors(tls_cert_file=cert, tls_key_file=key, relays_file=tmp_path / "relays", relays="192.0.2.0/24")
    peer = await call(door)
    await peer.expect("220")
    return door, peer


async def test_a_relay_signs_in_and_is_believed(doors: Opens, tmp_path: Path) -> None:
    """Only inside TLS; then its Received lines say who the peer is."""
    door, peer = await relay_door(doors, tmp_path)
    assert "AUTH" not in await peer.say("EHLO x", "250-")
    await peer.say("AUTH PLAIN " + plain("edge", "correct-horse-battery-staple"), "538")
    assert "AUTH PLAIN LOGIN" in await peer.secure()
    await peer.say("AUTH PLAIN " + plain("edge", "correct-horse-battery-staple"), "235")
    await peer.say("AUTH PLAIN =", "503")
    await peer.mail()
    await peer.data(
        b"Received: from inner (inner [192.0.2.7])\r\n\tby edge; now\r\n"
        b"Received: from mail.c.example (x [203.0.113.9]) by inner; now\r\n"
        b"Received: from forged (x [198.51.100.1]) by mail.c.example; now\r\n\r\nhi\r\n.\r\n"
    )

    (mail,) = door.took
    assert (mail.peer, mail.hello, mail.relay) == ("203.0.113.9", "mail.c.example", "edge")


async def test_login_in_two_lines_and_giving_up(doors: Opens, tmp_path: Path) -> None:
    door, peer = await relay_door(doors, tmp_path)
    await peer.say("EHLO x", "250-")
    await peer.secure()
    await peer.say("AUTH CRAM-MD5", "504")
    await peer.say("AUTH PLAIN", "334")
    await peer.say("*", "501")
    await peer.say("AUTH PLAIN", "334")
    await peer.say("not base64!", "501")
    await peer.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
    await peer.say(base64.b64encode(b"edge"), "334 UGFzc3dvcmQ6")
    await peer.say(base64.b64encode(b"correct-horse-battery-staple"), "235")

    assert door.answers.signs_in("edge", "wrong") is False


async def test_guessing_secrets_ends_soon(doors: Opens, tmp_path: Path) -> None:
    _, peer = await relay_door(doors, tmp_path)
    await peer.say("EHLO x", "250-")
    await peer.secure()
    await peer.say("AUTH PLAIN " + plain("edge", "guess"), "535")
    await peer.say("AUTH PLAIN " + plain("nobody", "guess"), "535")
    await peer.say("AUTH PLAIN " + plain("", ""), "421")


async def test_a_stranger_is_not_believed(doors: Opens) -> None:
    """Received lines of a peer that is no relay of ours say nothing."""
    door = await doors(relays="192.0.2.0/24")
    peer = await call(door)
    await peer.begin()
    await peer.data(b"Received: from a (a [203.0.113.9]) by b; now\r\n\r\nhi\r\n.\r\n")

    assert door.took[0].peer == "127.0.0.1"


async def test_a_relay_known_by_its_address_is_believed(doors: Opens) -> None:
    door = await doors(relays="127.0.0.0/8", max_connections_per_address=1)
    peers = [await call(door) for _ in range(3)]
    for peer in peers:
        await peer.begin()
    await peers[2].data(b"Received: from a ([IPv6:2001:db8::9]) by b; now\r\n\r\nhi\r\n.\r\n")

    assert door.took[0].peer == "2001:db8::9"
