"""What the door refuses, and what it says then."""

from __future__ import annotations

from integration.ingest.door import Opens, call


async def test_strangers_and_relaying_are_refused_at_rcpt(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    await peer.say("MAIL FROM:<a@c.example>", "250")

    await peer.say("RCPT TO:<nobody@demo.test>", "550 5.1.1")
    await peer.say("RCPT TO:<nobody@elsewhere.example>", "550 5.7.1")
    await peer.say("RCPT TO:<a%elsewhere.example@demo.test>", "550 5.1.1")
    await peer.say(b"RCPT TO:<sup\x00port@demo.test>", "553")
    await peer.say("RCPT TO:<>", "553")
    await peer.say("RCPT TO:<" + "a" * 65 + "@demo.test>", "553")
    await peer.say(b"RCPT TO:<\xc3\xa4@demo.test>", "5")
    await peer.say("DATA", "503")


async def test_sizes_are_answered_early_and_at_the_end(doors: Opens) -> None:
    """For the whole server at MAIL, for a mailbox at RCPT, and for who said nothing at the end."""
    door = await doors(max_size=100_000)
    peer = await call(door)
    await peer.expect("220")
    assert "SIZE 100000" in await peer.say("EHLO x", "250-")
    await peer.say("MAIL FROM:<a@c.example> SIZE=100001", "552")
    await peer.say("MAIL FROM:<a@c.example> SIZE=5000", "250")
    await peer.say("RCPT TO:<small@demo.test>", "552")
    await peer.say("RSET", "250")
    await peer.mail("small@demo.test")
    await peer.data(b"x" * 1500 + b"\r\n.\r\n", "552")
    await peer.mail()
    await peer.data(b"x" * 100_000 + b"\r\n.\r\n", "552")
    await peer.mail()
    await peer.data(b"x" * 99_998 + b"\r\n.\r\n", "250")

    assert len(door.took) == 1


async def test_a_mail_without_end_is_cut_off(doors: Opens) -> None:
    door = await doors(max_size=10_000)
    peer = await call(door)
    await peer.begin()
    await peer.say("DATA", "354")
    for _ in range(60):
        peer.writer.write(b"x" * 50_000)
    await peer.expect("552")

    assert door.took == []


async def test_at_most_a_hundred_recipients(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.begin(*[f"support+{n}@demo.test" for n in range(100)])

    await peer.say("RCPT TO:<support+101@demo.test>", "452 4.5.3")
    await peer.data(b"a\r\n.\r\n")


async def test_garbage_is_survived(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    peer.writer.write(b"x" * 3_000_000 + b"\r\n")
    await peer.expect("500")
    await peer.say(b"\xff\xfe\x00", "500")
    await peer.say("MAIL FROM:<a@c.example>", "503")
    await peer.say("EHLO x", "250-")
    await peer.say("AUTH PLAIN AHgAeA==", "502")
    await peer.say("MAIL FROM:a b c", "5")
    await peer.say("MAIL TO:<a@c.example>", "501")
    await peer.say("MAIL FROM:<a@c.example> SIZE=x", "501")


async def test_a_peer_that_makes_no_sense_is_let_go(doors: Opens) -> None:
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    peer.writer.write(b"GET / HTTP/1.1\r\n" * 30)
    for _ in range(20):
        await peer.expect("500")
    await peer.expect("421 4.7.0")
    await peer.closed()


async def test_a_line_of_more_than_a_megabyte_is_refused(doors: Opens) -> None:
    """And one of a megabyte is taken."""
    door = await doors(max_size=5_000_000)
    book = door.book
    book.max_size = 5_000_000
    peer = await call(door)
    await peer.begin()
    await peer.data(b"A: b\r\n\r\n" + b"x" * 1_048_570 + b"\r\n.\r\n", "250")
    await peer.mail()
    await peer.data(b"A: b\r\n\r\n" + b"x" * 1_048_577 + b"\r\ny\r\n.\r\n", "550 5.6.0")
    await peer.say("NOOP", "250")
