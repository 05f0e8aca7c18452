"""Our own failures, and a stop, cost the peer a retry and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost_ingest.commands import Dialogue, Say
from integration.ingest.door import Opens, call


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


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "BDAT", "NOOP"])
async def test_a_bug_in_any_command_is_451(doors: Opens, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 5yz would tell the peer to throw the mail away; and the conversation goes on."""

    def broken(*_: Any) -> Say:
        raise ValueError("bug")

    door = await doors()
    monkeypatch.setitem(Dialogue._COMMANDS, verb, broken)
    peer = await call(door)
    await peer.expect("220")
    await peer.say(f"{verb} 1", "451")
    await peer.say("RSET", "250")


async def test_a_bug_at_the_end_of_a_mail_is_451(doors: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> str:
        raise ValueError("bug")

    door = await doors()
    monkeypatch.setattr(door.answers, "mail", broken)
    peer = await call(door)
    await peer.begin()
    await peer.data(b"a\r\n.\r\n", "451")
    await peer.say("RSET", "250")


async def test_storing_that_takes_too_long_is_451(doors: Opens) -> None:
    door = await doors(store_s=0.2)
    door.wait = lambda: asyncio.sleep(30)
    peer = await call(door)
    await peer.begin()

    await peer.data(b"a\r\n.\r\n", "451")


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
    await door.answers.finish()

    assert len(door.took) == 1
