"""The gate on a real database: five modes, decisions, time, repeats and refusals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.gatekeeper.conftest import KEY
from tests.integration.gatekeeper.house import ADA, House

from gatepost_contracts.commands import Pause, RemoveSuppression, Resolve, Resume, SetMode
from gatepost_contracts.email import EmailDrafted, EmailUnsubscribed
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.facts import Limits
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


async def test_the_same_event_twice_changes_nothing(house: House) -> None:
    """A redelivery, or the sweep, sees the same draft again."""
    mail = await house.inbound(await house.mailbox("autonomous"))
    message = await house.draft(mail)
    before = dict(await house.show(message))
    event = EmailDrafted.model_construct(message_id=message)

    await asyncio.gather(*(house.desk.review(event) for _ in range(5)))
    await house.timers.sweep()

    assert before == dict(await house.show(message))
    assert len(await house.deliveries(message)) == 1


async def test_a_lost_event_loses_nothing(house: House) -> None:
    """The sweep judges what nobody told us of."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail, judge=False)
    assert await house.state(message) == "drafting"

    await house.timers.sweep()

    assert await house.state(message) == "held"


async def test_time_never_approves(house: House) -> None:
    """What waited too long ends unsent."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    await house.owner.execute("SET session_replication_role = replica")
    await house.owner.execute("UPDATE message SET expires_at = now() - interval '1 s' WHERE id = $1", message)
    await house.owner.execute("SET session_replication_role = DEFAULT")

    await house.timers.sweep()

    assert await house.state(message) == "expired"
    assert (await house.decide(message, "approve")).code == "already_decided"


async def test_tightened_later_means_caught_later(house: House) -> None:
    """What is released and not on the wire goes back to held."""
    mail = await house.inbound(await house.mailbox("autonomous"))
    message = await house.draft(mail)
    reply = await house.world.set_mode(
        house.said(SetMode, "agent", mailbox_id=mail["mailbox_id"], mode="gated_send", why="careful")
    )
    assert reply.ok

    await house.timers.sweep()

    assert await house.state(message) == "held"
    assert [d["state"] for d in await house.deliveries(message)] == ["held"]
    assert (await house.decide(message, "approve")).state == "released"
    assert len(await house.deliveries(message)) == 2


async def test_an_opt_out_ends_what_waits(house: House) -> None:
    """Nobody is written to after they unsubscribed."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    suppression = new_id("sup")
    await house.owner.execute(
        "INSERT INTO suppression (id, tenant_id, address, reason) VALUES ($1, $2, $3, 'unsubscribed')",
        suppression, house.tenant, ADA,
    )  # fmt: skip

    await house.desk.world_changed(EmailUnsubscribed.model_construct(suppression_id=suppression))

    assert await house.state(message) == "refused"
    assert await house.state(await house.draft(mail)) == "refused"


