"""Which mail is drafted, how often, from what, and what a failure leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost_contracts.email import EmailDrafted, EmailReceived, EmailRejected
from gatepost_contracts.ids import new_id
from gatepost_drafter.provider import DraftFailed, DraftRequest, DraftResult, Usage
from gatepost_mail.content import Content

KNOWN = "How long does delivery take?"
NEVER = "1999-01-01T00:00:00Z"


def received(mail: dict[str, Any]) -> EmailReceived:
    return EmailReceived(
        event_id="x", occurred_at=NEVER, tenant_id=mail["tenant_id"], mailbox_id=mail["mailbox_id"],
        subject_id=mail["id"], seq=1, message_id=mail["id"], thread_id=mail["thread_id"],
        raw_sha256=mail["raw_sha256"], automatic=bool(mail["automatic"]),
    )  # fmt: skip


def rejected(draft: dict[str, Any], revision: int = 1, *, final: bool = False) -> EmailRejected:
    return EmailRejected(
        event_id="x", occurred_at=NEVER, tenant_id=draft["tenant_id"], mailbox_id=draft["mailbox_id"],
        subject_id=draft["message"], seq=3, message_id=draft["message"], thread_id=draft["thread_id"],
        revision=revision, final=final,
    )  # fmt: skip


class Recorder:
    """A provider that keeps what it was asked and answers as told."""

    name, prompt_version = "recorder", "1"

    def __init__(self, answer: DraftResult | Exception | None = None, pause_s: float = 0) -> None:
        self.asked: list[DraftRequest] = []
        self.answer = answer or DraftResult("Hello.", usage=Usage("m", 5, 3))
        self.pause_s = pause_s

    def of(self, _: str) -> Recorder:
        return self

    async def draft(self, request: DraftRequest) -> DraftResult:
        self.asked.append(request)
        await asyncio.sleep(self.pause_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def send_back(drafting: Any, draft: dict[str, Any], note: str, revision: int = 1) -> None:
    """As the gatekeeper leaves it."""
    drafting.room.sql(
        f"UPDATE message SET state = 'revising', revision = {revision}, decided_at = now() WHERE id = '{draft['message']}'"
    )
    drafting.room.insert(
        "decision", id=new_id("evt"), tenant_id=draft["tenant_id"], mailbox_id=draft["mailbox_id"],
        message_id=draft["message"], seq=revision + 10, action="send_back", principal="prn_reviewer", door="rest", note=note,
    )  # fmt: skip


async def test_a_mail_gets_a_draft_from_the_knowledge(drafting: Any) -> None:
    """Rendered, named, with evidence and what the call cost; the event says so."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    await drafting.desk.received(received(mail))
    (draft,) = drafting.drafts(box)
    content = Content.from_json(draft["content"])
    call = drafting.room.rows(f"SELECT * FROM model_call WHERE id = '{draft['model_call_id']}'")[0]
    event = next(e for e in drafting.room.events if isinstance(e, EmailDrafted) and e.mailbox_id == box["id"])

    assert (draft["state"], draft["kind"], draft["answered"], draft["answers"]) == (
        "drafting",
        "draft",
        mail["id"],
        mail["id"],
    )
    assert draft["markdown"].startswith("Hello Ada Customer,")
    assert "two to three working days" in draft["markdown"]
    assert "Source: Shipping times" in draft["markdown"]
    assert not draft["placeholder"]
    assert content.sha256 == draft["content_sha256"] == event.content_sha256
    assert (content.to, content.in_reply_to) == (("ada@customer.example",), mail["rfc_message_id"])
    assert content.subject == "Re: A question"
    assert draft["recipients"] == draft["to_addresses"] == ["ada@customer.example"]
    assert draft["evidence"]["sentences"]
    assert (event.revision, event.author, event.author_kind, event.failed) == (1, "prn_drafter", "drafter", False)
    assert call["provider"] == "scripted"
    assert mail["id"] in call["given"]


