"""The gate on a real database: five modes, decisions, repeats and refusals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from tests.integration.gatekeeper.conftest import KEY
from tests.integration.gatekeeper.house import ADA, House

from gatepost_oversight.grant import verify_grant


@pytest.mark.parametrize(
    ("mode", "state"),
    [("gated_all", "held"), ("gated_send", "held"), ("monitored", "released"), ("autonomous", "released")],
)
async def test_each_mode_does_what_it_says(house: House, mode: str, state: str) -> None:
    """The modes that send alone release a plain reply; the gated ones hold it."""
    mail = await house.inbound(await house.mailbox("gated_send" if mode == "gated_all" else mode))
    await house.set_mailbox(mail["mailbox_id"], mode=mode)

    message = await house.draft(mail)

    row = await house.show(message)
    assert state == row["state"]
    assert (state == "held") == bool(row["reasons"])
    assert len(await house.deliveries(message)) == (state == "released")


async def test_read_only_takes_nothing_up(house: House) -> None:
    """Nothing leaves, and nothing waits for a person either."""
    mail = await house.inbound(await house.mailbox("read_only"))
    message = await house.draft(mail)

    assert await house.state(message) in {"drafting", "refused"}


async def test_approving_releases_exactly_this_content(house: House) -> None:
    """With a grant that the sender can verify."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)

    reply = await house.decide(message, "approve")

    row = await house.show(message)
    grant = verify_grant(KEY.public_key(), row["grant_token"], datetime.now(UTC))
    assert (reply.ok, reply.already, reply.state) == (True, False, "released")
    assert (row["content"], 1, row["release"], (house.keys["reviewer"][1],)) == (
        grant.content_sha256, grant.revision, grant.release, grant.decided_by,
    )  # fmt: skip
    assert [(d["recipient"], d["state"]) for d in await house.deliveries(message)] == [(ADA, "released")]
    assert await house.records(message) == ["T05", "T06", "T09", "T11"]


async def test_a_decision_is_kept_with_its_note(house: House) -> None:
    """Who, what, which content, through which door."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    await house.decide(message, "reject", note="Be kinder.", reason_code="tone")

    row = await house.owner.fetchrow("SELECT * FROM decision WHERE message_id = $1", message)
    assert ("send_back", "Be kinder.", "tone", house.keys["reviewer"][1], "rest") == (
        row["action"], row["note"], row["reason_code"], row["principal"], row["door"],
    )  # fmt: skip


async def test_the_author_never_decides(house: House) -> None:
    """By principal, whatever key they hold."""
    await house.key("authors_second_key", "person", ["read", "oversight"], principal=house.keys["agent"][1])
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)

    reply = await house.decide(message, "approve", by="authors_second_key")

    assert (reply.ok, reply.code, await house.state(message)) == (False, "author_may_not_decide", "held")


@pytest.mark.parametrize("by", ["agent", "other_agent", "operator"])
async def test_only_a_reviewer_approves(house: House, by: str) -> None:
    """An agent can never approve anything; an operator is no reviewer."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)

    reply = await house.decide(message, "approve", by=by)

    assert (reply.ok, reply.code, await house.state(message)) == (False, "scope_missing", "held")


async def test_a_stale_page_is_refused(house: House) -> None:
    """The customer wrote again, or the draft was rewritten, after the page was shown."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    shown = await house.decision(message, "approve")

    await house.inbound(mail["mailbox_id"], thread=mail["thread_id"])
    older_thread = await house.decisions.decide(shown)
    wrong_hash = await house.decide(message, "approve", seen_sha256="0" * 64)

    assert [older_thread.code, wrong_hash.code] == ["stale_revision", "stale_revision"]
    assert (await house.decide(message, "approve")).ok


async def test_the_same_command_twice_is_one_decision(house: House) -> None:
    """The result is kept with the decision."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    command = await house.decision(message, "approve")

    first, second = await house.decisions.decide(command), await house.decisions.decide(command)

    assert (first.ok, first.already, second.ok, second.already) == (True, False, True, True)
    assert (first.seq, first.state, first.decided_at) == (second.seq, second.state, second.decided_at)


