"""Who a mail is from, proven with real signatures over a real DNS server, and stored with the mail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from gatepost_ingest.arrived import Arrived, Mailbox, Recipient, Refused
from gatepost_ingest.intake import Intake
from gatepost_ingest.resolver import Resolver
from gatepost_ingest.settings import IngestSettings
from gatepost_mail.dkim import DkimKey, sign
from gatepost_mail.lookups import Question
from support.dns_server import SILENT, Dns
from support.mailroom import KEY

DKIM = [
    DkimKey("sender.net", "r1", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    DkimKey("sender.net", "e1", ed25519.Ed25519PrivateKey.generate()),
]


@pytest.fixture
async def dns_server() -> AsyncIterator[Dns]:
    zone: dict[str, list[str] | str] = {
        "_dmarc.sender.net TXT": ['"v=DMARC1; p=reject"'], "sender.net TXT": ['"v=spf1 mx -all"'],
        "sender.net MX": ["10 out.sender.net."], "out.sender.net A": ["203.0.113.7"],
    }  # fmt: skip
    for key in DKIM:
        text = key.public_record()
        pieces = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        zone[f"{key.selector}._domainkey.sender.net TXT"] = [pieces]
    async with Dns(zone) as server:
        yield server


class Door:
    def __init__(self, ingest: Any, server: Dns, **more: Any) -> None:
        self.ingest, self.server = ingest, server
        self.settings = IngestSettings(
            hostname="mx.demo.test", dns_servers=(f"127.0.0.1:{server.port}",), dns_timeout_s=0.5, **more
        )
        self.intake = Intake(ingest.store, KEY, self.settings)

    async def take(
        self, raw: bytes, box: dict[str, str], peer: str = "203.0.113.7", sender: str = "ada@sender.net"
    ) -> dict[str, Any]:
        mailbox = Mailbox(box["id"], box["tenant_id"], box["address"], "gated_send", 10**7)
        to = (Recipient(box["address"], mailbox),)
        (message_id,) = await self.intake.receive(
            Arrived(raw, sender, to, False, peer, "out.sender.net", False, datetime.now(UTC))
        )
        found: dict[str, Any] = self.ingest.room.rows(f"SELECT * FROM message WHERE id = '{message_id}'")[0]
        return found


@pytest.fixture
async def door(ingest: Any, dns_server: Dns) -> AsyncIterator[Door]:
    made = Door(ingest, dns_server)
    yield made
    await made.intake.close()


def letter(door: Door, box: dict[str, str], **headers: str) -> bytes:
    return door.ingest.mail(box["address"], sender="Ada <ada@sender.net>", **headers)


async def test_a_proven_author_is_stored_with_all_that_proves_it(door: Door) -> None:
    box = door.ingest.room.mailbox()
    mail = await door.take(sign(letter(door, box), DKIM, timestamp=1_700_000_000), box)
    auth = mail["auth"]

    assert [(s["selector"], s["result"]) for s in auth["signatures"]] == [("r1", "pass"), ("e1", "pass")]
    assert (auth["spf"], auth["dkim"], auth["dmarc"], auth["verified_domain"]) == ("pass", "pass", "pass", "sender.net")
    assert (auth["header_from"], auth["envelope_from"], auth["policy"]) == (
        "ada@sender.net",
        "ada@sender.net",
        "reject",
    )
    assert "author_unproven" not in mail["flags"]


async def test_what_its_domain_disowns_is_refused_on_the_wire(door: Door) -> None:
    """p=reject, no signature, an address that may not send: nobody stands behind it."""
    box = door.ingest.room.mailbox()
    with pytest.raises(Refused) as refused:
        await door.take(letter(door, box), box, peer="198.51.100.9")

    assert refused.value.reply.startswith("550 5.7.1")
    assert door.ingest.stored(box) == []


@pytest.mark.parametrize("excuse", ["list", "private peer", "setting"])
async def test_what_may_have_been_forwarded_is_taken_and_marked(ingest: Any, dns_server: Dns, excuse: str) -> None:
    """Lists and relays break alignment without anybody forging (RFC 9989 7.4)."""
    door = Door(ingest, dns_server, dmarc_reject=excuse != "setting")
    box = ingest.room.mailbox()
    raw = letter(door, box, List_Id="<l.list.org>") if excuse == "list" else letter(door, box)
    mail = await door.take(raw, box, peer="10.1.2.3" if excuse == "private peer" else "198.51.100.9")
    await door.intake.close()

    assert mail["auth"]["dmarc"] == "fail"
    assert mail["auth"]["verified_domain"] is None
    assert "author_unproven" in mail["flags"]


async def test_a_dead_dns_is_no_verdict_and_no_refusal(door: Door) -> None:
    box = door.ingest.room.mailbox()
    door.server.zone |= {"sender.net TXT": SILENT, "_dmarc.sender.net TXT": SILENT}
    mail = await door.take(letter(door, box), box, peer="198.51.100.9")

    assert (mail["auth"]["spf"], mail["auth"]["dmarc"]) == ("temperror", "temperror")


async def test_results_that_carry_our_name_are_not_shown_and_not_believed(door: Door) -> None:
    box = door.ingest.room.mailbox()
    raw = b"Authentication-Results: mx.demo.test; dmarc=pass\r\nAuthentication-Results: mx.other.org; spf=pass\r\n"
    mail = await door.take(raw + letter(door, box, List_Id="<x>"), box, peer="198.51.100.9")
    kept = door.ingest.room.sql(f"SELECT encode(bytes, 'escape') FROM raw WHERE mailbox_id = '{box['id']}'")[0][0]

    assert mail["auth"]["foreign_results"] == ["mx.other.org; spf=pass"]
    assert mail["auth"]["dmarc"] == "fail"
    assert "mx.demo.test; dmarc=pass" in kept


async def test_a_question_is_asked_once(dns_server: Dns) -> None:
    """Many mails of one sender at once, and again later: one packet."""
    resolver = Resolver(IngestSettings(dns_servers=(f"127.0.0.1:{dns_server.port}",)))
    question = Question("_dmarc.sender.net")
    found = await asyncio.gather(*(resolver.answer(question) for _ in range(50)))
    found.append(await resolver.answer(question))

    assert {answer.records for answer in found} == {("v=DMARC1; p=reject",)}
    assert dns_server.asked == ["_dmarc.sender.net TXT"]


async def test_a_silent_zone_is_left_alone_for_a_while(dns_server: Dns) -> None:
    now = [0.0]
    resolver = Resolver(
        IngestSettings(dns_servers=(f"127.0.0.1:{dns_server.port}",), dns_timeout_s=0.2), clock=lambda: now[0]
    )
    dns_server.zone["dead.net TXT"] = SILENT

    assert (await resolver.answer(Question("dead.net"))).status == "temperror"
    asked = len(dns_server.asked)
    assert (await resolver.answer(Question("dead.net"))).status == "temperror"
    assert len(dns_server.asked) == asked
    now[0] = 61
    await resolver.answer(Question("dead.net"))
    assert len(dns_server.asked) > asked


async def test_reserved_names_are_not_asked_for() -> None:
    resolver = Resolver(IngestSettings())

    assert (await resolver.answer(Question("_dmarc.customer.example"))).status == "nxdomain"


async def test_the_loop_stays_free_while_a_large_signed_mail_is_verified(door: Door) -> None:
    box = door.ingest.room.mailbox()
    raw = door.ingest.mail(box["address"], "word " * 400_000, sender="ada@sender.net")
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    ticking = asyncio.create_task(tick())
    mail = await door.take(sign(raw, DKIM, timestamp=1), box)
    ticking.cancel()

    assert mail["auth"]["dkim"] == "pass"
    assert turns > 50