async def test_the_same_event_again_changes_nothing(drafting: Any) -> None:
    """In turn, at once, and in two replicas."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    other = type(drafting.desk)(drafting.store, drafting.settings, Recorder())
    await asyncio.gather(*(d.received(received(mail)) for d in (drafting.desk, other, drafting.desk, other)))
    await drafting.desk.received(received(mail))

    assert len(drafting.drafts(box)) == 1


async def test_a_burst_on_one_thread_is_one_draft_for_the_newest(drafting: Any) -> None:
    """One call at a time and for the newest mail, whichever event comes first."""
    box = drafting.room.mailbox()
    first = await drafting.write(box, "first")
    ref = f"In-Reply-To: {first['rfc_message_id']}\r\n"
    mails = [first] + [await drafting.write(box, f"mail {n}", headers=ref) for n in range(5)]
    recorder = Recorder(pause_s=0.05)
    desk = type(drafting.desk)(drafting.store, drafting.settings, recorder)
    await asyncio.gather(*(desk.received(received(mail)) for mail in mails))
    (draft,) = drafting.drafts(box)

    assert draft["answered"] == mails[-1]["id"]
    assert len(recorder.asked) == 1
    assert [turn.message_id for turn in recorder.asked[0].turns] == [mail["id"] for mail in mails]


async def test_the_thread_is_what_both_sides_saw(drafting: Any) -> None:
    """Delivered mail of ours is part of it, an unsent draft never is."""
    box = drafting.room.mailbox()
    first = await drafting.write(box, "first")
    ours = drafting.room.sent(box, first["thread_id"], first["id"], "ada@customer.example")
    drafting.room.sent(box, first["thread_id"], first["id"], "ada@customer.example", state="held")
    second = await drafting.write(box, "second", headers=f"In-Reply-To: {first['rfc_message_id']}\r\n")
    recorder = Recorder()
    await type(drafting.desk)(drafting.store, drafting.settings, recorder).received(received(second))
    turns = recorder.asked[0].turns

    assert [t.message_id for t in turns] == [first["id"], ours, second["id"]]
    assert turns[1].text == "We said two days."


async def test_mail_of_other_threads_is_never_given(drafting: Any) -> None:
    """A canary stays in its own thread."""
    box = drafting.room.mailbox()
    await drafting.write(box, "CANARY-1", sender="bob@customer.example")
    mail = await drafting.write(box, "CANARY-2")
    recorder = Recorder()
    await type(drafting.desk)(drafting.store, drafting.settings, recorder).received(received(mail))

    assert [t.text for t in recorder.asked[0].turns] == ["CANARY-2"]


async def test_what_needs_no_draft_gets_none(drafting: Any) -> None:
    """Automatic mail, mailboxes without drafting or that may not send, mail that waits for a person."""
    quiet, frozen = drafting.room.mailbox(drafting=False), drafting.room.mailbox("read_only")
    gated, box = drafting.room.mailbox("gated_all"), drafting.room.mailbox()
    for where, headers in ((quiet, ""), (frozen, ""), (gated, ""), (box, "Auto-Submitted: auto-replied\r\n")):
        mail = await drafting.write(where, KNOWN, headers=headers)
        await drafting.desk.received(received(mail))
    await drafting.desk.sweep()

    assert [drafting.drafts(b) for b in (quiet, frozen, gated, box)] == [[], [], [], []]


async def test_a_failure_is_a_revision_that_a_person_sees(drafting: Any) -> None:
    """Never an empty or cut draft; and not paid for again by the sweep."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    recorder = Recorder(DraftFailed("cut", "cut at the token limit", usage=Usage("m", 9, 8)))
    desk = type(drafting.desk)(drafting.store, drafting.settings, recorder)
    await desk.received(received(mail))
    await desk.sweep()
    (draft,) = drafting.drafts(box)
    event = next(e for e in drafting.room.events if isinstance(e, EmailDrafted) and e.mailbox_id == box["id"])
    call = drafting.room.rows(f"SELECT * FROM model_call WHERE id = '{draft['model_call_id']}'")[0]

    assert (draft["kind"], draft["markdown"]) == ("failed", "")
    assert draft["failure"].startswith("cut")
    assert event.failed
    assert (call["outcome"], call["output_tokens"]) == ("cut", 8)
    assert len(recorder.asked) == 1


@pytest.mark.by_hand
async def test_a_note_brings_the_next_revision(drafting: Any) -> None:
    """Of the same mail, with the note and the old draft in view; the same event again does nothing."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    await drafting.desk.received(received(mail))
    (draft,) = drafting.drafts(box)
    send_back(drafting, draft, "Mention the tracking number.")
    await drafting.desk.rejected(rejected(draft))
    await drafting.desk.rejected(rejected(draft))
    first, second = drafting.drafts(box)

    assert (second["message"], second["n"], second["kind"]) == (first["message"], 2, "draft")
    assert "tracking number" in second["markdown"]
    assert "tracking number" not in first["markdown"]


@pytest.mark.by_hand
async def test_others_drafts_and_final_rejections_are_left_alone(drafting: Any) -> None:
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    await drafting.desk.received(received(mail))
    (draft,) = drafting.drafts(box)
    await drafting.desk.rejected(rejected(draft, final=True))
    await drafting.desk.rejected(rejected(draft))  # it is not revising
    drafting.room.sql(f"UPDATE message SET author = 'prn_agent', state = 'revising' WHERE id = '{draft['message']}'")
    await drafting.desk.rejected(rejected(draft))

    assert len(drafting.drafts(box)) == 1


@pytest.mark.by_hand
async def test_the_sweep_takes_up_what_lost_its_event(drafting: Any) -> None:
    """New mail and sent-back drafts alike; each once."""
    box = drafting.room.mailbox()
    await drafting.write(box, KNOWN)
    await drafting.desk.sweep()
    (draft,) = drafting.drafts(box)
    send_back(drafting, draft, "Mention the tracking number.")
    await drafting.desk.sweep()
    await drafting.desk.sweep()

    assert [d["n"] for d in drafting.drafts(box)] == [1, 2]


async def test_mail_that_somebody_answers_already_is_not_drafted(drafting: Any) -> None:
    """An agent's answer under way is enough."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN)
    drafting.room.sent(box, mail["thread_id"], mail["id"], "ada@customer.example", state="held")
    await drafting.desk.received(received(mail))

    assert len(drafting.drafts(box)) == 1


async def test_a_mail_that_cannot_be_answered_is_shown_to_a_person(drafting: Any) -> None:
    """No usable address: a failed revision, not a lost mail."""
    box = drafting.room.mailbox()
    mail = await drafting.write(box, KNOWN, headers='Reply-To: "odd one"@customer.example\r\n')
    await drafting.desk.received(received(mail))
    (draft,) = drafting.drafts(box)

    assert draft["kind"] in {"failed", "draft"}
    assert draft["recipients"] == [] or draft["kind"] == "draft"
