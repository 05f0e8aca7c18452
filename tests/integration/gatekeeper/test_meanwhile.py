"""What happens to drafts meanwhile, on a real database: events lost and repeated, time, opt-outs, pauses, modes, people's word."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.gatekeeper.house import ADA, House

from gatepost_contracts.commands import Pause, RemoveSuppression, Resolve, Resume, SetMode
from gatepost_contracts.email import EmailDrafted, EmailUnsubscribed
from gatepost_contracts.ids import new_id
from gatepost_gatekeeper.facts import Limits


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
