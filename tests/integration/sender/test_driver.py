"""The stage driver against a server that breaks at every stage."""

from __future__ import annotations

import asyncio
import time

import pytest

from gatepost_sender.driver import (
    Connection,
    Ended,
    Login,
    Manner,
    NotAnnounced,
    Stage,
    StageFailed,
    Timeouts,
)
from gatepost_sender.envelope import Envelope
from gatepost_sender.lanes import Lanes
from gatepost_sender.outcome import Verdict, judge
from gatepost_sender.route import Host, Route
from gatepost_sender.tls import Tls
from support.smtp_peer import CLOSE, SILENT, Peer

QUICK = Timeouts(connect_s=1, greeting_s=0.3, command_s=0.3, data_s=0.3, block_s=0.3, dot_s=0.3)
MANNER = Manner("here.test", Tls.OFFERED, QUICK)
TO = "ada@there.test"
MAIL = Envelope("us@here.test", (TO,), b"Subject: hi\r\n\r\n.dot\r\nlast\r\n")


class Intent:
    """Counts announcements, and knows what the peer had of the mail at that moment."""

    def __init__(self, peer: Peer, *, says: bool = True) -> None:
        self.peer, self.says, self.calls = peer, says, 0

    async def __call__(self, taken: tuple[str, ...]) -> bool:
        self.calls += 1
        self.taken = taken
        await asyncio.sleep(0.02)
        self.had_content = any(self.peer.contents)
        return self.says


def lanes() -> Lanes:
    return Lanes(width_max=4, idle_s=10, mails_per_connection=100)


def route(*peers: Peer, manner: Manner = MANNER) -> Route:
    return Route("test", tuple(Host("127.0.0.1", "127.0.0.1", p.port, manner) for p in peers), "relay")


async def attempt(peer: Peer, mail: Envelope = MAIL, manner: Manner = MANNER) -> tuple[Ended, Intent]:
    intent = Intent(peer)
    pool = lanes()
    ended = await pool.send(route(peer, manner=manner), mail, intent)
    await pool.close()
    return ended[mail.recipients[0]], intent


async def test_a_mail_is_taken_and_the_intent_comes_before_the_content() -> None:
    async with Peer() as peer:
        ended, intent = await attempt(peer)

    assert ended.stage == Stage.DOT
    assert judge(ended).verdict == Verdict.DELIVERED
    assert judge(ended).remote_id == "ABC123DEF"
    assert intent.calls == 1
    assert not intent.had_content
    assert MAIL.content == peer.mails[0].content
    assert peer.mails[0].recipients == [TO]


@pytest.mark.parametrize("how", [CLOSE, SILENT, "2" + CLOSE, "250-half\r\n" + CLOSE, "nonsense\r\n", "999 what\r\n"])
@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_break_before_the_dot_is_a_safe_retry(stage: str, how: str) -> None:
    async with Peer({stage: how}) as peer:
        ended, intent = await attempt(peer)

    assert judge(ended).verdict == Verdict.DEFERRED
    assert intent.calls == 0
    assert peer.mails == []
    assert peer.connections == 1


@pytest.mark.parametrize(
    "how", [CLOSE, SILENT, "2" + CLOSE, "25", "250-half\r\n" + CLOSE, "nonsense\r\n", "999 what\r\n", "354 go on\r\n"]
)
async def test_a_break_after_the_dot_is_unknowable(how: str) -> None:
    """Nobody can know whether it was taken; there is no second connection."""
    async with Peer({"dot": how}) as peer:
        ended, intent = await attempt(peer)
        await asyncio.sleep(0.1)

    assert ended.is_unknown
    assert judge(ended).verdict == Verdict.UNCERTAIN
    assert intent.calls == 1
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("stage", "reply", "verdict"),
    [
        ("greeting", "421 busy\r\n", Verdict.DEFERRED),
        ("greeting", "554 go away\r\n", Verdict.DEFERRED),
        ("MAIL", "451 4.3.0 later\r\n", Verdict.DEFERRED),
        ("MAIL", "550 5.7.1 not you\r\n", Verdict.BOUNCED),
        ("RCPT", "450 4.2.0 greylisted\r\n", Verdict.DEFERRED),
        ("RCPT", "550 5.1.1 user unknown\r\n", Verdict.BOUNCED),
        ("DATA", "451 4.3.0 later\r\n", Verdict.DEFERRED),
        ("DATA", "554 5.5.1 no\r\n", Verdict.BOUNCED),
        ("dot", "451 4.3.0 later\r\n", Verdict.DEFERRED),
        ("dot", "421 4.3.2 closing\r\n" + CLOSE, Verdict.DEFERRED),
        ("dot", "554 5.7.1 spam\r\n", Verdict.BOUNCED),
        ("dot", "250-one\r\n250 two\r\n", Verdict.DELIVERED),
    ],
)
async def test_a_reply_decides(stage: str, reply: str, verdict: Verdict) -> None:
    async with Peer({stage: reply}) as peer:
        ended, _ = await attempt(peer)

    assert verdict == judge(ended).verdict


