"""A log to attack: mails that went many ways, through the real step functions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from support.mails import ANN, BOB, INGEST, OPERATOR, Mail, draft, inbound, made, moved


async def fill(world: Any, *, mails: int) -> None:
    """This many outbound mails, each on one of several ways, and a few steps of mailboxes; all at once."""
    stores = [await world.store(name) for name in ("api", "gatekeeper", "sender")]
    ways = (_delivered, _deferred, _rejected, _cancelled, _to_two, _uncertain, _open)
    await asyncio.gather(*(ways[n % len(ways)](Mail(*stores, _payload(n))) for n in range(mails)))
    ingest = await world.store("ingest")
    for n in range(2):
        raw = f"Subject: {n}\r\n\r\n{datetime.now(UTC)} {n}\r\n".encode()
        mail = inbound(raw=raw)
        made(await ingest.insert("T01", mail, by=INGEST, data={"raw_sha256": mail["m"]["raw_sha256"]}, raw=raw))
    moved(await stores[1].step("W3", "mbx_" + "1" * 26, by=OPERATOR, on=False))


def _payload(n: int) -> dict[str, Any]:
    recipients = ["cora@example.org", "dan@example.org"] if n % 7 == 4 else ["cora@example.org"]
    return draft(text=f"Grüße “{n}”\u2028 \\ 🙂", recipients=recipients)


async def _approved(mail: Mail) -> Mail:
    return await (await (await mail.write()).hold()).approve()


async def _delivered(mail: Mail) -> None:
    moved(await (await _approved(mail)).claim())
    moved(await mail.announce())
    moved(await mail.end("T28", code=250))


async def _deferred(mail: Mail) -> None:
    moved(await (await _approved(mail)).claim())
    moved(await mail.end("T29", owner="s1", code=451))
    moved(await mail.claim(row="T25"))
    moved(await mail.announce())
    moved(await mail.end("T28", code=250))


async def _rejected(mail: Mail) -> None:
    await (await mail.write()).hold()
    moved(await mail.step("T18", BOB, has_note=False, final=True, data={"revision": 1, "final": True}))


async def _cancelled(mail: Mail) -> None:
    await _approved(mail)
    moved(await mail.step("T20", ANN, data={"by": "prn_ann", "role": "reviewer"}))


async def _to_two(mail: Mail) -> None:
    await _approved(mail)
    for n in (1, 2):
        moved(await mail.claim(n))
    await asyncio.gather(*(mail.announce(n) for n in (1, 2)))
    await asyncio.gather(mail.end("T28", 1, code=250), mail.end("T30", 2, code=550))


async def _uncertain(mail: Mail) -> None:
    moved(await (await _approved(mail)).claim())
    moved(await mail.announce())
    moved(await mail.end("T31", owner="s1"))


async def _open(mail: Mail) -> None:
    await mail.write()
    expires = datetime.now(UTC) + timedelta(days=1)
    moved(await mail.step("T06", revision=1))
    moved(await mail.step("T09", reasons=["gated"], expires_at=expires, data={"revision": 1, "reasons": ["gated"]}))
