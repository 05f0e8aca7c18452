"""What a caller is told when a command moved nothing: which code of the API, in which words.

The guard names every conjunct that failed; the first of this table that is among them is the answer, because a reviewer
who is the author must not learn from a stale page that another credential would have passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gatepost_contracts.commands import CommandReply
from gatepost_oversight.terms import SENTENCES


class Said(NamedTuple):
    """One code and what to do about it."""

    code: str
    hint: str


# conjunct -> answer, the one that weighs most first
TABLE: tuple[tuple[str, Said], ...] = (
    ("ROLE", Said("scope_missing", "Decisions need a key with oversight, loosening an operator's.")),
    ("NOT_AUTHOR", Said("author_may_not_decide", "Another person decides on it.")),
    ("OWN", Said("scope_missing", "Agents may withdraw their own mail only.")),
    ("LOWER", Said("operator_redeems", "An operator raises a mode; anyone may lower it.")),
    ("UP_TO_CEILING", Said("invalid_request", "Raise the ceiling too, or choose a stricter mode.")),
    ("CODE", Said("approval_code_invalid", "Ask for a new code.")),
    ("RATE", Said("rate_limited", "Three codes an hour for a mailbox; ask again later.")),
    ("EXISTS", Said("not_found", "Check the id; it may have ended already.")),
    ("SETTLED", Said("not_editable", "A draft or a delivery of these mails is still open; decide on it first.")),
    ("STATE", Said("already_decided", "Read the mail to see what became of it.")),
    ("SEEN", Said("stale_revision", "Look at the draft as it is now and decide again.")),
    ("HEAD", Said("stale_revision", "Read the newest mail of the thread and decide again.")),
    ("OFF_WIRE", Said("not_cancellable", "A delivery is under way; it cannot be called back.")),
    ("NEVER_TRIED", Said("not_editable", "A delivery was attempted; approve it as it is or reject it.")),
    ("OTHER_PERSON", Said("already_decided", "Your approval stands; a second person's is needed.")),
    ("NO_FIRST", Said("already_decided", "The first approval is there; a second person's is needed.")),
    ("OWN_EDIT", Said("not_editable", "Write the edit with the same key that approves it, newer than the draft.")),
    ("PLACEHOLDER", Said("content_refused", "Approve it with an edited text that has no [REVIEWER: ...] mark.")),
    ("CONTENT", Said("content_refused", "Approve it with a text, or reject it.")),
    ("UNFINISHED", Said("already_decided", "Every recipient has an outcome already.")),
    ("NOTE", Said("invalid_request", "Give a note.")),
    ("VERSION", Said("stale_revision", "It moved on meanwhile; look again.")),
)


def refusal(code: str, error: str, hint: str = "", **more: Any) -> CommandReply:
    """A no."""
    return CommandReply(ok=False, code=code, error=error, hint=hint, **more)


def not_found() -> CommandReply:
    """Also for what belongs to somebody else."""
    return refusal("not_found", "There is no such thing.", "Check the id and the key's mailboxes.")


def forbidden(scope: str) -> CommandReply:
    """The key may not."""
    hint = f"It takes a key with {scope}."
    return refusal("scope_missing", "This key may not do that.", hint, extra={"scope": scope})


def refused(failed: tuple[str, ...], message: Mapping[str, Any] | None = None) -> CommandReply:
    """The answer to a step whose guard did not hold."""
    seen = set(failed)
    for conjunct, usual in TABLE:
        if conjunct in seen:
            is_early = conjunct == "STATE" and message is not None and message["state"] in {"drafting", "drafted"}
            said = Said("in_flight", "Repeat it in a moment.") if is_early else usual
            about = _about(message, said.code)
            sentence = _sentence(conjunct, message) or SENTENCES.get(conjunct, "it may not be done now")
            return refusal(said.code, _capital(sentence), said.hint, failed=failed, **about)
    sentence = SENTENCES.get(failed[0] if failed else "", "it moved on meanwhile")
    return refusal("stale_revision", _capital(sentence), "Look again.", failed=failed)


def _sentence(conjunct: str, message: Mapping[str, Any] | None) -> str:
    if conjunct != "STATE" or message is None:
        return ""
    if message["state"] in {"drafting", "drafted"}:
        return "it is not judged yet"
    if message["decided_by"]:
        return f"it was decided already and is {message['state']}"
    return f"it does not wait for a decision: it is {message['state']}"


def _about(message: Mapping[str, Any] | None, code: str) -> dict[str, Any]:
    if message is None:
        return {}
    about: dict[str, Any] = {
        "message_id": message["id"], "id": message["id"], "state": message["state"], "revision": message["revision"],
        "content_sha256": message["content"],
    }  # fmt: skip
    if code == "already_decided":
        about |= {"decided_by": message["decided_by"], "decided_at": message["decided_at"]}
    return about


def _capital(sentence: str) -> str:
    text = sentence[:1].upper() + sentence[1:]
    return text if text.endswith(".") else text + "."
