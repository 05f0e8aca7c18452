"""A domain's keys: shown, verified against a real DNS server, changed, and never out of the sender's hands."""

from __future__ import annotations

import email
from datetime import UTC, datetime
from typing import Any

import pytest

from gatepost_contracts.commands import CommandReply, DomainKey
from gatepost_contracts.ids import new_id
from support.dns_server import SERVFAIL, Dns
from support.lone_sender import Lone, eventually, lone_sender
from support.released import TENANT, World
from support.smtp_peer import Peer


@pytest.fixture
async def dns(monkeypatch: pytest.MonkeyPatch) -> Any:
    async with Dns() as server:
        monkeypatch.setenv("GATEPOST_SENDER_DNS_SERVERS", f"127.0.0.1:{server.port}")
        monkeypatch.setenv("GATEPOST_SENDER_HELO", "mail.here.test")
        yield server


async def ask(sender: Lone, action: str, domain: str = "here.test", tenant: str = TENANT) -> CommandReply:
    command = DomainKey(
        command_id=new_id("cmd"), tenant_id=tenant, principal_id="prn_a", door="rest", at=datetime.now(UTC),
        domain=domain, action=action,
    )  # fmt: skip
    reply: CommandReply = await sender.wired.commands[DomainKey](command)  # type: ignore[attr-defined]
    return reply


def publish(dns: Dns, records: list[dict[str, Any]]) -> None:
    for record in records:
        text = record["value"]
        parts = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        dns.zone[f"{record['name']} TXT"] = [parts]


async def test_the_verifier_says_what_is_wrong_until_nothing_is(world: World, dns: Dns) -> None:
    async with lone_sender() as sender:
        first = await ask(sender, "verify")
        publish(dns, first.extra["records"])
        dns.zone |= {
            "here.test TXT": ['"v=spf1 a:mail.here.test ~all"'], "_dmarc.here.test TXT": ['"v=DMARC1; p=reject"'],
            "here.test MX": ["10 mail.here.test."],
        }  # fmt: skip
        # negative answers are not kept here, so that the second look sees what was published
        second = await ask(sender, "verify")
        dns.zone["here.test TXT"] = SERVFAIL

    found = {(check["purpose"], check["status"]) for check in first.extra["checks"]}
    assert {("dkim", "missing"), ("spf", "missing"), ("dmarc", "missing"), ("mx", "missing")} < found
    assert {"ok"} == {check["status"] for check in second.extra["checks"] if check["required"]}


async def test_keys_change_only_when_the_dns_has_the_new_ones(world: World, dns: Dns, peer: Peer) -> None:
    """Until then the old ones sign; afterwards the old records stay for what is still on its way."""
    async with lone_sender() as sender:
        publish(dns, (await ask(sender, "ensure")).extra["records"])
        waiting = await ask(sender, "next")
        again = await ask(sender, "next")
        early = await ask(sender, "switch")
        first = world.released()
        await eventually(lambda: world.state(first) == "delivered")
        publish(dns, waiting.extra["records"])
        switched = await ask(sender, "switch")
        second = world.released()
        await eventually(lambda: world.state(second) == "delivered")
        nothing = await ask(sender, "switch")
        kept = await ask(sender, "retire")
        world.sql("UPDATE dkim_key SET activated_at = activated_at - interval '8 days';")
        retired = await ask(sender, "retire")

    uses = {record["selector"]: record["use"] for record in waiting.extra["records"]}
    assert {"gp1": "signs", "gp2": "signs", "gp3": "waits", "gp4": "waits"} == uses
    assert waiting.extra == again.extra
    assert (False, "dns_not_ready") == (early.ok, early.code)
    assert "gp3._domainkey.here.test" in early.error
    assert switched.ok
    assert not nothing.ok
    assert ["gp1", "gp2"] == selectors(peer.mails[0].content)
    assert ["gp3", "gp4"] == selectors(peer.mails[1].content)
    assert [] == kept.extra["retired"]
    assert ["gp1._domainkey.here.test", "gp2._domainkey.here.test"] == sorted(retired.extra["retired"])


def selectors(raw: bytes) -> list[str]:
    signatures = email.message_from_bytes(raw).get_all("DKIM-Signature", [])
    return [part.strip()[2:] for one in signatures for part in one.split(";") if part.strip().startswith("s=")]


async def test_another_accounts_domain_is_nobodys_business(world: World, dns: Dns) -> None:
    world.sql(f"INSERT INTO domain (id, tenant_id, domain) VALUES ('dom_1', '{TENANT}', 'theirs.test');")
    try:
        async with lone_sender() as sender:
            replies = [
                await ask(sender, action, "theirs.test", "ten_" + "9" * 26) for action in ("ensure", "next", "switch")
            ]
    finally:
        world.sql("DELETE FROM domain;")

    assert [("not_found", {})] * 3 == [(reply.code, reply.extra) for reply in replies]


async def test_no_reply_event_or_log_holds_a_private_key(world: World, dns: Dns, capfd: Any) -> None:
    async with lone_sender() as sender:
        replies = [await ask(sender, action) for action in ("ensure", "next", "verify")]
        rows = world.sql("SELECT encode(private_sealed, 'hex'), public_record FROM dkim_key;")
    told = "".join(reply.model_dump_json() for reply in replies) + "".join(capfd.readouterr())

    assert len(rows) == 4
    assert "PRIVATE" not in told
    assert all(sealed[:64] not in told for sealed, _ in rows)
    assert all("50524956415445" not in sealed for sealed, _ in rows)  # PRIVATE, in hex: sealed means encrypted


async def test_mail_of_a_test_key_reaches_the_catcher_alone(
    world: World, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole flow, and the recipient hears nothing: by the key of the mail, or of its revision."""
    for name, is_test in (("key_live", "false"), ("key_test", "true")):
        world.sql(
            "INSERT INTO api_key (id, tenant_id, principal_id, name, prefix, key_sha256, scopes, test) VALUES"
            f" ('{name}', '{TENANT}', 'prn_a', 'x', 'x', '{name}', ARRAY['send'], {is_test}) ON CONFLICT DO NOTHING;"
        )
    by_mail, live = world.released(author_key="key_test"), world.released(author_key="key_live")
    by_revision = world.released(author_key="key_live")
    world.sql(f"UPDATE revision SET author_key = 'key_test' WHERE message_id = '{by_revision}';")
    async with lone_sender():
        for message in (by_mail, by_revision, live):
            await eventually(lambda m=message: world.state(m) == "delivered")
    nowhere = [mail.content.decode() for mail in peer.mails]

    async with Peer() as catcher:
        monkeypatch.setenv("GATEPOST_SENDER_TEST_SINK", f"127.0.0.1:{catcher.port}")
        again = world.released(author_key="key_test")
        async with lone_sender():
            await eventually(lambda: world.state(again) == "delivered")

    assert 1 == len(nowhere)
    assert live.lower() in nowhere[0]
    assert 1 == len(catcher.mails)
    assert 1 == len(peer.mails)
    world.sql("DELETE FROM api_key;")
