"""One row, one view: every alias equal, nothing null that callers index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost_api.aliases import BODIES, EMAIL
from gatepost_api.caller import Caller
from gatepost_api.gatherings import actions_for, thread_view
from gatepost_api.status import WORDS, filter_of, status_of
from gatepost_api.views import Eyes, email_view, stripped
from gatepost_mail.render import DraftText, SenderIdentity, render

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLUMNS = [
    "id",
    "tenant_id",
    "mailbox_id",
    "thread_id",
    "direction",
    "state",
    "version",
    "created_at",
    "rfc_message_id",
    "answers",
    "in_reply_to_id",
    "metadata",
    "tags",
    "category",
    "raw_sha256",
    "size_bytes",
    "header_from",
    "from_name",
    "to_addresses",
    "cc_addresses",
    "reply_to",
    "subject",
    "text",
    "reply_text",
    "html",
    "in_reply_to",
    "refs",
    "sent_at",
    "has_attachments",
    "automatic",
    "flags",
    "auth",
    "spam_score",
    "spam_verdict",
    "user_label",
    "quarantined_for",
    "read_at",
    "archived_at",
    "author",
    "author_key",
    "author_kind",
    "revision",
    "content",
    "recipients",
    "ask",
    "ask_at_submit",
    "gate_timing",
    "send_at",
    "placeholder",
    "ok1",
    "ok2",
    "rounds",
    "release",
    "reason",
    "reasons",
    "held_at",
    "expires_at",
    "decided_by",
    "decided_at",
    "released_at",
    "delivered_at",
    "rejection_final",
    "reviser",
    "mailbox_address",
    "mailbox_name",
    "mailbox_mode",
    "ceiling",
    "two_person",
    "rounds_max",
    "external_id",
    "thread_metadata",
    "thread_head",
    "thread_head_at",
    "shown_revision",
    "markdown",
    "content_json",
    "shown_sha256",
    "revision_subject",
    "revision_evidence",
    "failure",
    "revision_at",
    "revision_author",
    "revision_author_kind",
    "revision_category",
    "key_prefix",
    "provider",
    "model",
    "prompt_version",
    "decision_action",
    "decision_note",
    "decision_reason_code",
    "deliveries",
    "next_due_at",
    "bounced_at",
    "deferred_at",
    "bounce_code",
    "via",
    "attachments",
    "claimed_by",
    "claimed_until",
    "former_markdown",
    "first_approval",
    "granted_mode",
    "covers_ask",
    "rule_category",
    "rule_revision",
]


def caller(*scopes: str, kind: str = "agent", principal: str = "prn_1") -> Caller:
    return Caller("key_1", "ten_1", principal, kind, "x", "gp_live_x", frozenset(scopes))


AGENT, REVIEWER = caller("read", "send"), caller("read", "oversight", kind="person", principal="prn_2")


def eyes(who: Caller = AGENT, **more: Any) -> Eyes:
    return Eyes(who, lambda message, thread, domain: f"<{message}@{domain}>", now=NOW, **more)


def row(**values: Any) -> dict[str, Any]:
    base = dict.fromkeys(COLUMNS) | {
        "id": "msg_1", "mailbox_id": "mbx_1", "thread_id": "thr_1", "direction": "inbound", "state": "received", "version": 1,
        "created_at": NOW, "mailbox_address": "s@d.test", "mailbox_name": "S", "mailbox_mode": "gated_send",
        "ceiling": "autonomous", "rounds_max": 3, "rounds": 0, "release": 0, "revision": 0, "quarantined_for": [], "refs": [],
        "has_attachments": False, "two_person": False, "recipients": [],
    }  # fmt: skip
    assert set(values) <= set(COLUMNS), set(values) - set(COLUMNS)
    return base | values


def outbound(**values: Any) -> dict[str, Any]:
    content = render(DraftText("Hello", ("c@x.test",), "Re: Hi", bcc=("h@x.test",)), SenderIdentity("s@d.test", "S"))
    return row(
        **{"direction": "outbound", "state": "held", "markdown": "Hello", "content_json": content.canonical_text(), "revision": 1,
           "content": content.sha256, "shown_revision": 1, "shown_sha256": content.sha256, "revision_subject": "Re: Hi",
           "author": "prn_1", "author_kind": "agent", "gate_timing": "gate_first", "answers": "msg_0", "reasons": ["gated"]} | values
    )  # fmt: skip


@pytest.mark.parametrize("mail", [row(), outbound(), row(text="Hi", subject="Re: Hi", header_from="a@b.test")])
@pytest.mark.parametrize("detail", [True, False])
def test_aliases_are_equal(mail: dict[str, Any], detail: bool) -> None:
    view = email_view(mail, eyes(), detail=detail)

    for canonical, aliases in EMAIL.items():
        for alias in aliases:
            assert (canonical in view) == (alias in view)
            if canonical in view:
                assert view[canonical] == view[alias]


@pytest.mark.parametrize("mail", [row(), outbound()])
def test_what_callers_index_is_never_null(mail: dict[str, Any]) -> None:
    view = email_view(mail, eyes())

    for name in (
        "id",
        "thread_id",
        "direction",
        "status",
        "subject",
        "from",
        "created_at",
        "text_body",
        "original_message_id",
    ):
        assert isinstance(view[name], str), name
    for name in ("to_addresses", "cc_addresses", "attachments", "tag_list", "references", "reasons", "flags"):
        assert isinstance(view[name], list), name
    for name in ("tags", "metadata", "thread_metadata", "auth"):
        assert isinstance(view[name], dict), name


def test_a_mail_without_text_says_so_and_names_its_files() -> None:
    files = [{"n": 0, "name": "", "size": 3, "content_type": None, "sha256": "x"}]

    view = email_view(row(attachments=files, has_attachments=True), eyes())

    assert view["body_text"] == "[This mail has no text. Attached: attachment-0]"
    assert view["attachments"][0]["name"] == "attachment-0"


def test_lists_hold_no_bodies_unless_asked() -> None:
    bare = email_view(row(text="Hi"), eyes(), detail=False)
    full = email_view(row(text="Hi"), eyes(include=("body",)), detail=False)

    assert not set(BODIES) & set(bare)
    assert full["body_text"] == "Hi"


def test_trusted_fields_hold_no_body() -> None:
    assert not set(BODIES) & set(email_view(row(text="Hi"), eyes(trusted_only=True)))


def test_bcc_is_for_author_and_reviewers() -> None:
    stranger = caller("read", principal="prn_9")

    assert email_view(outbound(), eyes())["bcc"] == ["h@x.test"]
    assert email_view(outbound(), eyes(REVIEWER))["bcc"] == ["h@x.test"]
    assert "bcc" not in email_view(outbound(), eyes(stranger))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"direction": "outbound", "state": "drafting"}, "pending_scan"),
        ({"direction": "outbound", "state": "held"}, "pending_send_approval"),
        ({"direction": "outbound", "state": "revising"}, "rejected"),
        ({"direction": "outbound", "state": "released", "send_at": NOW + timedelta(days=1)}, "scheduled"),
        ({"direction": "outbound", "state": "released"}, "queued"),
        ({"direction": "outbound", "state": "deferred"}, "queued"),
        ({"direction": "outbound", "state": "refused"}, "send_failed"),
        ({"direction": "outbound", "state": "uncertain"}, "uncertain"),
        ({}, "unread"),
        ({"read_at": NOW}, "read"),
        ({"state": "quarantined", "quarantined_for": ["gated_all"]}, "pending_inbound_approval"),
        ({"state": "quarantined", "quarantined_for": ["spam"]}, "spam_quarantined"),
        ({"state": "discarded"}, "discarded"),
    ],
)
def test_the_word_for_each_state_is_also_a_filter(values: dict[str, Any], word: str) -> None:
    assert status_of(row(**values), NOW) == word
    assert filter_of(word) is WORDS[word]


def test_messages_are_what_participants_saw() -> None:
    thread = {"id": "thr_1", "external_id": "zd-1", "mailbox_id": "mbx_1", "related_thread_id": None, "merged_into": None, "subject": "Re: Hi",
              "participants": ["a@b.test"], "last_activity": NOW, "metadata": {}, "tags": {}, "head": "msg_1"}  # fmt: skip
    mails = [row(text="Q"), outbound(id="msg_2"), outbound(id="msg_3", state="delivered", delivered_at=NOW)]

    view = thread_view(thread, mails, eyes())

    assert [m["id"] for m in view["messages"]] == ["msg_1", "msg_3"]
    assert [m["id"] for m in view["drafts"]] == ["msg_2"]
    assert view["id"] == view["thread_id"] == "zd-1"
    assert view["message_count"] == 2


def test_nobody_is_told_that_they_may_decide_on_their_own_draft() -> None:
    def allowed(mail: dict[str, Any], who: Caller) -> set[str]:
        return {a["action"] for a in actions_for(mail, eyes(who)) if a["allowed"]}

    assert allowed(outbound(), REVIEWER) == {"approve", "edit", "reject", "cancel"}
    assert allowed(outbound(author="prn_2"), REVIEWER) == {"reject", "cancel"}
    assert allowed(outbound(placeholder=True), REVIEWER) == {"edit", "reject", "cancel"}
    assert allowed(outbound(), AGENT) == {"cancel"}


@pytest.mark.parametrize(
    ("given", "left"), [("Re: Fwd: AW: Hi", "Hi"), ("Re[2]: Hi", "Hi"), ("Reply to me", "Reply to me"), (None, "")]
)
def test_subjects_lose_their_prefixes(given: str | None, left: str) -> None:
    assert stripped(given) == left
