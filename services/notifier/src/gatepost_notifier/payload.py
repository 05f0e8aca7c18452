"""What a webhook says: a flat superset of every name our callers' programs look for, and the same again under `data`.

Built once, from what the rows say when the event arrives, and stored as bytes; each attempt sends the same bytes.
Strings, lists and maps are never null, since receivers index them; `in_reply_to_id` alone may be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gatepost_contracts.event import Event
from gatepost_contracts.webhook_words import OVERSIGHT_SEEN, QUARANTINED_BY_GATING, RELEASED_BY_DECISION, Naming

API_VERSION = "2026-11-01"
BODY_LIMIT = 64 * 1024
THIN = frozenset({
    "id", "event", "type", "event_type", "canonical", "timestamp", "created_at", "api_version", "mailbox_id",
    "message_id", "email_id", "original_message_id", "in_reply_to_id", "thread_id", "revision", "status",
})  # fmt: skip
_STATUS = {
    "email.received": "unread",
    "email.quarantined": "spam_quarantined",
    QUARANTINED_BY_GATING: "pending_inbound_approval",
    "email.drafted": "pending_scan",
    "email.held": "pending_send_approval",
    "email.released": "queued",
    RELEASED_BY_DECISION: "queued",
    "email.rejected": "rejected",
    "email.refused": "send_failed",
    "email.cancelled": "cancelled",
    "email.expired": "expired",
    "email.superseded": "superseded",
    "email.delivered": "delivered",
    "email.deferred": "queued",
    "email.bounced": "bounced",
    "email.uncertain": "uncertain",
}
_REPLY_PREFIX = re.compile(r"(?i)^\s*(?:(?:re|fwd?|aw|wg|sv|antw)\s*(?:\[\d+\])?\s*:\s*)+")
Row = Any  # a row of the store, or a mapping with the same names


@dataclass(frozen=True)
class Scene:
    """Everything that a payload may be made of; what does not apply is empty."""

    event: Event
    kind: str
    mailbox: Row = field(default_factory=dict)
    message: Row = field(default_factory=dict)
    thread: Row = field(default_factory=dict)
    revision: Row = field(default_factory=dict)
    original: Row = field(default_factory=dict)
    decision: Row = field(default_factory=dict)
    suppression: Row = field(default_factory=dict)
    deliveries: Sequence[Row] = ()
    mode: str = ""
    pause: Row = field(default_factory=dict)
    words: Row = field(default_factory=dict)  # what the log names by digest alone
    receipt: Row = field(default_factory=dict)  # the audit record of a delivery, with the log's promise to hold it


def body_of(scene: Scene, webhook_id: str, naming: Naming, *, is_thin: bool, may_see_gated: bool) -> bytes:
    """The bytes of one delivery."""
    content = flat(scene, webhook_id, naming, may_see_gated=may_see_gated)
    if is_thin:
        content = {name: value for name, value in content.items() if name in THIN}
    return json.dumps(content | {"data": content}, ensure_ascii=False, separators=(",", ":")).encode()


def sees_gated(naming: Naming, source: str) -> bool:
    """True for a subscriber that asked for oversight events, who may read inbound mail that still waits."""
    return source == "mailbox_oversight" or naming.alias in OVERSIGHT_SEEN


def flat(scene: Scene, webhook_id: str, naming: Naming, *, may_see_gated: bool = False) -> dict[str, Any]:
    """All fields of one delivery, without `data`."""
    event, message = scene.event, scene.message
    at = moment(event.occurred_at)
    content: dict[str, Any] = {
        "id": webhook_id, "event": naming.event, "type": naming.type, "event_type": naming.type,
        "canonical": event.type, "timestamp": at, "created_at": at, "api_version": API_VERSION,
        "event_id": event.event_id, "mailbox": scene.mailbox.get("address") or "", "mailbox_id": event.mailbox_id,
    }  # fmt: skip
    if message:
        content |= _mail(scene, is_hidden=event.type == "email.quarantined" and not may_see_gated)
    content |= _about(scene)
    return {name: ("" if value is None and name not in NULLABLE else value) for name, value in content.items()}


NULLABLE = frozenset({"in_reply_to_id"})


def _mail(scene: Scene, *, is_hidden: bool) -> dict[str, Any]:
    message, thread = scene.message, scene.thread
    is_inbound = message.get("direction") == "inbound"
    sender = (message.get("header_from") if is_inbound else scene.mailbox.get("address")) or ""
    to = list(message.get("to_addresses") or ()) if is_inbound else addressed(scene.revision)
    subject = str(message.get("subject") or scene.revision.get("subject") or "")
    text = inbound_text(message) if is_inbound else str(scene.revision.get("markdown") or "")
    if is_hidden:
        subject, text = "", "(not shown before a person lets it through)"
    text, is_cut = cut(text)
    subject = stripped(subject) if is_inbound else subject
    original = message.get("answers") or message.get("in_reply_to_id") if not is_inbound else None
    content: dict[str, Any] = {
        "message_id": message["id"], "email_id": message["id"], "original_message_id": original or message["id"],
        "in_reply_to_id": message.get("in_reply_to_id") or message.get("answers"),
        "thread_id": thread.get("external_id") or message.get("thread_id") or "",
        "from": sender, "sender": sender, "from_address": sender, "from_name": message.get("from_name") or "",
        "to": to, "to_addresses": to, "subject": subject,
        "body_text": text, "markdown": text, "text_body": text, "body": text,
        "direction": message.get("direction") or "", "status": _status(scene),
        "has_attachments": bool(message.get("has_attachments")),
        "tags": dict(message.get("tags") or {}), "metadata": dict(message.get("metadata") or {}),
        "thread_metadata": dict(thread.get("metadata") or {}),
        "oversight_mode": scene.mode or scene.mailbox.get("mode") or "",
    }  # fmt: skip
    return content | ({"body_truncated": True} if is_cut else {})


def _about(scene: Scene) -> dict[str, Any]:
    """What this kind of event adds."""
    event, kind = scene.event, scene.kind
    said = event.model_dump(mode="json")
    match kind:
        case "email.held":
            return _draft(scene) | {
                "reasons": list(said.get("reasons") or ()), "category": scene.message.get("category") or "",
                "expires_at": said.get("expires_at") or "", "content_sha256": said.get("content_sha256") or "",
                "original": _original(scene),
            }  # fmt: skip
        case "email.rejected":
            is_final = bool(said.get("final"))
            return _draft(scene) | _decision(scene, "reject") | {"final": is_final, "revisable": not is_final}
        case _ if kind == RELEASED_BY_DECISION:
            return _draft(scene) | _decision(scene, "approve")
        case "email.released" | "email.drafted":
            return {"revision": said.get("revision") or 0, "content_sha256": said.get("content_sha256") or ""}
        case "email.delivered" | "email.deferred" | "email.bounced" | "email.uncertain":
            return _wire(scene, said)
        case "email.unsubscribed" | "email.complained":
            return {"address": scene.suppression.get("address") or "", "how": said.get("how") or ""}
        case "email.reported":
            words = ("kind", "about_message_id", "about_delivery_id", "action", "status_code", "proven")
            recipients = [row["recipient"] for row in scene.deliveries]
            return {name: said.get(name) for name in words} | {"recipients": recipients}
        case "email.quarantined" | "email.quarantined by gating":
            extra = {"discarded": True} if said.get("discarded") else {}
            return {"reasons": list(said.get("reasons") or ())} | extra
        case "email.refused":
            reasons = list(said.get("reasons") or ())
            return {"reasons": reasons, "recipients": [row["recipient"] for row in scene.deliveries]}
        case _ if kind.startswith(("mailbox.", "endpoint.")) or kind in {"email.cancelled", "email.superseded"}:
            known = set(Event.model_fields) | {"message_id", "thread_id", "row"}
            content = {name: value for name, value in said.items() if name not in known and name != "type"}
            return content | {name: value for name, value in {**scene.pause, **scene.words}.items() if name in content}
    return {}


def _draft(scene: Scene) -> dict[str, Any]:
    text, _ = cut(str(scene.revision.get("markdown") or ""))
    return {"draft_body": text, "revision": scene.revision.get("n") or 0}


def _original(scene: Scene) -> dict[str, Any]:
    if not scene.original:
        return {}
    text, is_cut = cut(inbound_text(scene.original))
    sender = scene.original.get("header_from") or ""
    subject = stripped(str(scene.original.get("subject") or ""))
    return {
        "id": scene.original["id"], "from": sender, "subject": subject, "body_text": text,
    } | ({"body_truncated": True} if is_cut else {})  # fmt: skip


def _decision(scene: Scene, word: str) -> dict[str, Any]:
    note = scene.decision.get("note") or ""
    return {
        "decision": word, "decided_by": getattr(scene.event, "decided_by", None) or "", "reason": note,
        "rejection_note": note, "revised": bool(getattr(scene.event, "edited", False)),
    }  # fmt: skip


def _wire(scene: Scene, said: Row) -> dict[str, Any]:
    content: dict[str, Any] = {"recipients": [row["recipient"] for row in scene.deliveries]}
    if scene.kind == "email.delivered":
        content |= {
            "delivered_at": moment(scene.event.occurred_at), "delivered_via": said.get("via") or "",
            "rfc_message_id": scene.message.get("rfc_message_id") or "", "receipt": dict(scene.receipt),
        }  # fmt: skip
    elif scene.kind in {"email.bounced", "email.deferred"}:
        reply = next((row["reply"] for row in scene.deliveries if row.get("reply")), "")
        content |= {
            "bounce_type": said.get("bounce_type") or "",
            "bounce_code": said.get("enhanced") or str(said.get("code") or ""),
            "diagnostic": reply, "next_attempt_at": said.get("next_attempt_at") or "",
        }  # fmt: skip
    return content


def _status(scene: Scene) -> str:
    if getattr(scene.event, "discarded", False):
        return "discarded"
    return _STATUS.get(scene.kind) or ("unread" if scene.message.get("direction") == "inbound" else "")


def addressed(revision: Row) -> list[str]:
    """The bare addresses of the draft's To header."""
    try:
        entries = json.loads(revision.get("content") or "{}").get("to") or []
    except ValueError:
        entries = []
    return [str(entry.get("addr") or entry.get("address") or "") if isinstance(entry, dict) else str(entry)
            for entry in entries]  # fmt: skip


def inbound_text(message: Row) -> str:
    """The text of a mail, never empty: model interfaces refuse empty messages."""
    text = str(message.get("text") or "")
    return text if text.strip() else "(This mail has no text.)"


def stripped(subject: str) -> str:
    """The subject without Re: and Fwd:."""
    return _REPLY_PREFIX.sub("", subject)


def cut(text: str) -> tuple[str, bool]:
    """At most 64 KiB of it, at a character's border, and whether something was lost."""
    raw = text.encode()
    if len(raw) <= BODY_LIMIT:
        return text, False
    return raw[:BODY_LIMIT].decode(errors="ignore"), True


def moment(at: datetime) -> str:
    """ISO 8601 in UTC with Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
