"""What an outage of a receiver costs: nothing to the others, no order, no delivery, and not the attempts of what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from tests.integration.notifier.conftest import House

from gatepost_contracts.commands import Redeliver
from gatepost_contracts.ids import new_id

Make = Callable[..., Any]
EVENTS, THREADS = 20_000, 2_000


async def recover(house: House, endpoint: str | None = None, **more: Any) -> dict[str, Any]:
    """As the doors ask for it."""
    reply = await house.asked.redeliver(Redeliver(
        command_id=new_id("cmd"), tenant_id=house.tenant, key_id=None, principal_id="prn_operator", door="rest",
        at=datetime.now(UTC), endpoint_id=endpoint, **more,
    ))  # fmt: skip
    assert reply.ok, reply
    return reply.extra


async def many(house: House, endpoints: list[str], events: int, threads: int) -> None:
    """So many deliveries to each endpoint, in threads whose mails follow each other."""
    await house.owner.execute(
        "INSERT INTO webhook_delivery (id, tenant_id, mailbox_id, endpoint_id, event_id, event_type, alias, thread_id, place,"
        " body) SELECT 'whd_' || e || n, $1, $2, e, 'x', 'email.received', '*', 'thr_' || n % $5, n,"
        " convert_to('{\"thread\":' || n % $5 || ',\"n\":' || n || '}', 'UTF8')"
        " FROM unnest($3::text[]) AS e, generate_series(1, $4) AS n",
        house.tenant, house.mailbox, endpoints, events, threads,
    )  # fmt: skip
    await house.deliverer._ledger.tidy()
    house.deliverer.wake()


def in_order(receiver: Any) -> bool:
    """By first arrival: a repeat, whose first reply we did not hear, may come at any time."""
    by_thread: dict[int, list[int]] = {}
    for thread, n in dict.fromkeys(zip(receiver.said("thread"), receiver.said("n"), strict=True)):
        by_thread.setdefault(thread, []).append(n)
    return all(a < b for numbers in by_thread.values() for a, b in pairwise(numbers))


async def states(house: House, endpoint: str) -> dict[str, int]:
    rows = await house.owner.fetch(
        "SELECT state, count(*) AS n FROM webhook_delivery WHERE endpoint_id = $1 GROUP BY 1", endpoint
    )
    return {row["state"]: row["n"] for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_day_of_outage_costs_the_others_nothing_and_is_made_up(house: House, receivers: Make) -> None:
    """20,000 events each to one that is down and one that is not: that one gets all; after `recover` so does the first."""
    down, up = await receivers(answer=lambda _: (503, {})), await receivers()
    gone, well = await house.endpoint(down.url, "*"), await house.endpoint(up.url, "*")
    await many(house, [gone, well], EVENTS, THREADS)
    await house.until(lambda: len(up.got) >= EVENTS and len(set(up.said("n"))) == EVENTS, within_s=240, every_s=0.5)
    for _ in range(24):  # a day, hour by hour: everything that waits is due again
        await house.owner.execute("UPDATE webhook_delivery SET due_at = now() WHERE endpoint_id = $1", gone)
        await asyncio.sleep(0.05)
    tried = len(down.got)
    down.got.clear()
    down.answer = lambda _: (200, {})
    await recover(house, gone)

    async def is_made_up() -> bool:
        return await states(house, gone) == {"delivered": EVENTS}

    await house.until(is_made_up, within_s=240, every_s=0.5)

    assert tried < EVENTS / 20
    assert set(range(1, EVENTS + 1)) == set(down.said("n"))
    assert {"delivered": EVENTS} == await states(house, well)
    assert in_order(down)
    assert in_order(up)


async def test_an_endpoint_that_keeps_failing_is_only_probed(house: House, receivers: Make) -> None:
    """What waits keeps its attempts, and an operator's word opens the line at once."""
    receiver = await receivers(answer=lambda _: (500, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 200, 200)
    await house.until(lambda: house.deliverer._breaker.is_open(endpoint))
    await house.deliverer.settle()
    tried = len(receiver.got)
    house.deliverer.wake()

    assert tried <= 20 + 8
    await house.until(lambda: endpoint in house.deliverer._marked)
    receiver.answer = lambda _: (200, {})
    assert await house.owner.fetchval("SELECT probe_at > now() FROM endpoint WHERE id = $1", endpoint)
    await recover(house, endpoint)
    await house.until(lambda: len(receiver.got) >= tried + 200)


async def test_a_notifier_that_was_just_started_only_probes(house: House, receivers: Make) -> None:
    """It reads in the row that the endpoint rests: not a single attempt before its time, and then one."""
    receiver = await receivers(answer=lambda _: (500, {}))
    endpoint = await house.endpoint(receiver.url, "*", failing_since=datetime.now(UTC))
    await house.owner.execute("UPDATE endpoint SET probe_at = now() + interval '1 hour' WHERE id = $1", endpoint)
    await many(house, [endpoint], 50, 50)
    assert 0 == await house.deliverer.turn()
    await house.deliverer.settle()
    assert [] == receiver.got
    await house.owner.execute("UPDATE endpoint SET probe_at = now() WHERE id = $1", endpoint)
    house.deliverer.wake()
    await house.until(lambda: receiver.got)
    await house.deliverer.settle()

    assert 1 == len(receiver.got)
    assert await house.owner.fetchval("SELECT probe_at > now() FROM endpoint WHERE id = $1", endpoint)


async def test_a_long_thread_leaves_in_order_one_by_one(house: House, receivers: Make) -> None:
    """Five hundred of one thread, and nothing reads them all for each one that leaves: the plan takes the index."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 500, 1)
    await house.until(lambda: len(receiver.got) == 500, within_s=30)

    assert list(range(1, 501)) == receiver.said("n")
    assert receiver.most_at_once == 1


async def test_the_next_one_goes_after_an_earlier_one_gave_up(house: House, receivers: Make) -> None:
    """Exhausted is an end: the thread goes on, and what was given up may be sent again."""
    receiver = await receivers(answer=lambda n: (500 if n <= 4 else 200, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    first = await house.received()
    second = await house.received(first.thread_id)
    await house.desk.tell(first)
    await house.desk.tell(second)
    await house.until(lambda: len(receiver.got) == 5)
    await house.deliverer.settle()

    assert ["failed", "delivered"] == [row["state"] for row in await house.rows(endpoint)]
    assert 4 == len((await house.rows(endpoint))[0]["tried"].split('"status"')) - 1


async def test_a_crash_between_two_of_a_thread_is_made_good(house: House, receivers: Make) -> None:
    """Nobody promoted the second one; the next look does."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 3, 1)
    await house.until(lambda: len(receiver.got) == 3)
    await house.owner.execute(
        "UPDATE webhook_delivery SET state = 'pending', is_first = false, due_at = now(), claimed_until = NULL"
        " WHERE endpoint_id = $1", endpoint,
    )  # fmt: skip
    await house.deliverer._ledger.tidy()
    house.deliverer.wake()
    await house.until(lambda: len(receiver.got) == 6)

    assert [1, 2, 3, 1, 2, 3] == receiver.said("n")


@pytest.mark.parametrize(("change", "state"), [("is_active = false", "disabled"), ("deleted_at = now()", "deleted")])
async def test_what_waits_for_an_endpoint_that_is_no_more_says_so(
    house: House, receivers: Make, change: str, state: str
) -> None:
    """Neither pending for ever nor failed: it was nobody's fault."""
    receiver = await receivers(answer=lambda _: (500, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await many(house, [endpoint], 2, 1)
    await house.owner.execute(f"UPDATE endpoint SET {change} WHERE id = $1", endpoint)
    await house.deliverer.settle()
    await house.deliverer._ledger.tidy()

    assert {state} == {row["state"] for row in await house.rows(endpoint)}


async def test_filters_let_through_what_was_asked_for(house: House, receivers: Make) -> None:
    """By tag, by tag and value, and by thread; another mail makes no delivery at all."""
    receiver = await receivers()
    thread = new_id("thr")
    tagged = await house.endpoint(receiver.url, "*", filter_tags=["vip", "team=sales"])
    threaded = await house.endpoint(receiver.url, "*", filter_threads=[thread])
    wanted = [await house.received(vip="true"), await house.received(team="sales"), await house.received(team="care")]
    mine = await house.received(thread)
    for event in (*wanted, mine):
        await house.desk.tell(event)

    assert {wanted[0].message_id, wanted[1].message_id} == {row["message_id"] for row in await house.rows(tagged)}
    assert [mine.message_id] == [row["message_id"] for row in await house.rows(threaded)]
