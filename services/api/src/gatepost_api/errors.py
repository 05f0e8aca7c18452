"""How the doors say no: one sentence, one code, one hint, and never a host, rule or path of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# code -> (status, sentence, hint). A refusal may put a better sentence or hint in place of these.
CODES: dict[str, tuple[int, str, str]] = {
    "invalid_request": (400, "The request is not valid.", "See `fields` for what is wrong."),
    "conflicting_fields": (400, "Two fields name the same thing and differ.", "Give one of them."),
    "scope_conflict": (400, "No key may both send and decide.", "Make two keys, of two principals."),
    "suppressed": (400, "A recipient opted out or cannot be reached.", "Remove the recipients listed."),
    "event_unsupported": (400, "This event does not exist.", "Use one of the events listed."),
    "content_refused": (400, "The content cannot be sent.", "Change the content."),
    "url_refused": (400, "This URL cannot be used.", "Use an https URL on a public host."),
    "unauthenticated": (401, "The key is missing, unknown or revoked.", "Send `Authorization: Bearer <key>`."),
    "scope_missing": (403, "This key may not do that.", "Use a key with the scope named in `scope`."),
    "read_only": (403, "This mailbox only reads.", "An operator may raise its oversight mode."),
    "author_may_not_decide": (403, "The author of a draft never decides on it.", "Ask another reviewer."),
    "operator_redeems": (403, "Only an operator may do this.", "Ask the operator to do it with the operator's key."),
    "approval_code_invalid": (403, "The approval code is not valid.", "Ask for a new code."),
    "interactive_required": (403, "This mailbox wants a person's own session.", "Decide in the console."),
    "not_found": (404, "There is no such thing.", "Check the id."),
    "method_not_allowed": (405, "This path does not take that method.", "See the `Allow` header."),
    "duplicate_content": (409, "The same content was sent a moment ago.", "`id` names it. Use an idempotency key."),
    "in_flight": (409, "The same request is still running.", "Repeat it in a moment."),
    "not_cancellable": (409, "It can no longer be cancelled.", "Look at its status."),
    "not_editable": (409, "It can no longer be edited.", "Look at its status."),
    "already_decided": (409, "It was decided before.", "See `decided_by` and `decided_at`."),
    "claimed": (
        409,
        "Another reviewer works on it.",
        "See `claimed_by` and `claimed_until`, or repeat it with `force`.",
    ),
    "stale_revision": (409, "What you saw is not what waits now.", "Read it again, then decide."),
    "ambiguous": (409, "Several drafts answer this mail.", "Decide on one of `candidates`."),
    "address_taken": (409, "This address is taken.", "Take one of `suggestions`."),
    "dns_not_ready": (409, "The DNS does not have the records yet.", "Publish them first."),
    "paused": (409, "Sending is paused.", "An operator resumes it."),
    "webhook_off": (409, "This webhook is switched off.", "Set is_active to true first."),
    "not_redrivable": (409, "No record of ours makes this event.", "See `gatepost dead edit`."),
    "rotation_under_way": (
        409,
        "A rotation is under way.",
        "Send complete: true when the receiver knows the new secret, or grace_s: 0 to end the old ones at once.",
    ),
    "cursor_expired": (410, "This cursor is older than events are kept.", "Begin again without a cursor."),
    "too_large": (413, "The request is too large.", "See `limit_bytes`."),
    "idempotency_key_reused": (422, "This idempotency key was used for another request.", "Use a new key."),
    "rate_limited": (429, "Too many requests.", "Wait for `Retry-After` seconds."),
    "not_offered": (501, "This installation does not offer that.", ""),
    "unavailable": (503, "A part of the service is away.", "Repeat the request; repeating is safe."),
}


class Refusal(Exception):
    """An answer that is no. `extra` stands beside the three fields every refusal has."""

    def __init__(
        self, code: str, error: str = "", *, hint: str = "", status: int | None = None,
        headers: Mapping[str, str] | None = None, **extra: Any,
    ) -> None:  # fmt: skip
        known, sentence, advice = CODES.get(code, (409, "This cannot be done now.", ""))
        super().__init__(code)
        self.code, self.status = code, status or known
        self.error, self.hint = error or sentence, hint or advice
        self.headers, self.extra = dict(headers or {}), extra
        if self.status == 401:
            self.headers.setdefault(
                "WWW-Authenticate", 'Bearer resource_metadata="/.well-known/oauth-protected-resource"'
            )
        if self.status == 503:
            self.headers.setdefault("Retry-After", "1")

    def body(self) -> dict[str, Any]:
        """What the caller reads."""
        return {**self.extra, "error": self.error, "code": self.code, "hint": self.hint}


def invalid(field: str, sentence: str, hint: str = "") -> Refusal:
    """One field is wrong."""
    return Refusal("invalid_request", f"{field}: {sentence}", hint=hint, fields={field: sentence})
