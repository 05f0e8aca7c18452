"""Mail read over IMAP: everything once, nothing counted as read before it is stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gatepost_ingest.accounts import Account, BadAccounts, read_accounts
from gatepost_ingest.imap import Fetcher
from gatepost_ingest.places import PlacesInStore
from integration.ingest.conftest import Ingest
from support.imap_server import ImapServer


@dataclass
class House:
    """A mailbox of ours that gets the mail of an account elsewhere."""

    ingest: Ingest
    server: ImapServer
    box: dict[str, str]
    running: list[asyncio.Task[None]] = field(default_factory=list)
    fail: int = 0

    def raw(self, text: str) -> bytes:
        return self.ingest.mail(self.box["address"], text)

    def account(self, **more: Any) -> Account:
        return Account(
            name="main", mailbox=self.box["address"], host="127.0.0.1", port=self.server.port, security="none",
            user="ada", password=SecretStr("secret"), **more,
        )  # fmt: skip

    def read(self, account: Account, most_bytes: int = 1_000_000) -> asyncio.Task[None]:
        async def store(mail: Any) -> tuple[str, ...]:
            if self.fail:
                self.fail -= 1
                raise RuntimeError("no database")
            return await self.ingest.answers.store(mail)

        find = self.ingest.answers._directory.find
        fetcher = Fetcher(account, find, store, PlacesInStore(self.ingest.store), most_bytes=most_bytes)
        self.running.append(asyncio.create_task(fetcher.run()))
        return self.running[-1]

    async def stored(self, number: int) -> list[dict[str, Any]]:
        for _ in range(200):
            found = await asyncio.to_thread(self.ingest.stored, self.box)
            if len(found) >= number:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(found)} of {number} mails are stored")

    async def idles(self) -> None:
        for _ in range(200):
            if self.server.idling:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("nobody idles")

    async def end(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def house(ingest: Ingest) -> AsyncIterator[House]:
    server = ImapServer()
    await server.start()
    made = House(ingest, server, ingest.room.mailbox())
    yield made
    for task in made.running:
        await made.end(task)
    server.stop()


async def test_new_mail_is_stored_as_it_arrives_and_the_folder_left_alone(house: House) -> None:
    """Read-only is EXAMINE and no flag; what was there before is not ours to answer."""
    house.server.deliver(house.raw("old"))
    house.read(house.account())
    await house.idles()
    raw = house.raw("new")
    mail = house.server.deliver(raw)
    (stored,) = await house.stored(1)

    assert stored["text"] == "new"
    assert stored["header_from"] == "ada@customer.example"
    assert stored["size_bytes"] == len(raw)
    assert mail.flags == set()
    assert [s for s in house.server.said if s.startswith(("SELECT", "UID STORE"))] == []


async def test_a_mail_is_seen_once_it_is_stored_and_not_before(house: House) -> None:
    """A failure leaves it unread in the folder, and it is read again."""
    house.read(house.account(read_only=False))
    await house.idles()
    house.fail = 1
    mail = house.server.deliver(house.raw("hello"))
    await house.stored(1)
    for _ in range(100):
        if mail.flags:
            break
        await asyncio.sleep(0.05)

    assert mail.flags == {"\\Seen"}
    assert len([s for s in house.server.said if "BODY.PEEK" in s]) == 2
    assert len([s for s in house.server.said if "UID STORE" in s]) == 1


async def test_reading_goes_on_where_it_stopped(house: House) -> None:
    """After a stop, and after the server hung up: nothing is missed, nothing fetched twice."""
    first = house.read(house.account())
    await house.idles()
    house.server.deliver(house.raw("one"))
    await house.stored(1)
    await house.end(first)
    house.server.deliver(house.raw("two"))
    house.read(house.account())
    await house.stored(2)
    house.server.hang_up()
    house.server.deliver(house.raw("three"))
    stored = await house.stored(3)

    assert [m["text"] for m in stored] == ["one", "two", "three"]
    assert len([s for s in house.server.said if "BODY.PEEK" in s]) == 3


async def test_a_folder_made_anew_is_read_again_and_stored_once(house: House) -> None:
    """RFC 3501 2.3.1.1: after another UIDVALIDITY the old numbers mean nothing; the bytes are known."""
    house.read(house.account())
    await house.idles()
    house.server.deliver(house.raw("one"))
    await house.stored(1)
    house.server.made_anew()
    house.server.deliver(house.raw("two"))
    stored = await house.stored(2)

    assert [m["text"] for m in stored] == ["one", "two"]


async def test_history_is_stored_and_never_answered(house: House) -> None:
    house.server.deliver(house.raw("old"))
    house.read(house.account(history=True))
    await house.stored(1)
    house.server.deliver(house.raw("new"))
    old, new = await house.stored(2)

    assert "imported" in old["automatic"]
    assert new["automatic"] == []


async def test_a_server_without_idle_is_asked_again_and_again(house: House) -> None:
    house.server.can_idle = False
    house.read(house.account(poll_s=0.1))
    for _ in range(100):
        if "NOOP" in house.server.said:
            break
        await asyncio.sleep(0.05)
    house.server.deliver(house.raw("new"))

    assert len(await house.stored(1)) == 1


async def test_a_mail_too_large_stays_where_it_is(house: House) -> None:
    """It does not hold up the others."""
    house.read(house.account(read_only=False), most_bytes=2000)
    await house.idles()
    large = house.server.deliver(house.raw("x" * 3000))
    house.server.deliver(house.raw("small"))
    (stored,) = await house.stored(1)

    assert stored["text"] == "small"
    assert large.flags == set()


async def test_two_accounts_may_not_share_a_name(tmp_path: Path) -> None:
    one = '[[account]]\nname = "a"\nmailbox = "a@b.test"\nhost = "h"\nuser = "u"\npassword = "p"\n'
    path = tmp_path / "imap.toml"
    for text, why in (
        (one + one, "same name"),
        (one + "nmae = 1\n", "nmae"),
        (one.replace('"p"', '""'), "password"),
        ("[", ""),
    ):
        path.write_text(text)
        with pytest.raises(BadAccounts, match=why):
            read_accounts(path)
    path.write_text(one)

    assert repr(read_accounts(path)[0].password) == "SecretStr('**********')"