async def test_a_stray_250_is_not_the_answer_to_the_dot() -> None:
    """A reply that came together with the 354 is never paired with the dot."""
    async with Peer({"DATA": "354 go\r\n250 2.0.0 queued\r\n", "dot": "554 no\r\n"}) as peer:
        ended, intent = await attempt(peer)

    assert judge(ended).verdict == Verdict.DEFERRED
    assert not ended.is_dot_written
    assert intent.calls == 0


async def test_an_answer_during_the_content_stops_it_before_the_dot() -> None:
    big = Envelope(
        MAIL.sender, MAIL.recipients, b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 20_000_000 + b"\r\n"
    )
    async with Peer({"content": "552 5.3.4 too big\r\n" + CLOSE}, offers=()) as peer:
        ended, _ = await attempt(peer, big)

    assert not ended.is_dot_written
    assert ended.stage is Stage.DATA
    assert judge(ended).verdict in {Verdict.BOUNCED, Verdict.DEFERRED}  # a reset may overtake the reply
    assert peer.mails == []


async def test_a_connection_lost_within_the_content_is_lost_before_the_dot() -> None:
    big = Envelope(MAIL.sender, MAIL.recipients, b"Subject: big\r\n\r\n" + b"y" * 20_000_000 + b"\r\n")
    async with Peer({"content": CLOSE}, offers=()) as peer:
        ended, intent = await attempt(peer, big)

    assert intent.calls == 1
    assert judge(ended).verdict == Verdict.DEFERRED
    assert not ended.is_dot_written


async def test_one_refused_recipient_of_two_is_named() -> None:
    other = "bob@there.test"
    refuse = lambda line: "550 5.1.1 no such user\r\n" if "bob" in line else "250 ok\r\n"  # noqa: E731
    async with Peer({"RCPT": refuse}) as peer:
        intent = Intent(peer)
        ended = await lanes().send(route(peer), Envelope(MAIL.sender, (TO, other), MAIL.content), intent)

    assert intent.taken == (TO,)
    assert judge(ended[TO]).verdict == Verdict.DELIVERED
    assert judge(ended[other]).verdict == Verdict.BOUNCED
    assert judge(ended[other]).is_hard


async def test_without_the_intent_nothing_is_sent() -> None:
    async with Peer() as peer:
        intent = Intent(peer, says=False)
        with pytest.raises(NotAnnounced):
            await lanes().send(route(peer), MAIL, intent)
        await asyncio.sleep(0.05)

    assert intent.calls == 1
    assert peer.mails == []
    assert peer.contents == [b""]


async def test_a_failing_store_at_the_intent_sends_nothing() -> None:
    async def broken(_: tuple[str, ...]) -> bool:
        raise OSError("database away")

    async with Peer() as peer:
        with pytest.raises(OSError, match="away"):
            await lanes().send(route(peer), MAIL, broken)
        await asyncio.sleep(0.05)

    assert peer.mails == []
    assert peer.contents == [b""]


async def test_connections_are_kept() -> None:
    async with Peer() as peer:
        pool = lanes()
        for _ in range(5):
            await pool.send(route(peer), MAIL, Intent(peer))
        await pool.close()

    assert peer.connections == 1
    assert len(peer.mails) == 5


@pytest.mark.parametrize("how", [CLOSE, "421 4.4.2 idle too long\r\n" + CLOSE])
async def test_a_stale_kept_connection_is_replaced_at_once(how: str) -> None:
    async with Peer({"MAIL": ["250 ok\r\n", how]}) as peer:
        pool = lanes()
        await pool.send(route(peer), MAIL, Intent(peer))
        ended = await pool.send(route(peer), MAIL, Intent(peer))

    assert judge(ended[TO]).verdict == Verdict.DELIVERED
    assert peer.connections == 2
    assert len(peer.mails) == 2


async def test_a_fresh_connection_that_fails_at_mail_is_not_tried_again() -> None:
    async with Peer({"MAIL": CLOSE}) as peer:
        ended, _ = await attempt(peer)

    assert judge(ended).verdict == Verdict.DEFERRED
    assert peer.connections == 1


async def test_a_break_on_a_kept_connection_after_the_dot_is_unknowable_too() -> None:
    async with Peer({"dot": ["250 ok\r\n", CLOSE]}) as peer:
        pool = lanes()
        await pool.send(route(peer), MAIL, Intent(peer))
        ended = await pool.send(route(peer), MAIL, Intent(peer))
        await asyncio.sleep(0.05)

    assert judge(ended[TO]).verdict == Verdict.UNCERTAIN
    assert peer.connections == 1


