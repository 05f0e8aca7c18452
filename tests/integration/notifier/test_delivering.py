"""Webhooks from rows to a real receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from standardwebhooks.webhooks import Webhook
from tests.integration.notifier.conftest import SECRET, House

Make = Callable[..., Any]


async def test_a_webhook_arrives_signed(house: House, receivers: Make) -> None:
    """The published verifier takes it, and the old header is that of the literal secret."""
    receiver = await receivers()
    await house.endpoint(receiver.url, "inbound")
    await house.desk.tell(await house.received())
    await house.until(lambda: receiver.got)

    headers, body = receiver.got[0]
    shown = "whsec_" + base64.b64encode(SECRET.encode()).decode()
    assert Webhook(shown).verify(body, headers)["event"] == "inbound"
    assert "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest() == headers["X-MultiMail-Signature"]
    assert (headers["X-Gatepost-Event"], headers["X-Gatepost-Attempt"]) == ("email.received", "1")
    assert json.loads(body)["id"] == headers["webhook-id"]


async def test_the_same_event_twice_is_one_delivery(house: House, receivers: Make) -> None:
    """The id follows from event, endpoint and word."""
    receiver = await receivers()
    endpoint = await house.endpoint(receiver.url, "email.received", "message.received")
    event = await house.received()
    await house.desk.tell(event)
    await house.desk.tell(event)
    await house.until(lambda: len(receiver.got) >= 2)

    assert {"email.received", "message.received"} == set(receiver.said("event"))
    assert len(await house.rows(endpoint)) == 2


async def test_id_and_bytes_stay_over_retries(house: House, receivers: Make) -> None:
    """A receiver drops what it has by id, and a signature is of these very bytes."""
    receiver = await receivers(answer=lambda n: (200 if n == 3 else 500, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await house.desk.tell(await house.received())
    await house.until(lambda: len(receiver.got) == 3)

    assert len({body for _, body in receiver.got}) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert [headers["X-Gatepost-Attempt"] for headers, _ in receiver.got] == ["1", "2", "3"]

    async def is_delivered() -> bool:
        (row,) = await house.rows(endpoint)
        return bool(row["state"] == "delivered" and row["response_status"] == 200)

    await house.until(is_delivered)


async def test_after_the_last_attempt_it_is_kept_and_told(house: House, receivers: Make) -> None:
    """failed, with endpoint.exhausted in the outbox of this service."""
    receiver = await receivers(answer=lambda _: (500, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await house.desk.tell(await house.received())

    async def is_failed() -> bool:
        (row,) = await house.rows(endpoint)
        return bool(row["state"] == "failed")

    await house.until(is_failed)
    assert len(receiver.got) == 4
    told = await house.owner.fetchval(
        "SELECT count(*) FROM outbox WHERE type = 'endpoint.exhausted' AND tenant_id = $1", house.tenant
    )
    assert told == 1


async def test_gone_switches_the_endpoint_off(house: House, receivers: Make) -> None:
    """410 is a wish; what was not delivered says why, and is kept for `recover`."""
    receiver = await receivers(answer=lambda _: (410, {}))
    endpoint = await house.endpoint(receiver.url, "*")
    await house.desk.tell(await house.received())

    async def is_off() -> bool:
        return not await house.owner.fetchval("SELECT is_active FROM endpoint WHERE id = $1", endpoint)

    await house.until(is_off)
    assert (await house.rows(endpoint))[0]["state"] == "disabled"


async def test_a_redirect_is_followed_by_nobody(house: House, receivers: Make) -> None:
    """It could lead inside."""
    other = await receivers()
    receiver = await receivers(answer=lambda _: (307, {"Location": other.url}))
    await house.endpoint(receiver.url, "*")
    await house.desk.tell(await house.received())
    await house.until(lambda: len(receiver.got) == 4)

    assert other.got == []


async def test_a_dead_endpoint_slows_nobody(house: House, receivers: Make) -> None:
    """Its deliveries wait in its own rows, at most 8 at a time."""
    dead = await receivers(wait_s=3)
    alive = await receivers()
    await house.endpoint(dead.url, "*")
    await house.endpoint(alive.url, "*")
    for _ in range(30):
        await house.desk.tell(await house.received())
    await house.until(lambda: len(alive.got) == 30, within_s=6)

    assert dead.most_at_once <= 8


async def test_order_is_kept_within_a_thread(house: House, receivers: Make) -> None:
    """A later one waits for an earlier one that failed."""
    receiver = await receivers(answer=lambda n: (500 if n in {1, 2} else 200, {}))
    await house.endpoint(receiver.url, "*")
    first = await house.received()
    events = [first, await house.received(first.thread_id), await house.received(first.thread_id)]
    for event in events:
        await house.desk.tell(event)
    await house.until(lambda: len(receiver.got) == 5)

    ids = [event.message_id for event in events]
    assert [ids[0], ids[0], ids[0], ids[1], ids[2]] == receiver.said("message_id")


async def test_a_private_target_is_refused_at_connect(house: House) -> None:
    """Also when it was stored before the rule, or by somebody who got around it."""
    endpoint = await house.endpoint("https://10.0.0.1/hook", "*")
    await house.desk.tell(await house.received())

    async def is_refused() -> bool:
        (row,) = await house.rows(endpoint)
        return bool(row["error"] == "the address is not public")

    await house.until(is_refused)


async def test_a_rotating_secret_signs_twice(house: House, receivers: Make) -> None:
    """The old one is valid until its grace ends."""
    from datetime import UTC, datetime, timedelta

    from tests.integration.notifier.conftest import KEY

    from gatepost_runtime import seal

    receiver = await receivers()
    old = "whsec_" + base64.b64encode(b"o" * 32).decode()
    await house.endpoint(
        receiver.url, "*", old_secret_sealed=seal(KEY.public_key(), old.encode()),
        old_valid_until=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    await house.desk.tell(await house.received())
    await house.until(lambda: receiver.got)

    headers, body = receiver.got[0]
    assert Webhook(old).verify(body, headers)
    assert Webhook("whsec_" + base64.b64encode(SECRET.encode()).decode()).verify(body, headers)


async def test_a_chat_channel_gets_a_line_and_a_link(house: House, receivers: Make) -> None:
    """As Slack's incoming webhooks take it: nothing that decides, and nothing that a stranger's subject could call up."""
    receiver = await receivers()
    await house.endpoint(receiver.url, "*", payload="slack")
    event = await house.received()
    await house.owner.execute("SET session_replication_role = replica")
    await house.owner.execute(
        "UPDATE message SET subject = $2 WHERE id = $1", event.message_id, "<!channel> <http://evil|hi>"
    )
    await house.owner.execute("SET session_replication_role = DEFAULT")
    await house.desk.tell(event)
    await house.until(lambda: receiver.got)
    (said,) = [json.loads(body) for _, body in receiver.got]

    assert ["text"] == list(said)
    assert "A mail came" in said["text"]
    assert "&lt;!channel&gt; &lt;http://evil|hi&gt;" in said["text"]
    assert said["text"].endswith(f"/review?message_id={event.message_id}|look at it>")
