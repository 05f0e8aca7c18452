"""What the oversight address hears of mails that wait: at once, hourly, daily or never, as the account wants it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.gatekeeper.house import OVERSEER, House
from tests.integration.gatekeeper.test_autonomy import system_mails

from gatepost_contracts.endpoint import EndpointDisabled, EndpointExhausted
from gatepost_contracts.event import Event
from gatepost_contracts.ids import new_id


async def wish(house: House, how: str, *, told: str | None = None) -> None:
    await house.owner.execute(
        "UPDATE tenant SET pending_mail = $2, pending_told_at = now() - $3::text::interval WHERE id = $1",
        house.tenant, how, told,
    )  # fmt: skip


async def held(house: House, mailbox: str, *, ago: str = "1 minute") -> str:
    message = await house.draft(await house.inbound(mailbox))
    await house.owner.execute("UPDATE message SET held_at = now() - $2::text::interval WHERE id = $1", message, ago)
    return message


async def test_at_once_is_one_mail_about_all_that_is_new(house: House) -> None:
    """To the oversight address, with a link to each that only shows; what was told is not told again."""
    await wish(house, "at_once")
    mailbox = await house.mailbox("gated_send")
    first, second = await held(house, mailbox, ago="2 minutes"), await held(house, mailbox, ago="2 minutes")
    for _ in range(3):
        await house.timers.sweep()
    (mail,) = await system_mails(house)
    third = await held(house, mailbox, ago="6 seconds")
    await house.owner.execute("UPDATE tenant SET pending_told_at = pending_told_at - interval '1 minute'")  # it passes
    await house.timers.sweep()
    later = (await system_mails(house))[-1]

    assert ("2 mails need your decision", [OVERSEER]) == (mail["subject"], mail["to_addresses"])
    assert {first, second} == set(re.findall(r"http://gate\.test/review\?message_id=(msg_\w+)", mail["markdown"]))
    assert "because of gated" in mail["markdown"]
    assert [third] == re.findall(r"/review\?message_id=(msg_\w+)", later["markdown"])


async def test_nothing_of_the_customer_or_the_agent_is_in_it(house: House) -> None:
    """Who can read the oversight mailbox is told where to look, not what a stranger wrote."""
    await wish(house, "at_once")
    message = await held(house, await house.mailbox("gated_send"))
    await house.owner.execute("UPDATE message SET subject = 'CANARY', category = 'CANARY' WHERE id = $1", message)
    await house.timers.sweep()
    (mail,) = await system_mails(house)

    assert "CANARY" not in mail["markdown"] + mail["subject"]
    assert "ada@" not in mail["markdown"]


async def test_hourly_waits_for_the_next_hour(house: House) -> None:
    """What begins to wait within the hour is told together when it ends."""
    await wish(house, "hourly", told="20 seconds")
    mailbox = await house.mailbox("gated_send")
    await house.owner.execute("UPDATE tenant SET pending_told_at = date_trunc('hour', now() - interval '5 seconds')")
    await held(house, mailbox, ago="6 seconds")
    await house.timers.sweep()
    assert [] == await system_mails(house)
    await wish(house, "hourly", told="61 minutes")
    await house.timers.sweep()
    await house.timers.sweep()

    assert ["1 mail needs your decision"] == [mail["subject"] for mail in await system_mails(house)]


@pytest.mark.parametrize("how", ["daily", "off"])
async def test_daily_and_off_tell_no_news(house: House, how: str) -> None:
    await wish(house, how)
    await held(house, await house.mailbox("gated_send"))
    await house.timers.sweep()

    assert [] == await system_mails(house)


async def test_off_is_off_for_the_digest_too(house: House) -> None:
    await wish(house, "off")
    await held(house, await house.mailbox("gated_send"), ago="2 days")
    await house.timers.sweep()

    assert [] == await system_mails(house)


async def test_many_are_one_mail_with_a_count(house: House) -> None:
    """A burst of mail is no burst of notices."""
    await wish(house, "at_once")
    mailbox = await house.mailbox("gated_send")
    for _ in range(23):
        await held(house, mailbox)
    await house.timers.sweep()
    (mail,) = await system_mails(house)

    assert "23 mails need your decision" == mail["subject"]
    assert 20 == len(re.findall(r"/review\?message_id=msg_", mail["markdown"]))
    assert "and 3 more" in mail["markdown"]


async def test_the_owner_hears_of_a_webhook_that_nothing_reaches(house: House) -> None:
    """Switched off, or a delivery given up; a day's worth of them is one mail of each kind."""
    endpoint = new_id("whk")

    def event(kind: type[Event], n: int, **fields: str) -> Any:
        return kind.model_validate({
            "event_id": f"mbx_system.{n}.{kind.type}", "occurred_at": datetime.now(UTC), "tenant_id": house.tenant,
            "mailbox_id": "mbx_system", "subject_id": "mbx_system", "seq": n, "endpoint_id": endpoint, **fields,
        })  # fmt: skip

    for n in range(1, 4):
        delivery = {"webhook_delivery_id": f"whd_{n}", "about_event_id": "x"}
        await house.desk.world_changed(event(EndpointExhausted, n, **delivery))
    await house.desk.world_changed(event(EndpointDisabled, 4, reason="it answered 410 Gone"))
    mails = await system_mails(house)

    assert {"A webhook gave up a delivery", "A webhook was switched off"} == {mail["subject"] for mail in mails}
    assert 2 == len(mails)
    assert all([OVERSEER] == mail["to_addresses"] and endpoint in mail["markdown"] for mail in mails)
    assert "it answered 410 Gone" in mails[0]["markdown"] + mails[1]["markdown"]
