"""MAIL, RCPT and DATA in one burst (RFC 2920): the same certainty about every stage, with fewer journeys."""

from __future__ import annotations

import asyncio

import pytest

from gatepost_sender.driver import Ended, Manner, Timeouts
from gatepost_sender.envelope import Envelope
from gatepost_sender.lanes import Lanes
from gatepost_sender.outcome import Verdict, judge
from gatepost_sender.route import Host, Route
from gatepost_sender.tls import Tls
from support.smtp_peer import CLOSE, SILENT, Peer

QUICK = Timeouts(connect_s=1, greeting_s=0.3, command_s=0.3, data_s=0.3, block_s=0.3, dot_s=0.3)
TO, OTHER = "ada@there.test", "bob@there.test"
MAIL = Envelope("us@here.test", (TO,), b"Subject: hi\r\n\r\n.dot\r\nlast\r\n")
OFFERS = ("SIZE 1000000", "PIPELINING")
NOT_BOB = {"RCPT": lambda line: "550 5.1.1 no such user\r\n" if "bob" in line else "250 ok\r\n"}


class Sender:
    """Hands mails to one peer, and counts the intents."""

    def __init__(self, peer: Peer) -> None:
        peer.offers = OFFERS
        self.lanes = Lanes(width_max=4, idle_s=10, mails_per_connection=100)
        manner = Manner("here.test", Tls.OFFERED, QUICK)
        self.route = Route("test", (Host("127.0.0.1", "127.0.0.1", peer.port, manner),), "relay")
        self.announced: list[tuple[str, ...]] = []

    async def send(self, mail: Envelope = MAIL) -> dict[str, Ended]:
        async def announce(taken: tuple[str, ...]) -> bool:
            self.announced.append(taken)
            return True

        return await self.lanes.send(self.route, mail, announce)


async def test_the_server_gets_all_three_before_it_answers_one() -> None:
    async with Peer({"MAIL": "", "RCPT": "", "DATA": "250 ok\r\n250 ok\r\n354 go\r\n"}) as peer:
        sender = Sender(peer)
        ended = (await sender.send())[TO]

    assert judge(ended).verdict == Verdict.DELIVERED
    assert MAIL.content == peer.mails[0].content
    assert sender.announced == [(TO,)]


@pytest.mark.parametrize("how", [CLOSE, SILENT, "2" + CLOSE, "250-half\r\n" + CLOSE, "nonsense\r\n", "999 what\r\n"])
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_break_before_the_dot_is_a_safe_retry(stage: str, how: str) -> None:
    async with Peer({stage: how}) as peer:
        sender = Sender(peer)
        ended = (await sender.send())[TO]

    assert judge(ended).verdict == Verdict.DEFERRED
    assert ended.stage == stage.lower()
    assert sender.announced == []
    assert peer.mails == []


@pytest.mark.parametrize(
    ("stage", "reply", "verdict"),
    [
        ("MAIL", "451 4.3.0 later\r\n", Verdict.DEFERRED),
        ("MAIL", "550 5.7.1 not you\r\n", Verdict.BOUNCED),
        ("RCPT", "450 4.2.0 greylisted\r\n", Verdict.DEFERRED),
        ("RCPT", "550 5.1.1 user unknown\r\n", Verdict.BOUNCED),
        ("DATA", "451 4.3.0 later\r\n", Verdict.DEFERRED),
        ("DATA", "554 5.5.1 no\r\n", Verdict.BOUNCED),
    ],
)
async def test_a_reply_decides_and_the_connection_is_kept(stage: str, reply: str, verdict: Verdict) -> None:
    """What else was asked for in the burst is read too, so that the next mail's replies are its own."""
    data = ["554 5.5.1 no valid recipients\r\n"] if stage != "DATA" else [reply]
    async with Peer({stage: [reply], "DATA": data}) as peer:
        sender = Sender(peer)
        first = (await sender.send())[TO]
        await asyncio.sleep(0.05)
        second = (await sender.send())[TO]

    assert (stage.lower(), verdict) == (first.stage, judge(first).verdict)
    assert judge(second).verdict == Verdict.DELIVERED
    assert 1 == peer.connections
    assert 1 == len(peer.mails)


async def test_a_server_that_wants_the_mail_of_nobody_gets_nothing() -> None:
    """It took no recipient and says 354 all the same: not even an empty line is written."""
    async with Peer({"RCPT": ["550 5.1.1 no such user\r\n"]}) as peer:
        sender = Sender(peer)
        first = (await sender.send())[TO]
        second = (await sender.send())[TO]
        await asyncio.sleep(0.05)

    assert judge(first).verdict == Verdict.BOUNCED
    assert judge(second).verdict == Verdict.DELIVERED
    assert [MAIL.content] == [mail.content for mail in peer.mails]
    assert 2 == peer.connections
    assert b"RSET" not in b"".join(peer.contents)


async def test_one_refused_recipient_of_two_is_named() -> None:
    async with Peer(dict(NOT_BOB)) as peer:
        sender = Sender(peer)
        ended = await sender.send(Envelope(MAIL.sender, (TO, OTHER), MAIL.content))

    assert sender.announced == [(TO,)]
    assert (Verdict.DELIVERED, Verdict.BOUNCED) == (judge(ended[TO]).verdict, judge(ended[OTHER]).verdict)


@pytest.mark.parametrize("more", ["250 2.0.0 queued\r\n", "25"])
async def test_a_reply_too_many_is_not_the_answer_to_the_dot(more: str) -> None:
    """Nor is half of one, which what the server says to the dot would complete."""
    async with Peer({"DATA": f"354 go\r\n{more}", "dot": "554 no\r\n"}) as peer:
        sender = Sender(peer)
        ended = (await sender.send())[TO]

    assert judge(ended).verdict == Verdict.DEFERRED
    assert not ended.is_dot_written
    assert sender.announced == []


@pytest.mark.parametrize("how", [CLOSE, "421 4.4.2 idle too long\r\n" + CLOSE])
async def test_a_stale_kept_connection_is_replaced_at_once(how: str) -> None:
    async with Peer({"MAIL": ["250 ok\r\n", how]}) as peer:
        sender = Sender(peer)
        await sender.send()
        ended = (await sender.send())[TO]

    assert judge(ended).verdict == Verdict.DELIVERED
    assert 2 == peer.connections
    assert 2 == len(peer.mails)
