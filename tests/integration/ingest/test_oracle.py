"""Our receiver against another's: the same bytes must give the same mails and the same kinds of replies.

aiosmtpd is the oracle. Where ours is meant to differ is left out here and said in docs/adr: chunks, other scripts, AUTH,
lines over a thousand bytes, its missing 452, and MAIL or RCPT that it takes with odd addresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration.ingest.door import Door

PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\0", b"\r\n.", b"\n.\n", b"\r\n.\r\r\n", b"\xff", b"QUIT\r\n"]
)
BODIES = st.lists(PIECES, max_size=30).map(b"".join)
LINES = st.sampled_from(
    [
        b"EHLO x", b"HELO x", b"MAIL FROM:<a@c.example>", b"MAIL FROM:<>",
        b"RCPT TO:<support@demo.test>", b"RCPT TO:<nobody@demo.test>", b"RSET", b"NOOP", b"DATA", b"DATA x", b"MAIL",
        b"RCPT", b"EHLO", b"WHAT", b"mail from:<b@c.example>", b"Rcpt To: <support@demo.test>", b"VRFY x", b"STARTTLS x",
    ]
)  # fmt: skip


class Oracle:
    """The other receiver, deciding as our door decides."""

    def __init__(self) -> None:
        self.took: list[bytes] = []

    async def handle_RCPT(
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address.lower() != "support@demo.test":
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.took.append(envelope.content)
        return "250 ok"


class Both:
    def __init__(self, door: Door, oracle: Oracle, ports: tuple[int, int]) -> None:
        self.door, self.oracle, self.ports = door, oracle, ports

    async def said(self, said: bytes) -> tuple[list[str], list[str]]:
        """The codes that each answers to the same bytes and a QUIT."""
        self.door.took.clear()
        self.oracle.took.clear()
        ours, theirs = [await codes(port, said) for port in self.ports]
        return ours, theirs


async def codes(port: int, said: bytes) -> list[str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    try:
        replies = (await asyncio.wait_for(reader.read(), 10)).decode().split("\r\n")
    finally:
        writer.close()
    return [line[:3] for line in replies if line[3:4] == " "]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both() -> AsyncIterator[Both]:
    door, oracle = Door(), Oracle()
    await door.listener.start()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(oracle, hostname="mx.demo.test", loop=loop), "127.0.0.1", 0)
    yield Both(door, oracle, (door.listener.port, server.sockets[0].getsockname()[1]))
    server.close()
    await door.listener.stop(0)


CHECKS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BEGIN = b"EHLO x\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<support@demo.test>\r\nDATA\r\n"


@pytest.mark.asyncio(loop_scope="module")
@CHECKS
@given(body=BODIES)
async def test_a_mail_ends_where_the_oracle_says(both: Both, body: bytes) -> None:
    """Same mails, byte for byte as they came, and the same replies to whatever stands behind the end."""
    ours, theirs = await both.said(BEGIN + body + b"\r\n.\r\nQUIT\r\n")

    assert both.oracle.took == [mail.signed for mail in both.door.took]
    assert theirs[:6] == ours[:6]


@pytest.mark.asyncio(loop_scope="module")
@CHECKS
@given(lines=st.lists(LINES, max_size=12))
async def test_commands_are_taken_in_the_same_order(both: Both, lines: list[bytes]) -> None:
    """What is taken and what is refused for good, command by command, until a mail begins."""
    ours, theirs = await both.said(b"\r\n".join([*lines, b"NOOP", b""]))
    end = min(theirs.index("354") + 1 if "354" in theirs else len(theirs), 20)

    assert [code[0] for code in theirs[:end]] == [code[0] for code in ours[:end]]
