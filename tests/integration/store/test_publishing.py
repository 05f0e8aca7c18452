"""What was committed is published: by a sweep, past what cannot be, and once more where somebody asks."""

from __future__ import annotations

from support.mails import (
    INGEST,
    inbound,
    made,
)  # fmt: skip


async def test_the_sweep_goes_past_events_that_cannot_be_built(world) -> None:
    """A whole look full of them (200) at the front of the queue holds up nobody, and they are looked at again later."""
    store = await world.store("ingest")
    bad = [inbound(raw=b"bad %d" % n) for n in range(210)]
    for payload in bad:
        made(await store.insert("T01", payload, by=INGEST, raw=b"1", data={"raw_sha256": "nonsense"}))
    good = made(await store.insert("T01", inbound(raw=b"good"), by=INGEST, raw=b"2", data={"raw_sha256": "0" * 64}))
    published: list[str] = []

    async def publish(events) -> list[bool]:
        published.extend(event.event_id for event in events)
        return [True] * len(events)

    store.publisher = publish
    while await store.sweep_once(older_than_s=0):
        pass

    assert [f"{good.message_id}.1.email.received"] == published
    assert len(bad) == await world.owner.fetchval(
        "SELECT count(*) FROM outbox WHERE at > now() + interval '50 minutes'"
    )


async def test_an_event_is_published_again_from_its_record(world) -> None:
    """By its owner and once; what no record makes, and what is another tenant's, is left out."""
    store = await world.store("ingest")
    mail = made(await store.insert("T01", inbound(raw=b"1"), by=INGEST, raw=b"1", data={"raw_sha256": "0" * 64}))
    event_id = f"{mail.message_id}.1.email.received"
    await world.owner.execute("DELETE FROM outbox")
    published: list[str] = []

    async def publish(events) -> list[bool]:
        published.extend(event.event_id for event in events)
        return [True] * len(events)

    store.publisher = publish
    strangers = ["", "x", f"{mail.message_id}.9.email.received", f"{mail.message_id}.1.email.nonsense", event_id]
    assert 0 == await store.republish(strangers, tenant_id="ten_other")
    assert 1 == await store.republish(strangers)
    assert 0 == await store.republish([event_id])
    await store.sweep_once(older_than_s=0)
    assert [event_id] == published
