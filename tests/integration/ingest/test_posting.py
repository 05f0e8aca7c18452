"""Mail that is posted: by relays, by the webhooks of providers, and as history. A 2xx means what a 250 means."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gatepost_cli.history import _Door, in_files, in_maildir, in_mbox
from gatepost_ingest.http import HttpDoor
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.signing_in import Relays
from integration.ingest.conftest import Ingest

SECRET = "correct-horse-battery-staple"


@dataclass
class Posting:
    ingest: Ingest
    door: HttpDoor
    box: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.door.port}/inbound"

    async def post(
        self, body: Any, kind: str | None = "message/rfc822", *, query: str = "", secret: str = SECRET
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {secret}"} | ({"Content-Type": kind} if kind else {})
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.url + query, data=body, headers=headers) as reply,
        ):
            return reply.status, await reply.json()

    async def raw_of(self) -> list[bytes]:
        rows = await asyncio.to_thread(
            self.ingest.room.rows, f"SELECT encode(bytes, 'base64') AS b FROM raw WHERE mailbox_id = '{self.box['id']}'"
        )
        return [base64.b64decode(row["b"]) for row in rows]


@pytest.fixture
async def posting(ingest: Ingest) -> AsyncIterator[Posting]:
    settings = IngestSettings(http_port=0, relays_file=Path("unused"), max_size=100_000)
    door = HttpDoor(settings, ingest.answers, ingest.answers._directory, Relays(f"edge {SECRET}"))
    await door.start()
    yield Posting(ingest, door, ingest.room.mailbox())
    await door.stop()


async def test_a_raw_mail_is_stored_byte_for_byte_and_once(posting: Posting) -> None:
    address = posting.box["address"]
    raw = posting.ingest.mail(address, "hällo") + b"\xff\x00.\r\n.\r\n..end\r\n"
    first = await posting.post(raw, query=f"?to={address}&from=ada@customer.example")
    again = await posting.post(raw, "application/octet-stream", query=f"?to={address}&from=ada@customer.example")

    assert first[0] == again[0] == 200
    assert first[1]["id"] == again[1]["id"]
    assert await posting.raw_of() == [raw]


async def test_only_a_relay_may_post(posting: Posting) -> None:
    raw = posting.ingest.mail(posting.box["address"])
    for secret in ("", "wrong", SECRET[:-1]):
        status, said = await posting.post(raw, secret=secret)
        assert (status, said["code"]) == (401, "unauthenticated")
    for name, expected in (("edge", 200), ("other", 401)):
        async with (
            aiohttp.ClientSession(auth=aiohttp.BasicAuth(name, SECRET)) as client,
            client.post(posting.url, data=raw, headers={"Content-Type": "message/rfc822"}) as reply,
        ):
            assert reply.status == expected


async def test_the_envelope_is_read_from_headers_where_nobody_names_it(posting: Posting) -> None:
    address = posting.box["address"]
    tagged = address.replace("@", "+order@")
    raw = f"Return-Path: <bounces@c.example>\r\nX-Original-To: {tagged}\r\n".encode() + posting.ingest.mail(
        "list@else.example"
    )
    status, _ = await posting.post(raw)
    (stored,) = posting.ingest.stored(posting.box)

    assert status == 200
    assert (stored["envelope_from"], stored["envelope_to"]) == ("bounces@c.example", tagged)


@pytest.mark.parametrize("style", ["sendgrid", "mailgun", "mandrill", "postmark", "ses", "json", "json64", "sns text"])
async def test_providers_are_understood(posting: Posting, style: str) -> None:
    """Their documents, with the mail inside as it was."""
    address = posting.box["address"]
    raw = posting.ingest.mail(address, f"over {style}")
    text = raw.decode()
    ses = {"Type": "Notification", "Message": json.dumps({
        "content": base64.b64encode(raw).decode(), "mail": {"source": "ada@customer.example"},
        "receipt": {"recipients": [address], "action": {"encoding": "BASE64"}}})}  # fmt: skip
    envelope = json.dumps({"to": [address], "from": "ada@customer.example"})
    forms: dict[str, dict[str, str]] = {
        "sendgrid": {"email": text, "envelope": envelope, "charsets": "{}"},
        "mailgun": {"body-mime": text, "recipient": address, "sender": "ada@customer.example"},
        "mandrill": {
            "mandrill_events": json.dumps(
                [{"msg": {"raw_msg": text, "email": address, "from_email": "ada@customer.example"}}]
            )
        },
    }
    documents: dict[str, Any] = {
        "postmark": {"RawEmail": text, "OriginalRecipient": address, "From": "ada@customer.example"},
        "ses": ses, "sns text": ses, "json": {"raw": text, "to": address, "from": "ada@customer.example"},
        "json64": {"raw_base64": base64.b64encode(raw).decode(), "to": [address], "from": "ada@customer.example"},
    }  # fmt: skip
    if style in forms:
        with aiohttp.MultipartWriter("form-data") as form:
            for name, value in forms[style].items():
                form.append(value).set_content_disposition("form-data", name=name)
        status, said = await posting.post(form, None)
    else:
        kind = "text/plain" if style == "sns text" else "application/json"
        status, said = await posting.post(json.dumps(documents[style]), kind)
    (stored,) = posting.ingest.stored(posting.box)

    assert status == 200, said
    assert await posting.raw_of() == [raw]
    assert stored["envelope_from"] == "ada@customer.example"


async def test_what_is_no_mail_for_us_is_said_clearly(posting: Posting) -> None:
    raw = posting.ingest.mail("stranger@else.example")
    address = posting.box["address"]
    said = [
        await posting.post(raw),
        await posting.post(raw, query="?to=nobody@demo.test"),
        await posting.post(b"{}", "application/json"),
        await posting.post(b"{", "application/json"),
        await posting.post(b"a=b", "application/x-www-form-urlencoded"),
        await posting.post(b"--x", "multipart/form-data"),
        await posting.post(b"x" * 300_000, query=f"?to={address}"),
        await posting.post(b"x" * 120_000, query=f"?to={address}"),
    ]

    assert [status for status, _ in said] == [404, 404, 400, 400, 400, 400, 413, 413]
    assert all(answer["error"] and answer["code"] for _, answer in said)
    assert said[1][1]["refused"] == ["nobody@demo.test"]


async def test_trouble_of_ours_asks_to_come_back(posting: Posting, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("no database")

    address = posting.box["address"]
    monkeypatch.setattr(posting.ingest.answers, "store", broken)
    assert (await posting.post(b"a: b\r\n\r\nx", query=f"?to={address}"))[0] == 503
    monkeypatch.undo()
    posting.ingest.listener.is_draining = True
    assert (await posting.post(b"a: b\r\n\r\nx", query=f"?to={address}"))[0] == 503


async def test_history_comes_in_oldest_first_and_is_never_answered(posting: Posting, tmp_path: Path) -> None:
    """mbox with `>From ` inside, a maildir, and .eml files: as they once were on the wire."""
    address = posting.box["address"]

    def made(n: int, body: str) -> str:
        return f"From: Ada <ada@c.example>\nTo: {address}\nDate: Mon, {n:02} Nov 2025 10:00:00 +0000\nSubject: {n}\n\n{body}\n"

    box = tmp_path / "all.mbox"
    box.write_text(
        f"From ada Mon Nov\n{made(10, 'ten')}\nFrom ada Mon Nov\n{made(3, '>From here' + chr(10) + 'From inside')}\n"
    )
    for folder in ("cur", "new", "tmp"):
        (tmp_path / "dir" / folder).mkdir(parents=True)
    (tmp_path / "dir" / "cur" / "1:2,S").write_text(made(5, "five"))
    (tmp_path / "dir" / "new" / "2").write_text(made(4, "four"))
    (tmp_path / "one.eml").write_bytes(made(1, "one").replace("\n", "\r\n").encode())
    pieces = [*in_mbox(box), *in_maildir(tmp_path / "dir"), *in_files([tmp_path / "one.eml"])]
    door = _Door(posting.url, SECRET, address)
    problems = [await asyncio.to_thread(door.post, p.raw()) for p in sorted(pieces, key=lambda p: p.at)]
    stored = posting.ingest.stored(posting.box)

    assert problems == [None] * 5
    assert [m["subject"] for m in stored] == ["1", "3", "4", "5", "10"]
    assert stored[1]["text"] == "From here\nFrom inside"
    assert all("imported" in m["automatic"] for m in stored)
    assert all("bare_line_ends" not in m["flags"] for m in stored)


async def test_what_is_not_taken_names_its_reason(posting: Posting) -> None:
    door = _Door(posting.url, "wrong-secret-wrong-secret", posting.box["address"])

    assert "secret" in str(await asyncio.to_thread(door.post, b"a: b\r\n\r\nx"))
