"""What the doors ask of the notifier: samples, and sending again across webhooks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.notifier.conftest import House
from tests.integration.notifier.test_outages import many, recover, states

from gatepost_contracts.commands import CommandReply, SampleWebhook
from gatepost_contracts.ids import new_id

Make = Callable[..., Any]


async def sample(house: House, endpoint: str, word: str = "inbound", **more: Any) -> CommandReply:
    values = {
        "command_id": new_id("cmd"), "tenant_id": house.tenant, "principal_id": "prn_operator", "door": "rest",
        "at": datetime.now(UTC), "endpoint_id": endpoint, "word": word, **more,
    }  # fmt: skip
    return await house.asked.sample(SampleWebhook.model_validate(values))


async def fail_all(house: House, endpoint: str) -> None:
    await house.owner.execute(
        "UPDATE webhook_delivery SET state = 'failed', is_first = false, attempts = 4, claimed_until = NULL"
        " WHERE endpoint_id = $1", endpoint,
    )  # fmt: skip


@pytest.mark.parametrize(("payload", "names"), [
    ("full", {"id", "event", "body_text", "test", "data"}), ("thin", {"id", "event", "test", "data"}), ("slack", {"text"}),
])  # fmt: skip
async def test_a_sample_has_the_form_that_this_endpoint_gets(
    house: House, receivers: Make, payload: str, names: set[str]
) -> None:
    """A chat channel would refuse the fields of a webhook, and a thin one must not be tried with what it never gets."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*", payload=payload)
    reply = await sample(house, endpoint)
    await house.until(lambda: receiver.got)
    said = json.loads(receiver.got[0][1])

    assert names <= set(said)
    assert ("body_text" in said) == (payload == "full")
    assert receiver.got[0][0]["webhook-id"] == reply.id


async def test_asked_twice_is_sent_once(house: House, receivers: Make) -> None:
    """A door that heard no answer asks again with the same command."""
    receiver = await receivers()
    endpoint, command = await house.endpoint(receiver.url, "*"), new_id("cmd")
    first, second = await sample(house, endpoint, command_id=command), await sample(house, endpoint, command_id=command)
    await house.until(lambda: receiver.got)
    await house.deliverer.settle()

    assert (first.id, 1) == (second.id, len(receiver.got))


async def test_nothing_goes_to_another_accounts_endpoint(house: House, receivers: Make) -> None:
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*")
    reply = await sample(house, endpoint, tenant_id=new_id("ten"))

    assert (False, "webhook_off") == (reply.ok, reply.code)
    assert [] == await house.rows(endpoint)


async def test_a_range_goes_again_across_webhooks(house: House, receivers: Make) -> None:
    """A dry run counts and touches nothing; what is switched off stays as it is."""
    one, other, off = await receivers(), await receivers(), await receivers()
    endpoints = [await house.endpoint(r.url, "*") for r in (one, other, off)]
    await many(house, endpoints, 12, 3)
    await house.until(lambda: all(len(r.got) == 12 for r in (one, other, off)))
    await house.deliverer.settle()
    for endpoint in endpoints:
        await fail_all(house, endpoint)
    await house.owner.execute("UPDATE endpoint SET is_active = false WHERE id = $1", endpoints[2])
    dry = await recover(house, dry_run=True)
    assert {"failed": 12} == await states(house, endpoints[0])
    done = await recover(house)
    await house.until(lambda: len(one.got) == len(other.got) == 24)

    assert (24, 24, False) == (dry["count"], done["count"], done["more"])
    assert 12 == len(off.got)
    assert set(one.said("n")) == set(range(1, 13))


async def test_a_filter_chooses(house: House, receivers: Make) -> None:
    """By thread here; the others stay where they were."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 12, 3)
    await house.until(lambda: len(receiver.got) == 12)
    await house.deliverer.settle()
    await fail_all(house, endpoint)
    receiver.got.clear()
    assert 4 == (await recover(house, thread_id="thr_1"))["count"]
    await house.until(lambda: len(receiver.got) == 4)

    assert [1, 4, 7, 10] == receiver.said("n")
    assert {"delivered": 4, "failed": 8} == await states(house, endpoint)


async def test_what_was_delivered_goes_again_once(house: House, receivers: Make) -> None:
    """Although it arrives, and so fits again, while the others are still being chosen."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 40, 40)
    await house.until(lambda: len(receiver.got) == 40)
    await house.deliverer.settle()
    assert 40 == (await recover(house, endpoint, states=("delivered",)))["count"]
    await house.until(lambda: len(receiver.got) >= 80)
    await house.deliverer.settle()

    assert 80 == len(receiver.got)


async def test_the_last_attempt_on_the_wire_is_not_the_last_any_more(house: House, receivers: Make) -> None:
    """Somebody asks for all again while the last attempt of one is under way: its failure exhausts nothing."""
    receiver = await receivers(answer=lambda n: (500 if n <= 4 else 200, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await house.desk.tell(await house.received())
    await house.until(lambda: len(receiver.got) == 3)
    receiver.wait_s = 0.5
    await house.until(lambda: len(receiver.got) == 4)
    receiver.wait_s = 0
    assert 1 == (await recover(house, endpoint))["hurried"]
    await house.until(lambda: len(receiver.got) == 5)
    await house.deliverer.settle()
    await asyncio.sleep(0)

    assert {"delivered": 1} == await states(house, endpoint)
