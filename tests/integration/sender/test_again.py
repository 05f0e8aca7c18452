"""A second copy leaves only after a person's word, has the same Message-ID, and is counted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from gatepost_oversight.grant import Grant, recipients_digest, sign_grant
from support.lone_sender import Lone, eventually, lone_sender
from support.released import TENANT, World, inserted, quoted
from support.smtp_peer import CLOSE, Peer

TO = "ada@there.test"


def release_again(world: World, message: str) -> None:
    """As the gatekeeper leaves it after T32 and another approval."""
    box, thread, sha256, version = world.sql(
        f"SELECT mailbox_id, thread_id, content, version FROM message WHERE id = '{message}';"
    )[0]
    grant = Grant(
        message_id=message, mailbox_id=box, revision=1, release=2, content_sha256=sha256,
        recipients_sha256=recipients_digest([TO]), policy="0" * 64, expires_at=datetime.now(UTC) + timedelta(days=1),
    )  # fmt: skip
    place = {"tenant_id": TENANT, "mailbox_id": box}
    seq = int(version) + 1
    world.sql(
        f"UPDATE delivery SET state = 'held', last_row = 'T32', phase = 'none' WHERE message_id = '{message}';"
        f"UPDATE message SET state = 'released', last_row = 'T11', release = 2, version = {seq}, grant_token ="
        f" {quoted(sign_grant(world.grant_key, grant))} WHERE id = '{message}';"
        + inserted(
            "audit_record", subject_id=message, seq=seq, **place, row_id="T11", record="{}", leaf="planted"
        )
        + inserted(
            "delivery", id=f"{message}.2.1", **place, message_id=message, thread_id=thread, of_release=2, n=1,
            recipient=TO, domain="there.test", last_row="T11", due_at=datetime.now(UTC).isoformat(),
        )
    )  # fmt: skip


def counted(sender: Lone) -> float | None:
    return sender.registry.get_sample_value("gatepost_sender_again_total")


async def test_a_mail_sent_again_after_a_persons_word_is_counted(world: World, peer: Peer) -> None:
    """The first attempt's fate is unknown, so each such delivery may be a second copy: an operator can see how many."""
    peer.says["dot"] = [CLOSE]
    message, usual = world.released(), world.released("bob@there.test", due_in_s=0.5)
    async with lone_sender() as first:
        await eventually(lambda: (world.state(message), world.state(usual)) == ("uncertain", "delivered"))
        before = counted(first)
    release_again(world, message)
    async with lone_sender() as second:
        await eventually(lambda: world.state(message) == "delivered")
        after = counted(second)

    copies = [mail.content for mail in peer.mails if mail.recipients == [TO]]
    assert (0.0, 1.0) == (before, after)
    assert 2 == len(copies)
    assert 1 == len({re.findall(rb"(?mi)^message-id: (\S+)", raw)[0] for raw in copies})