async def test_after_a_refusal_the_connection_is_reset_and_kept() -> None:
    async with Peer({"RCPT": ["550 5.1.1 no\r\n"]}) as peer:
        pool = lanes()
        await pool.send(route(peer), MAIL, Intent(peer))
        await asyncio.sleep(0.05)
        ended = await pool.send(route(peer), MAIL, Intent(peer))

    assert judge(ended[TO]).verdict == Verdict.DELIVERED
    assert "RSET" in peer.lines
    assert peer.connections == 1


async def test_the_next_exchanger_is_tried() -> None:
    async with Peer({"greeting": "421 no\r\n"}) as first, Peer() as second:
        ended = await lanes().send(route(first, second), MAIL, Intent(second))

    assert judge(ended[TO]).verdict == Verdict.DELIVERED


async def test_encryption_that_is_required_and_not_offered_defers() -> None:
    async with Peer() as peer:
        ended, _ = await attempt(peer, manner=Manner("here.test", Tls.REQUIRED, QUICK))

    assert judge(ended).verdict == Verdict.DEFERRED
    assert ended.stage == Stage.TLS
    assert not any(line.startswith("MAIL") for line in peer.lines)


async def test_a_handshake_that_fails_never_falls_back_to_plain() -> None:
    async with Peer({"EHLO": "250-peer\r\n250 STARTTLS\r\n", "STARTTLS": "220 go\r\n"}) as peer:
        ended, _ = await attempt(peer)

    assert judge(ended).verdict == Verdict.DEFERRED
    assert ended.stage == Stage.TLS
    assert not any(line.startswith("MAIL") for line in peer.lines)


async def test_a_password_never_goes_in_clear() -> None:
    async with Peer({"EHLO": "250-peer\r\n250 AUTH PLAIN\r\n"}) as peer:
        ended, _ = await attempt(peer, manner=Manner("here.test", Tls.OFFERED, QUICK, Login("me", "secret")))

    assert ended.stage == Stage.AUTH
    assert not any(line.startswith("AUTH") for line in peer.lines)


async def test_a_smart_host_gets_its_login() -> None:
    async with Peer({"EHLO": "250-peer\r\n250 AUTH PLAIN\r\n", "AUTH": "235 ok\r\n"}) as peer:
        ended, _ = await attempt(peer, manner=Manner("here.test", Tls.OFF, QUICK, Login("me", "secret")))

    assert judge(ended).verdict == Verdict.DELIVERED


async def test_nobody_listens() -> None:
    async with Peer() as peer:
        pass
    started = time.monotonic()

    with pytest.raises(StageFailed) as failed:
        await Connection.open("127.0.0.1", peer.port, MANNER)

    assert failed.value.ended.stage == Stage.CONNECT
    assert time.monotonic() - started < 2


async def test_old_server_without_ehlo() -> None:
    async with Peer({"EHLO": "502 what\r\n"}) as peer:
        ended, _ = await attempt(peer)

    assert judge(ended).verdict == Verdict.DELIVERED


SCRIPTS = "jörg@there.test"


async def test_an_address_in_another_script_needs_a_server_that_takes_it() -> None:
    """SMTPUTF8 absent: it bounces in words of ours, and nothing of it was said to the server."""
    mail = Envelope("us@here.test", (SCRIPTS,), MAIL.content)
    async with Peer() as plain, Peer(offers=("SMTPUTF8",)) as able:
        without, _ = await attempt(plain, mail)
        taken, _ = await attempt(able, mail)

    assert (Verdict.BOUNCED, False) == (judge(without).verdict, judge(without).is_hard)
    assert not any(line.startswith("MAIL") for line in plain.lines)
    assert judge(taken).verdict == Verdict.DELIVERED
    assert [SCRIPTS] == able.mails[0].recipients
    assert any(line.endswith(" SMTPUTF8") for line in able.lines if line.startswith("MAIL"))


@pytest.mark.parametrize("offers", [(), ("8BITMIME",), ("8BITMIME", "PIPELINING")])
async def test_what_we_compose_needs_no_8bitmime(offers: tuple[str, ...]) -> None:
    """Seven bits pass everywhere; only content that is not is announced, and only where the server takes it."""
    eight = Envelope("us@here.test", (TO,), "Subject: hi\r\n\r\nhällo\r\n".encode())
    async with Peer(offers=offers) as peer:
        seven, _ = await attempt(peer)
        await attempt(peer, eight)

    said = [line for line in peer.lines if line.startswith("MAIL")]
    assert judge(seven).verdict == Verdict.DELIVERED
    assert "BODY" not in said[0]
    assert said[1].endswith(" BODY=8BITMIME") is ("8BITMIME" in offers)


async def test_a_mail_larger_than_the_server_takes_is_not_begun() -> None:
    """RFC 1870: it would only be refused behind all of its bytes."""
    async with Peer(offers=("SIZE 20",)) as peer:
        ended, intent = await attempt(peer)

    assert (Verdict.BOUNCED, "5.3.4") == (judge(ended).verdict, judge(ended).enhanced)
    assert intent.calls == 0
    assert not any(line.startswith("MAIL") for line in peer.lines)
