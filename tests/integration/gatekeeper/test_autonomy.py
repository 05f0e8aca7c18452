"""How autonomy rises and falls on a real database: stops for everyone, codes by mail, the lasting sample, demotion."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.gatekeeper.conftest import KEY
from tests.integration.gatekeeper.house import OVERSEER, House
from tests.integration.gatekeeper.test_oversight import claim, events, grant, loosened

from gatepost_contracts.commands import CommandReply, Pause, RedeemUpgrade, RequestUpgrade, Resume, SetMode
from gatepost_contracts.mailbox import MailboxModeChanged, MailboxPaused, MailboxResumed
from gatepost_gatekeeper.facts import Limits
from gatepost_mail.content import Content
from gatepost_oversight.grant import verify_grant
from gatepost_store import Stayed

SAMPLE_ALL = Limits(sample_key=b"k" * 32, sample_rate=1.0)


async def system_mails(house: House) -> list[Any]:
    return list(await house.owner.fetch(
        "SELECT m.*, r.markdown, r.content AS json FROM message m JOIN revision r ON r.message_id = m.id"
        " WHERE m.tenant_id = $1 AND m.mailbox_id = 'mbx_system' ORDER BY m.id", house.tenant,
    ))  # fmt: skip


# -- stops ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["tenant", "mailbox", "agent", "category"])
async def test_a_stop_of_each_scope_holds_what_it_covers(house: House, scope: str) -> None:
    """Anyone pulls it, nothing of the scope leaves, and only an operator releases it."""
    mailbox = await loosened(house, mode="autonomous")
    target = {"tenant": house.tenant, "mailbox": mailbox, "agent": house.keys["agent"][1], "category": "faq"}[scope]
    pulled = await house.world.pause(house.said(Pause, "other_agent", scope=scope, target=target))
    assert pulled.ok

    message = await house.draft(await house.inbound(mailbox, "parcel"))

    assert ("held", ["paused"]) == ((row := await house.show(message))["state"], row["reasons"])
    for by, code in (("agent", "scope_missing"), ("reviewer", "scope_missing"), ("operator", "ok")):
        assert code == (await house.world.resume(house.said(Resume, by, pause_id=pulled.id))).code
    assert "released" == await house.state(await house.draft(await house.inbound(mailbox, "parcel")))


async def test_a_stop_of_a_category_stops_what_is_released_already(house: House) -> None:
    """The claim reads it live, for our own rule's category as for the author's label."""
    mailbox = await loosened(house, mode="autonomous")
    message = await house.draft(await house.inbound(mailbox, "parcel"))
    await house.world.pause(house.said(Pause, "agent", scope="category", target="faq"))

    assert Stayed(("NOT_PAUSED",)) == await claim(house, message)


@pytest.mark.parametrize("scope", ["tenant", "category"])
async def test_every_mailbox_hears_of_a_stop_of_the_account_once(house: House, scope: str) -> None:
    """Subscribers and consumers listen by mailbox; a redelivered event tells nobody twice."""
    boxes = [await house.mailbox("autonomous") for _ in range(3)]
    target = house.tenant if scope == "tenant" else "faq"
    pulled = await house.world.pause(house.said(Pause, "agent", scope=scope, target=target, reason="odd"))
    (first,) = [e for e in await events(house, house.tenant, MailboxPaused) if e.pause_id == pulled.id]
    for _ in range(2):
        await house.desk.world_changed(first)
    await house.world.resume(house.said(Resume, "operator", pause_id=pulled.id))
    (last,) = [e for e in await events(house, house.tenant, MailboxResumed) if e.pause_id == pulled.id]
    await asyncio.gather(*(house.desk.world_changed(last) for _ in range(3)))

    for box in boxes:
        told = await events(house, box, MailboxPaused) + await events(house, box, MailboxResumed)
        assert [(pulled.id, scope, box)] * 2 == [(e.pause_id, e.scope, e.mailbox_id) for e in told]
        assert ([target] * 2 == [e.target for e in told]) == (scope == "tenant")  # of a label only a salted digest
        await house.desk.world_changed(told[0])
        assert 2 == await house.owner.fetchval("SELECT version FROM mailbox WHERE id = $1", box)


async def test_a_stop_of_one_mailbox_is_told_there_alone(house: House) -> None:
    box, other = await house.mailbox("autonomous"), await house.mailbox("autonomous")
    await house.world.pause(house.said(Pause, "agent", scope="mailbox", target=box))
    (event,) = await events(house, box, MailboxPaused)
    await house.desk.world_changed(event)

    assert (1, 0) == tuple(
        [await house.owner.fetchval("SELECT version FROM mailbox WHERE id = $1", b) for b in (box, other)]
    )


# -- the way up ----------------------------------------------------------------------------------------------------


async def ask(house: House, mailbox: str, mode: str = "monitored", by: str = "agent") -> CommandReply:
    return await house.upgrades.request(house.said(RequestUpgrade, by, mailbox_id=mailbox, mode=mode))


async def redeem(house: House, mailbox: str, code: str, by: str = "operator", **more: Any) -> CommandReply:
    return await house.upgrades.redeem(house.said(RedeemUpgrade, by, mailbox_id=mailbox, code=code, **more))


def code_in(mail: Any) -> str:
    found = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", mail["markdown"])
    assert found
    return found[0]


async def test_an_agent_asks_for_a_recipient_to_be_listed_and_an_operator_redeems(house: House) -> None:
    """The code grants the pattern that the mail names, and not the mailbox's mode; nothing before it is redeemed."""
    mailbox = await house.mailbox("gated_send")
    asked = await house.upgrades.request(
        house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored", pattern="ada@customer.example")
    )
    (mail,) = await system_mails(house)
    held = await house.draft(await house.inbound(mailbox))
    assert (True, "held", True) == (asked.ok, await house.state(held), "`ada@customer.example`" in mail["markdown"])
    for wrong in ("**bold**@x.example", "Ada <ada@x.example>", "everyone", "a b@x.example", "*@x.example\nhello"):
        asking = house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored", pattern=wrong)
        assert "invalid_request" == (await house.upgrades.request(asking)).code
    assert "operator_redeems" == (await redeem(house, mailbox, code_in(mail), by="agent")).code

    given = await redeem(house, mailbox, code_in(mail))

    assert (True, "approval_code_invalid") == (given.ok, (await redeem(house, mailbox, code_in(mail))).code)
    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", mailbox)
    row = await house.owner.fetchrow("SELECT kind, name, mode FROM mode_grant WHERE mailbox_id = $1", mailbox)
    assert ("allowlist", "ada@customer.example", "monitored") == tuple(row)
    assert "released" == await house.state(await house.draft(await house.inbound(mailbox)))


