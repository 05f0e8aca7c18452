"""A spam filter's word keeps mail aside; a filter that is away keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from gatepost_ingest.spam import NO_ANSWER, Spam, read_verdict
from integration.ingest.conftest import Ingest
from support.mailroom import Mailroom


class Rspamd:
    """Says what a test tells it to."""

    def __init__(self) -> None:
        self.says: Any = {"action": "no action", "score": 0.4}
        self.waits_s = 0.0
        self.heard: list[dict[str, str]] = []

    async def check(self, request: web.Request) -> web.Response:
        self.heard.append(dict(request.headers) | {"body": (await request.read()).decode()})
        await asyncio.sleep(self.waits_s)
        return web.json_response(self.says) if isinstance(self.says, dict) else web.Response(text=self.says)


@pytest.fixture
async def rspamd() -> AsyncIterator[tuple[Rspamd, str]]:
    made, app = Rspamd(), web.Application()
    app.router.add_post("/checkv2", made.check)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def filtered(_mailroom: Mailroom, rspamd: tuple[Rspamd, str]) -> AsyncIterator[Ingest]:
    made = Ingest(_mailroom)
    await made.start(rspamd_url=rspamd[1], rspamd_s=0.5, rspamd_password=SecretStr("open sesame"))
    yield made
    await made.close()
    await _mailroom.close()


async def test_spam_is_kept_aside_with_its_score(filtered: Ingest, rspamd: tuple[Rspamd, str]) -> None:
    """And the filter is told who spoke; a mail it is unsure of is flagged, a good one is let through."""
    box = filtered.room.mailbox()
    for action, score in (("reject", 21.6), ("add header", 7), ("greylist", 4), ("no action", -2.2)):
        rspamd[0].says = {"action": action, "score": score}
        assert (await filtered.send(filtered.mail(box["address"], action), box["address"]))[0] == 250
    found = [(m["state"], m["spam_score"], m["spam_verdict"], m["quarantined_for"]) for m in filtered.stored(box)]
    heard = rspamd[0].heard[0]

    assert found == [
        ("quarantined", 22, "quarantined", ["spam"]),
        ("quarantined", 7, "flagged", ["spam"]),
        ("received", 4, "clean", []),
        ("received", -2, "clean", []),
    ]
    assert (heard["From"], heard["Rcpt"], heard["IP"]) == ("ada@customer.example", box["address"], "127.0.0.1")
    assert heard["Password"] == "open sesame"
    assert "Subject: A question" in heard["body"]


async def test_a_filter_that_is_away_hides_nothing(filtered: Ingest, rspamd: tuple[Rspamd, str]) -> None:
    """Slow, or talking nonsense: the mail is taken, and a reviewer knows that nobody judged it."""
    box = filtered.room.mailbox()
    rspamd[0].waits_s = 3
    assert (await filtered.send(filtered.mail(box["address"], "slow"), box["address"]))[0] == 250
    rspamd[0].waits_s, rspamd[0].says = 0, "<html>"
    assert (await filtered.send(filtered.mail(box["address"], "odd"), box["address"]))[0] == 250

    assert [(m["state"], "spam_unknown" in m["flags"]) for m in filtered.stored(box)] == [("received", True)] * 2


@pytest.mark.parametrize("odd", [None, [], {}, {"action": 3}, "x"])
def test_an_odd_answer_is_none(odd: Any) -> None:
    with pytest.raises(ValueError):
        read_verdict(odd)


def test_a_score_may_be_missing() -> None:
    assert read_verdict({"action": "reject", "score": float("inf")}) == Spam(None, "quarantined")
    assert NO_ANSWER.verdict == "clean"
