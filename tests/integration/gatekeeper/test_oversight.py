"""Oversight in full on a real database: categories, grants, stops, two people, the code that raises a mode, demotion."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.gatekeeper.conftest import KEY
from tests.integration.gatekeeper.house import House

from gatepost_contracts.commands import (
    CommandReply,
    SetGrant,
    SetMode,
    SetRule,
    SetTwoPerson,
)  # fmt: skip
from gatepost_contracts.email import EmailReceived
from gatepost_contracts.mailbox import MailboxModeChanged
from gatepost_contracts.records import event_from_record
from gatepost_oversight.credential import Role
from gatepost_oversight.grant import verify_grant
from gatepost_store import Actor, Stayed


async def rule(
    house: House, mailbox: str, name: str = "faq", priority: int = 0, by: str = "operator", **conditions: Any
) -> CommandReply:
    return await house.granting.set_rule(
        house.said(SetRule, by, mailbox_id=mailbox, category=name, conditions=conditions or None, priority=priority)
    )


async def grant(house: House, mailbox: str, mode: str | None = "monitored", *, name: str = "faq", of: str = "category",
                by: str = "operator", covers_ask: bool = False) -> CommandReply:  # fmt: skip
    return await house.granting.set_grant(house.said(
        SetGrant, by, mailbox_id=mailbox, of=of, grant_name=name, mode=mode, covers_ask=covers_ask
    ))  # fmt: skip


async def loosened(house: House, **columns: Any) -> str:
    """A gated mailbox in which answers to parcel mails leave by themselves."""
    mailbox = await house.mailbox("gated_send")
    await house.set_mailbox(mailbox, **columns)
    assert (await rule(house, mailbox, words=["parcel"])).ok
    assert (await grant(house, mailbox)).ok
    return mailbox


async def category(house: House, message: str) -> tuple[str | None, int | None]:
    row = await house.show(message)
    return row["rule_category"], row["rule_revision"]


async def claim(house: House, message: str) -> Any:
    """A sender tries to take its first delivery."""
    delivery = (await house.deliveries(message))[0]["id"]
    return await house.stores["sender"].step(
        "T24", message, by=Actor(Role.SYSTEM, None, "sender"), delivery_id=delivery, owner="s",
        lease_until=datetime.now(UTC) + timedelta(seconds=60), grant_ok=True,
    )  # fmt: skip


async def events(house: House, subject: str, kind: type) -> list[Any]:
    """The events that the steps of a subject made."""
    rows = await house.owner.fetch("SELECT record FROM audit_record WHERE subject_id = $1 ORDER BY seq", subject)
    records = [json.loads(row["record"]) for row in rows]
    return [event_from_record(record, kind.type) for record in records if kind.type in record["emits"]]


# -- categories ----------------------------------------------------------------------------------------------------


async def test_a_category_goes_its_own_way(house: House) -> None:
    """The rule is ours, its revision is stored with the mail and with the draft; everything else stays gated."""
    mailbox = await loosened(house)
    parcel, other = await house.inbound(mailbox, "Where is my parcel?"), await house.inbound(mailbox, "Hello")
    await house.desk.customer_wrote_again(
        EmailReceived.model_construct(message_id=parcel["id"], thread_id=parcel["thread_id"])
    )

    let_go, held = await house.draft(parcel), await house.draft(other)

    assert ["released", "held"] == [await house.state(let_go), await house.state(held)]
    assert ("faq", 1) == await category(house, let_go)
    assert ("faq", 1) == await category(house, parcel["id"])
    assert (None, None) == await category(house, held)


async def test_a_changed_rule_is_a_new_revision_and_an_ended_one_matches_nothing(house: House) -> None:
    mailbox = await loosened(house)
    await rule(house, mailbox, words=["parcel", "package"])
    package = await house.draft(await house.inbound(mailbox, "My package!"))
    await rule(house, mailbox)

    after = await house.draft(await house.inbound(mailbox, "My package!"))

    assert ("released", ("faq", 2)) == (await house.state(package), await category(house, package))
    assert "held" == await house.state(after)


async def test_a_tag_counts_when_a_person_set_it(house: House) -> None:
    mailbox = await house.mailbox("gated_send")
    await rule(house, mailbox, tag="kind=simple")
    await grant(house, mailbox)
    by_agent, by_person = await house.inbound(mailbox), await house.inbound(mailbox)
    tags = 'UPDATE message SET tags = \'{"kind": "simple"}\', person_tags = $2 WHERE id = $1'
    await house.owner.execute(tags, by_agent["id"], [])
    await house.owner.execute(tags, by_person["id"], ["kind"])

    assert ["held", "released"] == [await house.state(await house.draft(mail)) for mail in (by_agent, by_person)]


async def test_what_an_author_calls_its_draft_only_tightens(house: House) -> None:
    mailbox = await house.mailbox("autonomous")
    await grant(house, mailbox, "gated_send", name="legal")
    await house.set_mailbox(mailbox, mode="autonomous")

    assert "held" == await house.state(await house.draft(await house.inbound(mailbox), category="legal"))
    assert "released" == await house.state(await house.draft(await house.inbound(mailbox), category="faq"))


async def test_a_draft_for_the_older_mail_is_not_of_its_category(house: House) -> None:
    """An agent chooses what it answers; only the newest mail of the thread loosens."""
    mailbox = await loosened(house)
    first = await house.inbound(mailbox, "Where is my parcel?")
    await house.inbound(mailbox, "I will sue you.", thread=first["thread_id"])

    assert "held" == await house.state(await house.draft(first))


@pytest.mark.parametrize("by", ["agent", "reviewer"])
async def test_only_an_operator_loosens_by_name(house: House, by: str) -> None:
    """A rule loosens too: it can take mail away from a stricter category."""
    mailbox = await house.mailbox("gated_send")

    refusals = [await grant(house, mailbox, by=by), await rule(house, mailbox, by=by, words=["x"]),
                await grant(house, mailbox, of="allowlist", name="*@customer.example", by=by)]  # fmt: skip

    assert ["operator_redeems", "scope_missing", "operator_redeems"] == [reply.code for reply in refusals]
    assert (await grant(house, mailbox, "gated_all", by=by)).ok


@pytest.mark.parametrize(
    "conditions", [{"words": []}, {"moon": "full"}, {"sender_domain": "not a domain"}, {"words": [5]}, {"tag": None}]
)
async def test_a_rule_that_says_nothing_is_refused(house: House, conditions: dict[str, Any]) -> None:
    command = house.said(
        SetRule, "operator", mailbox_id=await house.mailbox("gated_send"), category="faq", conditions=conditions
    )

    assert "invalid_request" == (await house.granting.set_rule(command)).code


async def test_listed_recipients_go_their_own_way(house: House) -> None:
    """Up to the ceiling, and never past what is always held."""
    mailbox = await house.mailbox("gated_send")
    assert (await grant(house, mailbox, of="allowlist", name="*@customer.example")).ok
    mail = await house.inbound(mailbox)

    assert "released" == await house.state(await house.draft(mail))
    assert "held" == await house.state(await house.draft(mail, "[REVIEWER: where?]"))
    await house.set_mailbox(mailbox, ceiling="gated_send")
    assert "held" == await house.state(await house.draft(await house.inbound(mailbox)))
    assert "invalid_request" == (await grant(house, mailbox, of="allowlist", name="everyone")).code


async def test_a_covered_ask_passes_and_a_bare_one_holds(house: House) -> None:
    """Agents in the field pass gated_send on every call."""
    mailbox = await loosened(house)

    assert "held" == await house.state(await house.draft(await house.inbound(mailbox, "parcel"), ask="gated_send"))
    assert (await grant(house, mailbox, covers_ask=True)).ok
    assert "released" == await house.state(await house.draft(await house.inbound(mailbox, "parcel"), ask="gated_send"))
    assert "held" == await house.state(await house.draft(await house.inbound(mailbox, "parcel"), ask="gated_all"))


# -- tightened later means caught later ----------------------------------------------------------------------------


async def _revoke(house: House, mailbox: str) -> CommandReply:
    return await grant(house, mailbox, None, by="agent")


async def _lower(house: House, mailbox: str) -> CommandReply:
    return await grant(house, mailbox, "gated_send", by="agent")


async def _cap(house: House, mailbox: str) -> CommandReply:
    return await house.world.set_mode(
        house.said(SetMode, "operator", mailbox_id=mailbox, mode="gated_send", ceiling="gated_send")
    )


@pytest.mark.parametrize("tighten", [_revoke, _lower, _cap])
@pytest.mark.parametrize("by_event", [True, False])
async def test_a_tightened_category_catches_what_has_not_left(house: House, tighten: Any, by_event: bool) -> None:
    """By the event in seconds; by the sweep where the event was lost."""
    mailbox = await loosened(house)
    message = await house.draft(await house.inbound(mailbox, "parcel"))
    assert "released" == await house.state(message)

    assert (await tighten(house, mailbox)).ok
    assert Stayed(("RELEASABLE",)) == await claim(house, message)  # at once, before anything else has happened
    if by_event:
        await house.desk.world_changed((await events(house, mailbox, MailboxModeChanged))[-1])
    else:
        await house.timers.sweep()

    assert "held" == await house.state(message)
    assert ["held"] == [d["state"] for d in await house.deliveries(message)]


async def test_loosening_further_catches_nothing(house: House) -> None:
    """The grant is set in place, so what was released under it stays under it."""
    mailbox = await loosened(house)
    message = await house.draft(await house.inbound(mailbox, "parcel"))

    assert (await grant(house, mailbox, "autonomous")).ok
    await house.desk.world_changed((await events(house, mailbox, MailboxModeChanged))[-1])
    await house.timers.sweep()

    assert "released" == await house.state(message)


async def test_two_people_asked_for_later_catch_what_one_approved(house: House) -> None:
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    await house.decide(message, "approve")

    by_agent = await house.granting.set_two_person(
        house.said(SetTwoPerson, "agent", mailbox_id=mail["mailbox_id"], on=True)
    )
    asked = await house.granting.set_two_person(
        house.said(SetTwoPerson, "operator", mailbox_id=mail["mailbox_id"], on=True)
    )
    await house.timers.sweep()

    assert ("scope_missing", True, "held") == (by_agent.code, asked.ok, await house.state(message))


async def test_an_approver_whose_key_was_revoked_no_longer_counts(house: House) -> None:
    """One person asked for: it comes back. Two: the next approval is the first of two again, and says so."""
    mail = await house.inbound(await house.mailbox("gated_send", two_person=True))
    message = await house.draft(mail)
    assert "held" == (await house.decide(message, "approve")).state
    await house.owner.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", house.keys["reviewer"][0])
    await house.key("third", "person", ["read", "oversight"])

    first = await house.decide(message, "approve", by="second")
    second = await house.decide(message, "approve", by="third")

    assert (True, "held", False) == (first.ok, first.state, first.already)
    assert house.keys["second"][1] == (await house.show(message))["ok1"]
    assert (True, "released") == (second.ok, second.state)


# -- decisions -----------------------------------------------------------------------------------------------------


async def test_an_approval_of_revision_1_never_sends_revision_2(house: House) -> None:
    """Whether the rewrite comes before the approval, between page and click, or after it."""
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    of_one = await house.decision(message, "approve")
    second = await house.revise(message, mail, "Better.")

    refused = await house.decisions.decide(of_one)
    assert ("stale_revision", "held") == (refused.code, await house.state(message))

    assert (await house.decide(message, "approve")).ok
    row = await house.show(message)
    signed = verify_grant(KEY.public_key(), row["grant_token"], datetime.now(UTC))
    assert (2, second, second) == (signed.revision, signed.content_sha256, row["content"])
    with pytest.raises(AssertionError, match="Stayed"):
        await house.revise(message, mail, "Sent under the approval of the second.")


async def test_a_rewrite_racing_the_approval_leaves_with_none(house: House) -> None:
    """Whichever is first: what leaves is what was approved, and nothing else."""
    for _ in range(8):
        mail = await house.inbound(await house.mailbox("gated_send"))
        message = await house.draft(mail)
        command = await house.decision(message, "approve")
        await asyncio.gather(
            house.decisions.decide(command), house.revise(message, mail, "Better."), return_exceptions=True
        )
        row = await house.show(message)
        if row["state"] == "released":
            assert (1, command.seen_sha256) == (row["revision"], row["content"])
        else:
            assert ("held", 2, None) == (row["state"], row["revision"], row["ok1"])


async def test_two_reviewers_clicking_at_once_give_one_decision_and_one_refusal(house: House) -> None:
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail)
    commands = [await house.decision(message, "approve", by) for by in ("reviewer", "second")]

    replies = await asyncio.gather(*(house.decisions.decide(command) for command in commands))

    assert [False, True] == sorted(reply.ok for reply in replies)
    loser = next(reply for reply in replies if not reply.ok)
    winner = next(reply for reply in replies if reply.ok)
    assert ("already_decided", winner.decided_by) == (loser.code, loser.decided_by)
    assert 1 == await house.owner.fetchval("SELECT count(*) FROM decision WHERE message_id = $1", message)
    assert 1 == len(await house.deliveries(message))


async def test_how_much_an_edit_changed_is_kept(house: House) -> None:
    mail = await house.inbound(await house.mailbox("gated_send"))
    message = await house.draft(mail, "It is on its way.")
    await house.revise(message, mail, "It is NOT on its way!", by="reviewer", kind="edit")
    await house.decide(message, "approve", edit_revision=2)

    assert 1 == await house.owner.fetchval("SELECT edit_words FROM decision WHERE message_id = $1", message)


async def test_a_draft_for_later_is_asked_about_when_the_time_comes(house: House) -> None:
    """schedule_first waits unseen; it never leaves unseen, and many of them starve nobody."""
    mailbox = await house.mailbox("gated_send")
    later = datetime.now(UTC) + timedelta(hours=2)
    message = await house.draft(await house.inbound(mailbox), gate_timing="schedule_first", send_at=later)
    await house.timers.sweep()
    assert "drafted" == await house.state(message)
    stuck = await house.stores["gatekeeper"].fetch("stuck", 0.0)
    assert message not in {row["id"] for row in stuck}

    await house.owner.execute("UPDATE message SET send_at = now() WHERE id = $1", message)
    await house.timers.sweep()

    assert "held" == await house.state(message)


async def test_a_lost_rewrite_of_what_waits_is_found_and_an_edit_is_none(house: House) -> None:
    """Only rewrites are looked for among what is held, so that a long queue is not read every few seconds."""
    message = await house.draft(await house.inbound(await house.mailbox("gated_send")))
    again = (
        "INSERT INTO revision (tenant_id, mailbox_id, message_id, n, kind, content_sha256, content, markdown, subject, recipients,"
        " author, author_key, author_kind) SELECT tenant_id, mailbox_id, message_id, $2, $3, content_sha256, content, markdown,"
        " subject, recipients, author, author_key, author_kind FROM revision WHERE message_id = $1 AND n = 1"
    )  # fmt: skip

    async def stuck() -> list[int]:
        rows = await house.stores["gatekeeper"].fetch("stuck", 0.0)
        return [row["n"] for row in rows if row["id"] == message]

    assert [] == await stuck()
    await house.owner.execute(again, message, 2, "edit")
    assert [] == await stuck()
    await house.owner.execute(again, message, 3, "draft")
    assert [3] == await stuck()
    await house.owner.execute(again, message, 4, "draft")
    assert [4] == await stuck()


async def test_a_mailbox_that_became_stricter_before_it_was_judged_holds_what_asked_for_more(house: House) -> None:
    """It would otherwise wait for nobody until it expired."""
    mailbox = await house.mailbox("monitored")
    message = await house.draft(await house.inbound(mailbox), ask="monitored", judge=False)
    await house.set_mailbox(mailbox, mode="gated_send")

    await house.desk.judge(message)

    row = await house.show(message)
    assert ("held", 1, ["gated"]) == (row["state"], row["revision"], row["reasons"])
    assert "released" == (await house.decide(message, "approve")).state


async def test_within_the_undo_window_it_can_be_taken_back(house: House) -> None:
    """Monitored mail is released and waits; until it is due nobody can claim it."""
    mailbox = await house.mailbox("monitored", undo_window_s=600)
    message = await house.draft(await house.inbound(mailbox))
    assert "released" == await house.state(message)
    assert Stayed(("DUE",)) == await claim(house, message)

    assert "cancelled" == (await house.cancel(message, by="reviewer")).state
    assert Stayed(("STATE", "OPEN", "DUE")) == await claim(house, message)