async def test_a_code_leaves_by_mail_and_raises_the_mode_once(house: House) -> None:
    """To the oversight address alone, under an ordinary grant; asking changes nothing."""
    mailbox = await house.mailbox("gated_send")
    asked = await ask(house, mailbox)
    assert (True, "b***@shop.example") == (asked.ok, asked.extra["sent_to"])
    (mail,) = await system_mails(house)
    signed = verify_grant(KEY.public_key(), mail["grant_token"], datetime.now(UTC))
    assert (mail["content"], "mbx_system", [OVERSEER]) == (signed.content_sha256, signed.mailbox_id, mail["recipients"])
    assert [OVERSEER] == [d["recipient"] for d in await house.deliveries(mail["id"])]
    assert signed.expires_at == mail["expires_at"]
    assert Content.from_json(mail["json"]).from_ == "system@x.invalid"
    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", mailbox)

    typed = code_in(mail).lower().replace("-", " ")
    raised, again = await redeem(house, mailbox, typed, covers_ask=True), await redeem(house, mailbox, typed)

    assert (True, "approval_code_invalid") == (raised.ok, again.code)
    row = await house.owner.fetchrow("SELECT mode, covers_ask FROM mailbox WHERE id = $1", mailbox)
    assert ("monitored", True) == tuple(row)
    assert "released" == await house.state(await house.draft(await house.inbound(mailbox), ask="gated_send"))


async def test_the_code_is_nowhere_but_in_the_mail(house: House) -> None:
    """Not in a record, an event, a reply or a row of its own."""
    mailbox = await house.mailbox("gated_send")
    reply = await ask(house, mailbox)
    code = code_in((await system_mails(house))[0])
    records = await house.owner.fetch("SELECT record FROM audit_record WHERE tenant_id = $1", house.tenant)
    request = await house.owner.fetchrow("SELECT * FROM upgrade_request WHERE mailbox_id = $1", mailbox)

    for form in (code, code.replace("-", "")):
        assert not any(
            form in text for text in (*(r["record"] for r in records), str(dict(request)), reply.model_dump_json())
        )