async def test_fifty_decisions_at_once_are_one(house: House) -> None:
    """Exactly one is the first; everyone else of the same person gets its result; one release, one delivery."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    commands = [await house.decision(message, "approve") for _ in range(50)]

    replies = await asyncio.gather(*(house.decisions.decide(command) for command in commands))

    assert [reply.ok for reply in replies] == [True] * 50
    assert sum(not reply.already for reply in replies) == 1
    assert len(await house.deliveries(message)) == 1


async def test_another_persons_later_decision_collides(house: House) -> None:
    """With who and when."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    first = await house.decide(message, "reject")

    reply = await house.decide(message, "approve", by="second")

    assert ("already_decided", house.keys["reviewer"][1]) == (reply.code, reply.decided_by)
    assert first.ok
    assert reply.decided_at is not None


async def test_a_note_sends_it_back_until_no_round_is_left(house: House) -> None:
    """A rewrite lands in held, never past the gate, even where the mode would release it."""
    mail = await house.inbound(await house.mailbox("gated_send", rounds_max=1))
    message = await house.draft(mail)

    assert (await house.decide(message, "reject", note="shorter")).state == "revising"
    await house.set_mailbox(mail["mailbox_id"], mode="autonomous")
    await house.revise(message, mail, "On its way!")
    row = await house.show(message)
    assert (row["state"], row["revision"], row["rounds"]) == ("held", 2, 1)
    assert row["reasons"]
    assert (await house.decide(message, "reject", note="shorter still")).state == "rejected"


async def test_a_reviewers_edit_is_what_leaves(house: House) -> None:
    """The approval is bound to the edited content."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail, "It is [REVIEWER: where?]")
    assert (await house.decide(message, "approve")).code == "content_refused"

    edited = await house.revise(message, mail, "It is in Berlin.", by="reviewer", kind="edit")
    reply = await house.decide(message, "approve", edit_revision=2)

    row = await house.show(message)
    assert (True, "released", edited, 2) == (reply.ok, row["state"], row["content"], row["revision"])
    assert house.keys["reviewer"][1] == row["reviser"]


async def test_two_people_where_two_are_asked_for(house: House) -> None:
    """One person with two clicks is one person."""
    mail = await house.inbound(await house.mailbox("gated_send", two_person=True))
    message = await house.draft(mail)

    assert (await house.decide(message, "approve")).state == "held"
    again = await house.decide(message, "approve")
    assert await house.state(message) == "held"
    assert again.already or not again.ok
    assert (await house.decide(message, "approve", by="second")).state == "released"


async def test_cancel_before_the_wire(house: House) -> None:
    """By its author or a person; another agent may not."""
    mail = await house.inbound(await house.mailbox("autonomous"))
    message = await house.draft(mail)

    assert (await house.cancel(message, by="other_agent")).code == "scope_missing"
    assert (await house.cancel(message)).state == "cancelled"
    assert (await house.cancel(message)).code == "not_cancellable"
    assert [d["state"] for d in await house.deliveries(message)] == ["held"]


async def test_another_tenants_mail_does_not_exist(house: House) -> None:
    """Never 403: that would tell."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    command = await house.decision(message, "approve")
    stranger = await House(
        house.owner,
        house.stores,
        house.desk,
        house.decisions,
        house.world,
        house.timers,
        house.granting,
        house.upgrades,
        house.quality,
    ).build()
    key, principal = stranger.keys["reviewer"]

    theirs = command.model_copy(update={"tenant_id": stranger.tenant, "key_id": key, "principal_id": principal})
    stolen = command.model_copy(update={"principal_id": house.keys["second"][1]})

    assert (await house.decisions.decide(theirs)).code == "not_found"
    assert (await house.decisions.decide(stolen)).code == "unauthenticated"
