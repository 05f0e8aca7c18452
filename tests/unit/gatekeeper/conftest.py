"""A case to bend: an inbound mail of Ada's, and a draft that answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gatepost_gatekeeper.case import Case
from gatepost_mail.render import Answered, DraftText, SenderIdentity, render

ME, ADA = "support@shop.example", "ada@customer.example"
MESSAGE: dict[str, Any] = {
    "id": "msg_" + "1" * 26, "tenant_id": "ten_" + "1" * 26, "mailbox_id": "mbx_" + "1" * 26,
    "thread_id": "thr_" + "1" * 26, "direction": "outbound", "state": "drafted", "version": 3,
    "answers": "msg_" + "0" * 26, "author": "prn_agent", "revision": 1, "content": None, "recipients": [ADA],
    "ask": None, "send_at": None, "gate_timing": "gate_first", "ok1": None, "ok1_hash": None, "ok1_for": None, "rounds": 0,
    "rounds_max": 3, "release": 0, "category": None, "system_template": False, "policy_block": False,
    "mailbox_block": False, "address": ME, "display_name": "Shop", "mode": "autonomous", "ceiling": "autonomous",
    "undo_window_s": 0, "expires_after_s": 600, "signature_block": "", "ai_disclosure": True, "two_person": False,
    "tenant_two_person": False, "auto_cc": None, "auto_bcc": None, "tenant_name": "Shop Ltd", "physical_address": None,
    "head": "msg_" + "0" * 26, "participants": [ADA, ME], "decided_by": None, "decided_at": None,
    "mailbox_covers_ask": False, "ok1_active": True, "quote_original": False, "loosened_at": None,
}  # fmt: skip
ORIGINAL: dict[str, Any] = {
    "id": "msg_" + "0" * 26, "header_from": ADA, "to_addresses": [ME], "cc_addresses": [], "automatic": [], "flags": [],
    "subject": "Where is it?", "text": "I ordered for $20. See https://customer.example/photo", "rfc_message_id": "<1@c>",
    "envelope_to": ME, "auth": {"dmarc": "pass"}, "reply_text": None, "has_attachments": False,
}  # fmt: skip
THREAD: dict[str, Any] = {
    "id": "msg_" + "0" * 26, "direction": "inbound", "header_from": ADA, "to_addresses": [ME], "cc_addresses": [],
    "recipients": [], "subject": "Where is it?", "flags": [], "text": ORIGINAL["text"],
}  # fmt: skip


def draft(markdown: str = "It is on its way.", to: tuple[str, ...] = (ADA,), **more: Any) -> dict[str, Any]:
    content = render(
        DraftText(markdown=markdown, to=to, subject="Re: Where is it?"),
        SenderIdentity(address=ME, display_name="Shop", operator="Shop Ltd"), Answered("<1@c>", (), "Where is it?"),
    )  # fmt: skip
    return {
        "message_id": MESSAGE["id"], "n": 1, "kind": "draft", "content_sha256": content.sha256,
        "content": content.canonical_text(), "markdown": markdown, "subject": content.subject,
        "recipients": list(content.recipients), "author": "prn_agent", "author_kind": "agent", "ask": None,
        "placeholder": False, "failure": None, "answers": ORIGINAL["id"], "evidence": {}, "category": None,
    } | more  # fmt: skip


def case_of(row: dict[str, Any], **more: Any) -> Case:
    import json

    return replace(Case(MESSAGE, row, ORIGINAL, (THREAD,), content=json.loads(row["content"])), **more)


@pytest.fixture
def case() -> Case:
    return case_of(draft())
