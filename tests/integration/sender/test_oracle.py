"""Our SMTP client beside aiosmtplib: before the same server the same bytes arrive, and the same answers are understood."""

from __future__ import annotations

from collections.abc import Callable

import aiosmtplib
import pytest

from gatepost_sender.driver import Connection, Manner
from gatepost_sender.envelope import Envelope
from gatepost_sender.tls import Tls
from support.smtp_peer import Peer

MANNER = Manner("here.test", Tls.OFFERED)
HEAD = b"From: us@here.test\r\nSubject: hi\r\n\r\n"


async def ours(peer: Peer, recipients: tuple[str, ...], content: bytes) -> dict[str, int]:
    """The code that each recipient's mail ended with."""

    async def announce(_: tuple[str, ...]) -> bool:
        return True

    connection = await Connection.open("127.0.0.1", peer.port, MANNER)
    ended = await connection.transact(Envelope("us@here.test", recipients, content), announce)
    await connection.quit()
    return {to: end.reply.code if end.reply else 0 for to, end in ended.items()}


async def theirs(peer: Peer, recipients: tuple[str, ...], content: bytes) -> dict[str, int]:
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=peer.port, local_hostname="here.test", start_tls=False, timeout=10
    )
    await client.connect()
    codes: dict[str, int] = {}
    try:
        try:
            await client.mail("us@here.test")
        except aiosmtplib.SMTPResponseException as error:
            return dict.fromkeys(recipients, error.code)
        for to in recipients:
            try:
                await client.rcpt(to)
            except aiosmtplib.SMTPResponseException as error:
                codes[to] = error.code
        if left := [to for to in recipients if to not in codes]:
            try:
                end = (await client.data(content)).code
            except aiosmtplib.SMTPResponseException as error:
                end = error.code
            codes |= dict.fromkeys(left, end)
        return codes
    finally:
        client.close()


@pytest.mark.parametrize(
    "offers", [("SIZE 1000000",), ("SIZE 1000000", "PIPELINING")], ids=["turn by turn", "pipelined"]
)
@pytest.mark.parametrize(
    "body",
    [b"words\r\n", b"", b".\r\n", b"..\r\n", b".one\r\n.two\r\n", b"no end", b"\r\n\r\n", b"x" * 998 + b"\r\n", b"caf\xc3\xa9\r\n",
     b".\r\n.\r\n.\r\n", b"a\r\n.\r\nMAIL FROM:<x@y.z>\r\n", b"y" * 200_000 + b"\r\n."],
    ids=["words", "nothing", "a dot", "two dots", "dots that begin", "no line end", "empty lines", "a long line", "8 bit",
         "three dots", "a false end", "many blocks"],
)  # fmt: skip
async def test_the_same_bytes_arrive(body: bytes, offers: tuple[str, ...]) -> None:
    async with Peer(offers=offers) as peer:
        said = await ours(peer, ("ada@there.test",), HEAD + body), await theirs(peer, ("ada@there.test",), HEAD + body)

    assert said == ({"ada@there.test": 250},) * 2
    assert [mail.content for mail in peer.mails] == [peer.mails[0].content] * 2
    assert [mail.sender for mail in peer.mails] == [peer.mails[0].sender] * 2


def refuses(address: str, code: int) -> Callable[[str], str]:
    return lambda line: f"{code} no\r\n" if address in line else "250 ok\r\n"


@pytest.mark.parametrize(
    "offers", [("SIZE 1000000",), ("SIZE 1000000", "PIPELINING")], ids=["turn by turn", "pipelined"]
)
@pytest.mark.parametrize(
    "says",
    [
        {"MAIL": "451 4.3.0 later\r\n"}, {"MAIL": "550 5.7.1 never\r\n"}, {"RCPT": "450 4.2.1 later\r\n"},
        {"RCPT": "550-5.1.1 nobody\r\n550 5.1.1 here\r\n"}, {"RCPT": refuses("bob", 550)}, {"RCPT": refuses("ada", 452)},
        {"DATA": "554 5.7.1 no\r\n"}, {"DATA": "451 4.3.0 later\r\n"}, {"dot": "552 5.3.4 too large\r\n"},
        {"dot": "451-4.3.0 not\r\n451-4.3.0 just\r\n451 4.3.0 now\r\n"}, {"dot": "250 fine\r\n"}, {"dot": "250\r\n"},
    ],
    ids=lambda says: " ".join(f"{stage} {reply}"[:20] if isinstance(reply, str) else f"{stage} one of two" for stage, reply in says.items()),
)  # fmt: skip
async def test_the_same_answers_are_understood(says: dict[str, str], offers: tuple[str, ...]) -> None:
    recipients = ("ada@there.test", "bob@there.test")
    async with Peer(says=dict(says), offers=offers) as peer:
        here, there = await ours(peer, recipients, HEAD), await theirs(peer, recipients, HEAD)

    assert here == there
    assert len([mail for mail in peer.mails if mail.is_kept]) in {0, 2}
