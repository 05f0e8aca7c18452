"""The SMTP door on the wire: what it refuses, what it survives, and that nothing of ours ever bounces a mail."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gatepost_ingest.arrived import Arrived, Mailbox
from gatepost_ingest.hooks import Hooks
from gatepost_ingest.listener import Listener
from gatepost_ingest.paths import without_tag
from gatepost_ingest.settings import IngestSettings

BOXES = {
    "support@demo.test": Mailbox("mbx_1", "ten_1", "support@demo.test", "gated_send", 200_000),
    "small@demo.test": Mailbox("mbx_2", "ten_1", "small@demo.test", "gated_send", 1000),
}


class Book:
    """A directory in memory that can break."""

    error: Exception | None = None

    async def find(self, address: str) -> Mailbox | None:
        if self.error:
            raise self.error
        return BOXES.get(without_tag(address))

    async def serves(self, domain: str) -> bool:
        return domain == "demo.test"


class Door:
    """A listener of its own, and what it took."""

    def __init__(self, **more: Any) -> None:
        self.took: list[Arrived] = []
        self.error: Exception | None = None
        self.wait: Callable[[], Awaitable[Any]] | None = None
        self.book = Book()
        self.settings = IngestSettings(port=0, hostname="mx.demo.test", **more)
        self.hooks = Hooks(self.settings, self.book, self.receive)
        self.listener = Listener(self.settings, self.hooks)
        self.hooks.listener = self.listener

    async def receive(self, mail: Arrived) -> tuple[str, ...]:
        if self.wait:
            await self.wait()
        if self.error:
            raise self.error
        self.took.append(mail)
        return (f"msg_{len(self.took)}",)


class Peer:
    """Speaks SMTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self) -> str:
        """One reply, its lines joined."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            lines.append(line.rstrip())
            if line[3:4] != "-":
                return "\n".join(lines)

    async def expect(self, start: str) -> str:
        reply = await self.read()
        assert reply.startswith(start), f"expected {start}, got {reply!r}"
        return reply

    async def say(self, line: str | bytes, start: str) -> str:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.expect(start)

    async def begin(self, *recipients: str) -> None:
        await self.expect("220 mx.demo.test ESMTP")
        await self.say("EHLO peer.example", "250-")
        await self.mail(*recipients)

    async def mail(self, *recipients: str) -> None:
        await self.say("MAIL FROM:<ada@c.example>", "250")
        for recipient in recipients or ("support@demo.test",):
            await self.say(f"RCPT TO:<{recipient}>", "250")

    async def data(self, raw: bytes, start: str = "250") -> str:
        await self.say("DATA", "354")
        self.writer.write(raw)
        return await self.expect(start)

    async def closed(self) -> None:
        assert await asyncio.wait_for(self.reader.read(), 5) == b""


Opens = Callable[..., Awaitable[Door]]


@pytest.fixture
async def doors() -> AsyncIterator[Opens]:
    made: list[Door] = []

    async def open_door(**more: Any) -> Door:
        door = Door(**more)
        await door.listener.start()
        made.append(door)
        return door

    yield open_door
    for door in made:
        await door.listener.stop(0)


async def call(door: Door) -> Peer:
    return Peer(*await asyncio.open_connection("127.0.0.1", door.listener.port))


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


async def test_our_own_failures_are_temporary(doors: Opens) -> None:
    """451 from every hook, and the connection goes on."""
    door = await doors()
    peer = await call(door)
    await peer.expect("220")
    await peer.say("EHLO x", "250-")
    await peer.say("MAIL FROM:<a@c.example>", "250")
    door.book.error = RuntimeError("no database")
    await peer.say("RCPT TO:<support@demo.test>", "451")
    door.book.error = None
    await peer.say("RCPT TO:<support@demo.test>", "250")
    door.error = RuntimeError("disk full")
    await peer.data(b"a\r\n.\r\n", "451")
    door.error = None
    await peer.mail()
    await peer.data(b"a\r\n.\r\n", "250")


@pytest.mark.parametrize("hook", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_an_exception_in_any_hook_is_451(doors: Opens, hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> str:
        raise ValueError("bug")

    door = await doors()
    commands = {
        "EHLO": "EHLO x",
        "MAIL": "MAIL FROM:<a@c.example>",
        "RCPT": "RCPT TO:<support@demo.test>",
        "DATA": "DATA",
    }
    peer = await call(door)
    await peer.expect("220")
    for name, command in commands.items():
        if name == hook:
            conversation = next(iter(door.listener._talking))
            monkeypatch.setitem(conversation._handle_hooks, hook, broken)
            if hook == "DATA":
                await peer.say("DATA", "354")
            await peer.say("a\r\n." if hook == "DATA" else command, "451")
            return
        await peer.say(command, "250")


async def test_storing_that_takes_too_long_is_451(doors: Opens) -> None:
    door = await doors(store_s=0.2)
    door.wait = lambda: asyncio.sleep(30)
    peer = await call(door)
    await peer.begin()

    await peer.data(b"a\r\n.\r\n", "451")


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


async def test_a_stop_finishes_what_is_being_taken(doors: Opens) -> None:
    """The mail under way is answered; nobody else is let in."""
    door = await doors()
    storing, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        storing.set()
        await go.wait()

    door.wait = wait
    idle, peer = await call(door), await call(door)
    await idle.expect("220")
    await peer.begin()
    await peer.say("DATA", "354")
    peer.writer.write(b"a\r\n.\r\n")
    await storing.wait()
    stop = asyncio.create_task(door.listener.stop(5))
    await idle.expect("421 4.3.2")
    go.set()
    await peer.expect("250")
    await peer.expect("421")
    await stop

    assert len(door.took) == 1


async def test_a_peer_that_hangs_up_does_not_undo_the_storing(doors: Opens) -> None:
    door = await doors()
    storing, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        storing.set()
        await go.wait()

    door.wait = wait
    peer = await call(door)
    await peer.begin()
    await peer.say("DATA", "354")
    peer.writer.write(b"a\r\n.\r\n")
    await storing.wait()
    peer.writer.close()
    await asyncio.sleep(0.05)
    go.set()
    await door.hooks.finish()

    assert len(door.took) == 1


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


def make_certificate(cert: Path, key: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx.demo.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(private, hashes.SHA256())
    )  # fmt: skip
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(pem, pkcs8, serialization.NoEncryption()))