@pytest.mark.parametrize("by", ["agent", "reviewer"])
async def test_an_agent_that_reads_the_code_raises_nothing(house: House, by: str) -> None:
    mailbox = await house.mailbox("gated_send")
    await ask(house, mailbox)

    reply = await redeem(house, mailbox, code_in((await system_mails(house))[0]), by=by)

    assert "operator_redeems" == reply.code
    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", mailbox)


async def test_five_wrong_codes_end_it_however_many_come_at_once(house: House) -> None:
    """A try is counted before it is compared."""
    mailbox = await house.mailbox("gated_send")
    await ask(house, mailbox)
    code = code_in((await system_mails(house))[0])
    wrong = await asyncio.gather(*(redeem(house, mailbox, f"{n:012}") for n in range(20)))

    assert {"approval_code_invalid"} == {reply.code for reply in wrong}
    assert "approval_code_invalid" == (await redeem(house, mailbox, code)).code


async def test_four_wrong_codes_do_not(house: House) -> None:
    mailbox = await house.mailbox("gated_send")
    await ask(house, mailbox)
    for n in range(4):
        await redeem(house, mailbox, f"{n:012}")

    assert (await redeem(house, mailbox, code_in((await system_mails(house))[0]))).ok


async def test_old_codes_other_mailboxes_and_too_many_requests(house: House) -> None:
    mailbox, other = await house.mailbox("gated_send"), await house.mailbox("gated_send")
    replies = [await ask(house, mailbox) for _ in range(4)]
    assert ["ok", "ok", "ok", "rate_limited"] == [reply.code for reply in replies]
    codes = [code_in(mail) for mail in await system_mails(house)]
    assert 3 == len(set(codes))
    assert "approval_code_invalid" == (await redeem(house, other, codes[0])).code
    await house.owner.execute("UPDATE upgrade_request SET expires_at = now() WHERE mailbox_id = $1", mailbox)
    assert "approval_code_invalid" == (await redeem(house, mailbox, codes[0])).code


async def test_only_a_looser_mode_below_the_ceiling_is_asked_for(house: House) -> None:
    mailbox = await house.mailbox("gated_send", ceiling="monitored")

    assert ["invalid_request", "invalid_request", "ok"] == [
        (await ask(house, mailbox, mode)).code for mode in ("gated_send", "autonomous", "monitored")
    ]
    await house.world.set_mode(
        house.said(SetMode, "operator", mailbox_id=mailbox, mode="gated_send", ceiling="gated_send")
    )
    lowered = await redeem(house, mailbox, code_in((await system_mails(house))[0]))
    assert "invalid_request" == lowered.code


async def test_the_same_command_twice_is_one_request_and_one_raise(house: House) -> None:
    mailbox = await house.mailbox("gated_send")
    command = house.said(RequestUpgrade, "agent", mailbox_id=mailbox, mode="monitored")
    first, second = await house.upgrades.request(command), await house.upgrades.request(command)
    assert (first.id, True, 1) == (second.id, second.already, len(await system_mails(house)))
    code = code_in((await system_mails(house))[0])
    redeeming = house.said(RedeemUpgrade, "operator", mailbox_id=mailbox, code=code)

    assert [False, True] == [(await house.upgrades.redeem(redeeming)).already for _ in range(2)]


async def test_a_mail_that_a_crash_kept_from_being_written_is_written_by_the_sweep(house: House) -> None:
    mailbox = await house.mailbox("gated_send")
    notices, house.upgrades._notices = house.upgrades._notices, None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        await ask(house, mailbox)
    house.upgrades._notices = notices
    await house.owner.execute(
        "UPDATE upgrade_request SET created_at = now() - interval '1 minute' WHERE mailbox_id = $1", mailbox
    )

    for _ in range(2):
        await house.timers.sweep()

    (mail,) = await system_mails(house)
    assert (await redeem(house, mailbox, code_in(mail))).ok


async def test_down_is_free(house: House) -> None:
    mailbox = await house.mailbox("autonomous")

    assert (await house.world.set_mode(house.said(SetMode, "agent", mailbox_id=mailbox, mode="gated_send"))).ok


# -- the sample, and down again ------------------------------------------------------------------------------------


async def reviewed(house: House, mailbox: str, *, clean: bool) -> str:
    message = await house.draft(await house.inbound(mailbox, "parcel"))
    assert ("held", ["sampled"]) == ((row := await house.show(message))["state"], row["reasons"])
    assert (await house.decide(message, "approve" if clean else "reject", reason_code="wrong_fact")).ok
    return message


