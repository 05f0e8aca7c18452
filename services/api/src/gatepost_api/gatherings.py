"""Mails seen together: a thread, and the queue with what a reviewer needs beside each draft."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatepost_api.aliases import THREAD, named
from gatepost_api.moments import iso
from gatepost_api.status import Row, has_left
from gatepost_api.views import Eyes, email_view, stripped

THREAD_TAIL, CUT, WORDS_MOST = 20, 4000, 2000


def thread_view(thread: Row, mails: Sequence[Row], eyes: Eyes, *, cut: int | None = None) -> dict[str, Any]:
    """ThreadView; `mails` oldest first. `messages` holds only what a participant has seen."""
    views = [(mail, email_view(mail, eyes)) for mail in mails]
    if cut is not None:
        views = [(mail, _cut(view, cut)) for mail, view in views]
    seen = [view for mail, view in views if was_seen(mail)]
    waiting = bool(thread["head"]) and not any(
        mail["direction"] == "outbound" and has_left(mail) and mail["id"] > thread["head"] for mail in mails
    )
    view = {
        "id": thread["external_id"] or thread["id"],
        "our_thread_id": thread["id"],
        "mailbox_id": thread["mailbox_id"],
        "mailbox_ids": [thread["mailbox_id"]],
        "related_thread_id": thread["related_thread_id"],
        "merged_into": thread["merged_into"],
        "subject": stripped(thread["subject"]),
        "message_count": len(seen),
        "participants": list(thread["participants"] or ()),
        "last_activity": iso(thread["last_activity"]),
        "has_unanswered_inbound": waiting,
        "emails": [view for _, view in views],
        "messages": seen,
        "drafts": [view for mail, view in views if mail["direction"] == "outbound" and not has_left(mail)],
        "history": [],
        "metadata": dict(thread["metadata"] or {}),
        "tags": dict(thread["tags"] or {}),
    }
    return named(view, THREAD)


def was_seen(mail: Row) -> bool:
    """Did a participant see it: accepted inbound mail, outbound mail that left?"""
    return mail["state"] == "received" if mail["direction"] == "inbound" else has_left(mail)


def history_of(revisions: Iterable[Row], decisions: Iterable[Row]) -> list[dict[str, Any]]:
    """What was drafted and decided, oldest first, with what each revision changed."""
    entries: list[dict[str, Any]] = []
    before: dict[str, str] = {}
    for row in revisions:
        entries.append(
            {"kind": "drafted", "message_id": row["message_id"], "revision": row["n"], "by": row["author"],
             "edit": row["kind"] == "edit", "content_sha256": row["content_sha256"], "at": iso(row["created_at"]),
             "diff": diff_of(before.get(row["message_id"]), row["markdown"])}
        )  # fmt: skip
        before[row["message_id"]] = row["markdown"]
    entries += [
        {"kind": "decided", "message_id": row["message_id"], "revision": row["revision"], "by": row["principal"],
         "decision": row["action"], "note": row["note"], "at": iso(row["at"])}
        for row in decisions
    ]  # fmt: skip
    return sorted(entries, key=lambda entry: entry["at"] or "")


def diff_of(before: str | None, now: str) -> str | None:
    """What changed, line by line; None when there was nothing before."""
    if before is None:
        return None
    return "\n".join(difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=1))


def word_diff(before: str, now: str) -> str | None:
    """What an edit took out, `[-so-]`, and put in, `{+so+}`; None where the texts are too long to set side by side."""
    old, new = before.split(), now.split()
    if max(len(old), len(new)) > WORDS_MOST:
        return None
    parts: list[str] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            parts += old[i1:i2]
            continue
        if i2 > i1:
            parts.append(f"[-{' '.join(old[i1:i2])}-]")
        if j2 > j1:
            parts.append(f"{{+{' '.join(new[j1:j2])}+}}")
    return " ".join(parts)


def pending_view(mail: Row, original: Row | None, thread: Mapping[str, Any] | None, eyes: Eyes) -> dict[str, Any]:
    """PendingView: the mail that waits, with what it answers, its thread, and what this caller may do."""
    view = email_view(mail, eyes)
    answered = None if original is None else email_view(original, eyes)
    evidence = dict(mail["revision_evidence"] or {}) if mail["direction"] == "outbound" else {}
    seen = mail["revision_answers"] or mail["answers"]
    view |= {
        "draft_body": view["markdown"],
        "original": answered,
        "original_from": answered["from"] if answered else None,
        "original_subject": answered["subject"] if answered else None,
        "thread": thread,
        "evidence": evidence.get("sentences") or evidence.get("evidence") or [],
        "placeholders": evidence.get("placeholders") or [],
        "commitments": evidence.get("commitments") or [],
        "confidence": evidence.get("confidence") if eyes.caller.is_person else None,
        "stale": bool(seen and mail["thread_head"] and mail["thread_head"] != seen),
        "thread_head": mail["thread_head"],
        "claimed_by": mail["claimed_by"],
        "claimed_until": iso(mail["claimed_until"]),
        "approvals_needed": 2 if mail["two_person"] else 1,
        "approvals": [mail["first_approval"]] if mail["first_approval"] else [],
        "actions": actions_for(mail, eyes),
        "diff": diff_of(mail["former_markdown"], mail["markdown"] or "") if mail["former_markdown"] else None,
    }
    return view


def actions_for(mail: Row, eyes: Eyes) -> list[dict[str, Any]]:
    """What this caller may do with what waits, and why not."""
    caller = eyes.caller
    is_author = caller.principal_id in {mail["author"], mail["revision_author"]}
    decides = "" if caller.is_reviewer else "this key may not decide"
    approve = decides or ("the author never decides on a draft" if is_author else "")
    filled = approve or ("the draft asks a reviewer to fill something in" if mail["placeholder"] else "")
    reject = "" if caller.is_person else "this key may not decide"
    own = "" if is_author or caller.is_person else "it is not your own"
    return [
        {"action": name, "allowed": not why, "why_not": why or None}
        for name, why in (("approve", filled), ("edit", approve), ("reject", reject), ("cancel", own))
    ]


def _cut(view: dict[str, Any], most: int) -> dict[str, Any]:
    """A mail of a thread beside a draft: long bodies are cut, and say so."""
    for name in ("markdown", "body", "body_markdown", "body_text", "text_body", "reply_text", "draft_body"):
        text = view.get(name)
        if isinstance(text, str) and len(text) > most:
            view[name], view["truncated"] = text[:most], True
    return view