async def test_a_newer_answer_ends_the_older(house: House) -> None:
    """The customer wrote again and was answered; the older draft is stale for good."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    older = await house.draft(mail)
    newer_mail = await house.inbound(mail["mailbox_id"], thread=mail["thread_id"])

    assert await house.state(older) == "held"
    newer = await house.draft(newer_mail)

    assert [await house.state(older), await house.state(newer)] == ["superseded", "held"]


async def test_due_waits_for_the_undo_window_and_send_at(house: House) -> None:
    """Monitored mail can still be taken back."""
    mailbox = await house.mailbox("monitored", undo_window_s=60)
    later = datetime.now(UTC) + timedelta(hours=2)
    message = await house.draft(await house.inbound(mailbox), send_at=later)

    (delivery,) = await house.deliveries(message)
    assert later + timedelta(seconds=60) == delivery["due_at"]


async def test_a_pause_holds_and_only_an_operator_lifts_it(house: House) -> None:
    """Anyone may stop; an agent never resumes."""
    mailbox = await house.mailbox("autonomous")
    paused = await house.world.pause(house.said(Pause, "agent", scope="mailbox", target=mailbox, reason="odd"))
    message = await house.draft(await house.inbound(mailbox))
    assert (await house.state(message), (await house.show(message))["reasons"]) == ("held", ["paused"])

    for_agent = await house.world.resume(house.said(Resume, "agent", pause_id=paused.id))
    for_operator = await house.world.resume(house.said(Resume, "operator", pause_id=paused.id))

    assert (for_agent.code, for_operator.ok) == ("scope_missing", True)
    assert await house.state(await house.draft(await house.inbound(mailbox))) == "released"


@pytest.mark.parametrize("by", ["agent", "reviewer"])
async def test_only_an_operator_raises_a_mode(house: House, by: str) -> None:
    """An agent can never raise its own autonomy."""
    mailbox = await house.mailbox("gated_send")

    reply = await house.world.set_mode(house.said(SetMode, by, mailbox_id=mailbox, mode="autonomous"))
    granted = await house.world.set_mode(house.said(SetMode, "operator", mailbox_id=mailbox, mode="autonomous"))

    assert (reply.code, granted.ok) == ("operator_redeems", True)


async def test_only_an_operator_clears_a_suppression(house: House) -> None:
    """An agent can never clear one."""
    await house.owner.execute(
        "INSERT INTO suppression (id, tenant_id, address, reason) VALUES ($1, $2, $3, 'bounced')",
        new_id("sup"), house.tenant, ADA,
    )  # fmt: skip
    removing = [house.said(RemoveSuppression, by, address="Ada@Customer.example") for by in ("agent", "operator")]

    replies = [await house.world.remove_suppression(command) for command in removing]

    assert [reply.code for reply in replies] == ["scope_missing", "ok"]
    assert await house.owner.fetchval("SELECT count(*) FROM suppression WHERE tenant_id = $1", house.tenant) == 0


@pytest.mark.by_hand
@pytest.mark.parametrize(("outcome", "state"), [("delivered", "delivered"), ("not_delivered", "held")])
async def test_a_person_says_what_became_of_it(house: House, outcome: str, state: str) -> None:
    """uncertain never expires; a resend needs another approval."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    await house.decide(message, "approve")
    await house.owner.execute("SET session_replication_role = replica")
    await house.owner.execute("UPDATE message SET state = 'uncertain' WHERE id = $1", message)
    await house.owner.execute(
        "UPDATE delivery SET state = 'uncertain', attempts = 1, used = true WHERE message_id = $1", message
    )
    await house.owner.execute("SET session_replication_role = DEFAULT")
    by_agent = await house.decisions.resolve(
        house.said(Resolve, "agent", message_id=message, outcome=outcome, note="x")
    )
    command = house.said(Resolve, "reviewer", message_id=message, outcome=outcome, note="They called.")

    first, again = await house.decisions.resolve(command), await house.decisions.resolve(command)

    row = await house.show(message)
    assert (by_agent.code, first.ok, again.already) == ("scope_missing", True, True)
    assert (state, state == "held") == (row["state"], row["ok1"] is None)
    if outcome == "not_delivered":
        assert (await house.decide(message, "approve")).state == "released"


async def test_gated_inbound_mail_is_let_through_or_thrown_away(house: House) -> None:
    """gated_all: a person sees inbound mail first."""
    mailbox = await house.mailbox("gated_all")
    first = await house.inbound(mailbox, quarantined_for=["inbound_gating"])
    second = await house.inbound(mailbox, quarantined_for=["inbound_gating"])

    admitted = await house.decide(first["id"], "approve")
    discarded = await house.decide(second["id"], "reject")

    assert (admitted.state, discarded.state) == ("received", "discarded")
    head = await house.owner.fetchval("SELECT head FROM thread WHERE id = $1", first["thread_id"])
    assert first["id"] == head


async def test_over_the_limit_is_held(house: House) -> None:
    """A runaway agent meets a person."""
    house.desk._limits = Limits(hourly=2)
    mailbox = await house.mailbox("autonomous")
    messages = [await house.draft(await house.inbound(mailbox)) for _ in range(3)]

    assert [await house.state(message) for message in messages] == ["released", "released", "held"]