async def test_a_loosened_category_stays_sampled_and_a_drop_demotes_it_at_once(house: House) -> None:
    """Event, record and a mail to the oversight address; what was released comes back; an operator may grant again."""
    mailbox = await loosened(house)
    let_go = await house.draft(await house.inbound(mailbox, "parcel"))
    house.desk._limits = SAMPLE_ALL
    for clean in (True, True, True, False):
        await reviewed(house, mailbox, clean=clean)
    assert "monitored" == await house.owner.fetchval("SELECT mode FROM mode_grant WHERE mailbox_id = $1", mailbox)

    await reviewed(house, mailbox, clean=False)

    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mode_grant WHERE mailbox_id = $1", mailbox)
    event = (await events(house, mailbox, MailboxModeChanged))[-1]
    assert (True, "faq", "monitored", "gated_send") == (event.demoted, event.category, event.previous, event.mode)
    for _ in range(2):
        await house.desk.world_changed(event)
    (mail,) = await system_mails(house)
    assert ("released", [OVERSEER], "held") == (mail["state"], mail["recipients"], await house.state(let_go))
    assert "faq" in mail["markdown"]
    await house.timers.sweep()
    assert 1 == len([e for e in await events(house, mailbox, MailboxModeChanged) if e.demoted])

    assert (await grant(house, mailbox)).ok
    await house.timers.sweep()
    assert "monitored" == await house.owner.fetchval("SELECT mode FROM mode_grant WHERE mailbox_id = $1", mailbox)


async def test_a_mailbox_that_a_person_loosened_is_sampled_and_demoted_by_its_own_mode(house: House) -> None:
    """As a category is: event, record, mail, what was released comes back. One that was made loose is not sampled."""
    born, raised = await house.mailbox("monitored"), await house.mailbox("gated_send")
    assert (await house.world.set_mode(house.said(SetMode, "operator", mailbox_id=raised, mode="monitored"))).ok
    let_go = await house.draft(await house.inbound(raised, "parcel"))
    house.desk._limits = SAMPLE_ALL
    assert "released" == await house.state(await house.draft(await house.inbound(born, "parcel")))
    for clean in (True, True, True, False):
        await reviewed(house, raised, clean=clean)
    assert "monitored" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", raised)

    await reviewed(house, raised, clean=False)

    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", raised)
    event = (await events(house, raised, MailboxModeChanged))[-1]
    assert (True, "mailbox", None, "monitored", "gated_send") == (
        event.demoted, event.of, event.category, event.previous, event.mode,
    )  # fmt: skip
    for _ in range(2):
        await house.desk.world_changed(event)
    (mail,) = await system_mails(house)
    assert ("released", [OVERSEER], "held") == (mail["state"], mail["recipients"], await house.state(let_go))
    await house.timers.sweep()
    assert 1 == len([e for e in await events(house, raised, MailboxModeChanged) if e.demoted])
    assert (await house.world.set_mode(house.said(SetMode, "operator", mailbox_id=raised, mode="monitored"))).ok
    await house.timers.sweep()  # the reviews before the new grant count no more
    assert "monitored" == await house.owner.fetchval("SELECT mode FROM mailbox WHERE id = $1", raised)


async def test_an_edit_of_commas_is_clean_and_an_edit_of_words_is_not(house: House) -> None:
    mailbox = await loosened(house)
    house.desk._limits = SAMPLE_ALL

    async def edited(text: str) -> None:
        mail = await house.inbound(mailbox, "parcel")
        message = await house.draft(mail, "It is on its way.")
        await house.revise(message, mail, text, by="reviewer", kind="edit")
        assert (await house.decide(message, "approve", edit_revision=2)).ok

    for _ in range(4):
        await edited("It is on its way!")
    assert "monitored" == await house.owner.fetchval("SELECT mode FROM mode_grant WHERE mailbox_id = $1", mailbox)
    for _ in range(2):
        await edited("It is lost.")
    assert "gated_send" == await house.owner.fetchval("SELECT mode FROM mode_grant WHERE mailbox_id = $1", mailbox)


async def test_a_digest_once_a_day_says_how_much_waits(house: House) -> None:
    mailbox = await house.mailbox("gated_send")
    message = await house.draft(await house.inbound(mailbox))
    await house.timers.sweep()
    assert [] == await system_mails(house)
    await house.owner.execute("UPDATE message SET held_at = now() - interval '2 hours' WHERE id = $1", message)

    for _ in range(3):
        await house.timers.sweep()

    (mail,) = await system_mails(house)
    assert "1 mail wait" in mail["subject"]
    assert f"{mailbox.lower()}@shop.example: 1" in mail["markdown"]
