"""A mail as every door shows it: one view from one row, every alias filled in, nothing null that callers index."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from gatepost_api.aliases import BODIES, EMAIL, named
from gatepost_api.caller import Caller
from gatepost_api.moments import iso, utc
from gatepost_api.status import Row, has_left, is_waiting, status_of
from gatepost_oversight.mode import Mode, effective
from gatepost_oversight.policy import RULES

_PREFIXES = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg|sv|antw|tr|rif)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_OPEN_TO_AUTHOR = frozenset({"held", "revising"})
_DECISIONS = {"edit_approve": "approve", "admit": "approve", "send_back": "reject", "discard": "reject"}
_ENDED_WITHOUT_LEAVING = frozenset({"rejected", "refused", "cancelled", "expired", "superseded"})
_PUBLIC_METADATA_MOST = 100


@dataclass(frozen=True)
class Eyes:
    """Through whose eyes a view is made, and with what besides."""

    caller: Caller
    message_id_of: Callable[[str, str, str], str]  # (message_id, thread_id, domain) -> the Message-ID it will have
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    include: Collection[str] = ()
    trusted_only: bool = False


def email_view(mail: Row, eyes: Eyes, *, detail: bool = True) -> dict[str, Any]:
    """EmailView, or without detail EmailSummary: the same without bodies and attachments."""
    view = _head(mail, eyes)
    view |= _inbound(mail) if mail["direction"] == "inbound" else _outbound(mail, eyes)
    markdown = view.pop("_markdown")
    if detail or "body" in eyes.include:
        view["markdown"] = markdown
        if mail["direction"] == "inbound":
            view["reply_text"] = mail["reply_text"] or markdown
        elif not has_left(mail):
            view["draft_body"] = markdown
        if "html" in eyes.include and mail["direction"] == "inbound":
            view["html"] = mail["html"] or ""
    if not detail:
        view.pop("attachments")
    named(view, EMAIL)
    if eyes.trusted_only:
        for name in BODIES:
            view.pop(name, None)
    return view


def _head(mail: Row, eyes: Eyes) -> dict[str, Any]:
    thread_id = mail["external_id"] or mail["thread_id"]
    return {
        "id": mail["id"],
        "mailbox_id": mail["mailbox_id"],
        "mailbox": mail["mailbox_address"],
        "thread_id": thread_id,
        "our_thread_id": mail["thread_id"],
        "direction": mail["direction"],
        "status": status_of(mail, eyes.now),
        "received_at": iso(mail["created_at"]),
        "tags": dict(mail["tags"] or {}),
        "tag_list": [k if v == "true" else f"{k}={v}" for k, v in (mail["tags"] or {}).items()],
        "metadata": dict(mail["metadata"] or {}),
        "thread_metadata": dict(mail["thread_metadata"] or {}),
        "original_message_id": mail["answers"] or mail["id"],
        "in_reply_to_id": mail["in_reply_to_id"] or mail["answers"],
        "raw_sha256": mail["raw_sha256"],
        "category": mail["rule_category"] or mail["category"],
        "category_label": mail["category"],
        "category_revision": mail["rule_revision"],
        "version": mail["version"],
        "oversight_mode": effective_mode(mail),
        "spam_score": (mail["spam_score"] or 0) if eyes.caller.is_person else None,
        "spam_verdict": mail["spam_verdict"] or "clean",
        "user_label": mail["user_label"],
        "auth": {name: word for name, word in (mail["auth"] or {}).items() if name in {"spf", "dkim", "dmarc"}},
        "authentication": dict(mail["auth"] or {}),
        "verified_domain": (mail["auth"] or {}).get("verified_domain"),
        "flags": list(mail["flags"] or ()),
        "decided_at": iso(mail["decided_at"]),
        "decided_by": mail["decided_by"],
        "decision": _decision(mail),
        "reason": mail["decision_note"] or mail["reason"],
        "reason_code": mail["decision_reason_code"],
        "reasons": reasons_of(
            mail["quarantined_for"] if mail["direction"] == "inbound" else mail["reasons"],
            is_told=eyes.caller.is_person,
        ),
        "expires_at": iso(mail["expires_at"]) if is_waiting(mail) else None,
    }


def _inbound(mail: Row) -> dict[str, Any]:
    attachments = [
        _attachment(a["n"], a["name"], a["size"], a["content_type"], a["sha256"]) for a in mail["attachments"] or ()
    ]
    text = mail["text"] or _no_text(attachments)
    return {
        "from": mail["header_from"] or "",
        "from_name": mail["from_name"] or "",
        "from_header": _from_header(mail["from_name"], mail["header_from"]),
        "to": list(mail["to_addresses"] or ()),
        "cc": list(mail["cc_addresses"] or ()),
        "reply_to": mail["reply_to"],
        "subject": stripped(mail["subject"]),
        "subject_raw": mail["subject"] or "",
        "_markdown": text,
        "sent_at": iso(mail["sent_at"]),
        "has_attachments": bool(attachments),
        "attachments": attachments,
        "size_bytes": mail["size_bytes"],
        "rfc_message_id": mail["rfc_message_id"],
        "in_reply_to": mail["in_reply_to"],
        "references": list(mail["refs"] or ()),
        "automatic": list(mail["automatic"] or ()),
        "send_at": None,
        "revision": 0,
        "content_sha256": mail["raw_sha256"],
        "revisable": False,
        "next_attempt_at": None,
        "read_at": iso(mail["read_at"]),
    }


def _outbound(mail: Row, eyes: Eyes) -> dict[str, Any]:
    content = orjson.loads(mail["content_json"]) if mail["content_json"] else {}
    attachments = [
        _attachment(n, a["name"], a.get("size") or 0, a.get("type") or a.get("content_type") or "", a["sha256"])
        for n, a in enumerate(content.get("attachments") or ())
    ]
    domain = mail["mailbox_address"].rpartition("@")[2]
    may_see_bcc = eyes.caller.is_person or eyes.caller.principal_id == mail["author"]
    revision = mail["shown_revision"] or mail["revision"] or 0
    deliveries = [_delivery(d) for d in mail["deliveries"] or ()]
    view = {
        "from": mail["mailbox_address"],
        "from_name": content.get("from_name") or mail["mailbox_name"],
        "from_header": _from_header(content.get("from_name") or mail["mailbox_name"], mail["mailbox_address"]),
        "to": _bare(content.get("to")) or (list(mail["recipients"] or ()) if not content else []),
        "cc": _bare(content.get("cc")),
        "reply_to": content.get("reply_to"),
        "subject": mail["revision_subject"] or mail["subject"] or "",
        "subject_raw": content.get("subject") or mail["revision_subject"] or mail["subject"] or "",
        "_markdown": mail["markdown"] or "",
        "has_attachments": bool(attachments),
        "attachments": attachments,
        "rfc_message_id": mail["rfc_message_id"] or eyes.message_id_of(mail["id"], mail["thread_id"], domain),
        "in_reply_to": content.get("in_reply_to"),
        "references": list(content.get("references") or ()),
        "send_at": iso(mail["send_at"]),
        "gate_timing": mail["gate_timing"],
        "oversight_mode_requested": mail["ask_at_submit"] or mail["ask"],
        "revision": revision,
        "content_sha256": mail["content"] or mail["shown_sha256"],
        "revises": revision - 1 if revision > 1 else None,
        "revisable": mail["state"] in _OPEN_TO_AUTHOR,
        "rounds_left": max(0, mail["rounds_max"] - mail["rounds"]),
        "author": _author(mail),
        "approved_at": iso(mail["decided_at"]) if _decision(mail) == "approve" else None,
        "approved_by": mail["decided_by"] if _decision(mail) == "approve" else None,
        "released_at": iso(mail["released_at"]),
        "delivered_at": iso(mail["delivered_at"]),
        "delivered_via": mail["via"] if mail["release"] else None,
        "bounced_at": iso(mail["bounced_at"]) if mail["release"] else None,
        "bounce_type": "hard" if mail["state"] == "bounced" else None,
        "bounce_code": mail["bounce_code"] if mail["release"] else None,
        "deferred_at": iso(mail["deferred_at"]) if mail["state"] == "deferred" else None,
        "next_attempt_at": iso(mail["next_due_at"])
        if mail["release"] and mail["state"] not in _ENDED_WITHOUT_LEAVING
        else None,
        "failure": mail["failure"],
        "deliveries": deliveries,
    }
    if mail["state"] in {"rejected", "revising"}:
        view["final"] = mail["state"] == "rejected"
    if may_see_bcc:
        view["bcc"] = _bare(content.get("bcc"))
    return view


def effective_mode(mail: Row) -> str:
    """What holds for this mail now: the strictest of what was granted or else the mailbox's, ceiling and what was asked."""
    ask = Mode(mail["ask"]) if mail["ask"] else None
    if Mode.READ_ONLY in {mail["mailbox_mode"], mail["ceiling"]}:
        return Mode.READ_ONLY.value
    granted = Mode(mail["granted_mode"]) if mail["granted_mode"] else None
    return effective(
        Mode(mail["mailbox_mode"]), Mode(mail["ceiling"]), ask, granted=granted, covers_ask=bool(mail["covers_ask"])
    ).value


