"""Dead letters at the door: counted, shown, handled again, dropped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import nats
import pytest

from support.installation import Installation, Refused, eventually


def bury(gatepost: Installation, body: dict[str, Any], subject: str = "email.received.mbx_1") -> int:
    """Put a letter into DEAD as the runtime does."""

    async def work() -> int:
        client = await nats.connect(gatepost.info["nats_url"])
        headers = {
            "reason": "Hopeless", "words": "planted", "handler": "Desk.received", "durable": "drafter_email_received",
            "attempts": "8", "sequence": "1", "subject": subject, "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        }  # fmt: skip
        ack = await client.jetstream().publish(f"dead.drafter.{subject}", json.dumps(body).encode(), headers=headers)
        await client.close()
        return int(ack.seq)

    return asyncio.run(work())


@pytest.fixture
def event(gatepost: Installation) -> Iterator[dict[str, Any]]:
    """The event of a mail that really came."""
    rfc_message_id = gatepost.write(subject="Dead")
    mail = eventually(lambda: gatepost.inbound(rfc_message_id), "the mail")
    tenant = gatepost.call("GET", "/v1/account", key="operator")["id"]
    yield {"event_id": f"{mail['id']}.1.email.received", "tenant_id": tenant, "message_id": mail["id"]}
    for letter in gatepost.call("GET", "/v1/dead-letters", key="operator")["dead_letters"]:
        gatepost.call("DELETE", f"/v1/dead-letters/{letter['seq']}", key="operator")


def test_a_dead_letter_is_counted_shown_and_handled_again(gatepost: Installation, event: dict[str, Any]) -> None:
    """Redriven means: its event waits in its owner's outbox. Twice is once, and the count goes back."""
    before = gatepost.call("GET", "/v1/status")["dead_letters"]
    seq = bury(gatepost, event)

    assert before + 1 == gatepost.call("GET", "/v1/status")["dead_letters"]
    shown = gatepost.call("GET", f"/v1/dead-letters/{seq}", key="operator")
    assert ("Hopeless", "planted", 8, "Desk.received") == tuple(
        shown[name] for name in ("reason", "words", "attempts", "handler")
    )
    assert event["event_id"] == shown["event"]["event_id"]
    assert shown["traceparent"].startswith("00-aaaa")
    done = gatepost.call("POST", f"/v1/dead-letters/{seq}/redrive", {}, key="operator")
    assert ("redriven", event["event_id"]) == (done["status"], done["event_id"])
    assert before == gatepost.call("GET", "/v1/status")["dead_letters"]
    second = bury(gatepost, event)
    assert "redriven" == gatepost.call("POST", f"/v1/dead-letters/{second}/redrive", {}, key="operator")["status"]


def test_another_tenants_letters_are_nobodys(gatepost: Installation, event: dict[str, Any]) -> None:
    """404, also for what nobody can be told to own."""
    for body in (event | {"tenant_id": "ten_other"}, {"no": "tenant"}):
        seq = bury(gatepost, body)
        with pytest.raises(Refused) as refused:
            gatepost.call("GET", f"/v1/dead-letters/{seq}", key="operator")
        assert refused.value.status == 404
        asyncio.run(purge(gatepost, seq))


async def purge(gatepost: Installation, seq: int) -> None:
    client = await nats.connect(gatepost.info["nats_url"])
    await client.jetstream().delete_msg("DEAD", seq)
    await client.close()


def test_what_no_record_makes_is_not_redriven(gatepost: Installation, event: dict[str, Any]) -> None:
    """It stays, so that nothing is lost by trying."""
    seq = bury(gatepost, event | {"event_id": "msg_none.1.email.received"})
    with pytest.raises(Refused) as refused:
        gatepost.call("POST", f"/v1/dead-letters/{seq}/redrive", {}, key="operator")

    assert refused.value.body["code"] == "not_redrivable"
    assert gatepost.call("GET", f"/v1/dead-letters/{seq}", key="operator")["seq"] == seq


def test_only_an_operator_redrives_or_drops(gatepost: Installation, event: dict[str, Any]) -> None:
    """A reviewer or an agent decides nothing about events."""
    seq = bury(gatepost, event)
    for key in ("agent", "reviewer"):
        for method, path in (("POST", f"/v1/dead-letters/{seq}/redrive"), ("DELETE", f"/v1/dead-letters/{seq}")):
            with pytest.raises(Refused) as refused:
                gatepost.call(method, path, {}, key=key)
            assert refused.value.status == 403
