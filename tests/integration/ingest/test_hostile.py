"""A sample of `make hostile`: no parser raises, every mail has one outcome and all of its bytes."""

from __future__ import annotations

import random
from typing import Any

from bench.hostile_letters import MAKERS, damaged, letters
from bench.hostile_mail import Findings, read_one, store_all

SAMPLE = 200


async def test_hostile_mail_is_read_stored_whole_and_counted(ingest: Any) -> None:
    found = Findings()
    mails = list(letters(20_26, SAMPLE))
    for name, raw in mails:
        read_one(name, raw, found)
    await store_all(ingest.room, mails, found)

    assert (found.raised, found.slow, found.lost, found.changed) == ([], [], [], [])
    assert sum(found.outcomes.values()) >= SAMPLE - 3  # the same few bytes may be made twice
    assert set(found.outcomes) <= {"received", "quarantined"}


def test_the_check_can_fail() -> None:
    found = Findings()
    read_one("planted", b"x", found, reader=lambda _: 1 / 0)  # type: ignore[arg-type,return-value]

    assert not found.is_clean


async def test_a_changed_byte_would_be_found(ingest: Any) -> None:
    """The accounting compares with what was sent, not with what is said to be stored."""
    found = Findings()
    ingest.room.sql("CREATE RULE planted AS ON INSERT TO raw DO INSTEAD NOTHING")
    try:
        await store_all(ingest.room, [("planted", b"From: a@b.c\r\n\r\nx")], found)
    finally:
        ingest.room.sql("DROP RULE planted ON raw")

    assert found.changed or found.lost or found.raised


def test_every_maker_makes_mail() -> None:
    for make in MAKERS:
        rng = random.Random(make.__name__)
        assert isinstance(damaged(rng, make(rng)), bytes)