def reasons_of(names: Collection[str] | None, *, is_told: bool) -> list[dict[str, str]]:
    """Names of rules, with the sentence that a person reads; programs are told that a person must look, and no more."""
    if not is_told:
        return [{"rule": name, "why": "a person must look at this"} for name in names or ()]
    return [{"rule": name, "why": RULES[name].why if name in RULES else _words(name)} for name in names or ()]


def stripped(subject: str | None) -> str:
    """A subject without its Re: and Fwd:."""
    return _PREFIXES.sub("", subject or "").strip()


def _decision(mail: Row) -> str | None:
    action = mail["decision_action"]
    if action is None:
        return None
    return _DECISIONS.get(action, str(action))


def _author(mail: Row) -> dict[str, Any]:
    author = {
        "principal": mail["revision_author"] or mail["author"],
        "kind": mail["revision_author_kind"] or mail["author_kind"],
        "key_prefix": mail["key_prefix"],
    }
    if mail["model"]:
        author |= {"provider": mail["provider"], "model": mail["model"], "prompt_version": mail["prompt_version"]}
    return author


def _delivery(d: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": d["id"], "recipient": d["recipient"], "state": d["state"], "attempts": d["attempts"],
        "next_attempt_at": utc(d["next_attempt_at"]), "via": d["via"], "code": d["code"], "enhanced": d["enhanced"],
        "stage": d["stage"], "ended_at": utc(d["ended_at"]), "reply": d.get("reply"), "remote_id": d.get("remote_id"),
    }  # fmt: skip


def _attachment(n: int, name: str, size: int, content_type: str, sha256: str) -> dict[str, Any]:
    shown = name or f"attachment-{n}"
    return {
        "id": str(n), "name": shown, "filename": shown, "size": size, "size_bytes": size,
        "content_type": content_type or "application/octet-stream", "sha256": sha256,
    }  # fmt: skip


def _no_text(attachments: list[dict[str, Any]]) -> str:
    if attachments:
        return "[This mail has no text. Attached: " + ", ".join(a["name"] for a in attachments[:20]) + "]"
    return "[This mail has no text.]"


def _bare(addresses: Any) -> list[str]:
    """Addresses of a content, whichever way it spells them."""
    return [str(a.get("addr") or a.get("address")) if isinstance(a, dict) else str(a) for a in addresses or ()]


def _from_header(name: str | None, address: str | None) -> str:
    if not name:
        return address or ""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address or ""}>'


def _words(name: str) -> str:
    return name.replace("_", " ")
