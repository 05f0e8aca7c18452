"""From a draft to the rows that hold it: content rendered, recipients named, evidence kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatepost_contracts.canonical import sha256_hex
from gatepost_contracts.ids import new_id
from gatepost_drafter.provider import DraftFailed, DraftResult
from gatepost_mail.address import BadAddress, address
from gatepost_mail.content import Content
from gatepost_mail.render import Answered, DraftText, Said, SenderIdentity, has_placeholder, render

DRAFTER = "prn_drafter"
"""The one principal of this service, made when the installation is."""


@dataclass(frozen=True)
class Written:
    """A revision about to be stored."""

    content: Content
    markdown: str
    evidence: dict[str, Any]
    category: str | None
    model_call_id: str
    failure: str | None = None

    def data(self, n: int) -> dict[str, Any]:
        """The fields of email.drafted."""
        return {
            "revision": n, "content_sha256": self.content.sha256, "author": DRAFTER, "author_kind": "drafter",
            "failed": self.failure is not None, "failure": self.failure,
        }  # fmt: skip


def written(case: Mapping[str, Any], draft: DraftResult, call: str) -> Written:
    """A draft that came about."""
    content = content_of(case, draft.markdown)
    if not content.to:
        return failed(case, DraftFailed("invalid", "the mail has no address that can be answered"), call)
    evidence = {
        "sentences": [{"sentence": s.sentence, "ids": list(s.ids)} for s in draft.evidence],
        "placeholders": list(draft.placeholders),
        "commitments": list(draft.commitments),
    }
    return Written(content, draft.markdown, evidence, draft.category, call)


def failed(case: Mapping[str, Any], failure: DraftFailed, call: str) -> Written:
    """No draft: an empty revision that says why, for a person."""
    return Written(content_of(case, ""), "", {}, None, call, failure=str(failure))


def content_of(case: Mapping[str, Any], markdown: str) -> Content:
    """What would leave: the draft as this mailbox writes, in answer to this mail."""
    draft = DraftText(
        salt=secrets.token_hex(16),
        markdown=markdown,
        to=_usable(case["reply_to"] or case["header_from"]),
        cc=_usable(case["auto_cc"]),
        bcc=_usable(case["auto_bcc"]),
    )
    sender = SenderIdentity(
        address=case["address"],
        display_name=case["display_name"] or "",
        signature_block=case["signature_block"] or "",
        operator=case["tenant_name"] or "",
        physical_address=case["physical_address"] or "",
        ai_disclosure=bool(case["ai_disclosure"]),
    )
    said = Said.of(case) if case["quote_original"] else None
    answered = Answered(case["rfc_message_id"], tuple(case["refs"]), case["subject"] or "", said)
    return render(draft, sender, answered)


def draft_payload(case: Mapping[str, Any], draft: Written) -> dict[str, Any]:
    """T05: the outbound mail with its first revision; at most one for each mail that is answered."""
    content = draft.content
    key = f"draft:{case['id']}"
    return {
        "m": {
            "id": new_id("msg"), "tenant_id": case["tenant_id"], "mailbox_id": case["mailbox_id"],
            "thread_id": case["thread_id"], "answers": case["id"], "in_reply_to_id": case["id"],
            "subject": content.subject, "to_addresses": list(content.to), "cc_addresses": list(content.cc),
            "author": DRAFTER, "author_kind": "drafter",
        },
        "rev": _revision(case, draft),
        "thread": {"id": case["thread_id"], "new": False},
        "idem": {"principal_id": DRAFTER, "key": key, "request_sha256": sha256_hex(key)},
    }  # fmt: skip


def revision_payload(message_id: str, case: Mapping[str, Any], draft: Written) -> dict[str, Any]:
    """R1: a further revision of a mail of ours."""
    return {"message_id": message_id, "rev": _revision(case, draft)}


def _revision(case: Mapping[str, Any], draft: Written) -> dict[str, Any]:
    content = draft.content
    return {
        "kind": "failed" if draft.failure else "draft", "content_sha256": content.sha256,
        "content": content.canonical_text(), "markdown": draft.markdown, "subject": content.subject,
        "recipients": list(content.recipients), "author": DRAFTER, "author_kind": "drafter",
        "placeholder": has_placeholder(draft.markdown), "failure": draft.failure, "answers": case["id"],
        "evidence": draft.evidence, "category": draft.category, "model_call_id": draft.model_call_id,
    }  # fmt: skip


def _usable(text: str | None) -> tuple[str, ...]:
    """The address, if mail can be sent to it unchanged."""
    if not text:
        return ()
    try:
        return (address(text).addr,)
    except BadAddress:
        return ()
