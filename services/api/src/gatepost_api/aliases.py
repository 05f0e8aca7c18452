"""Every name a field goes by in a reply: one table per view, and the function that fills the aliases in."""

from __future__ import annotations

from typing import Any

# canonical -> its aliases. A test asserts for each reply of each route that they are equal.
EMAIL: dict[str, tuple[str, ...]] = {
    "id": ("email_id", "message_id"),
    "from": ("from_address", "sender"),
    "to": ("to_addresses",),
    "cc": ("cc_addresses",),
    "subject": ("subject_line",),
    "markdown": ("body", "body_markdown", "body_text", "text_body"),
    "received_at": ("created_at", "date"),
    "send_at": ("scheduled_for",),
    "reasons": ("held_reasons",),
    "reason": ("rejection_note",),
}
THREAD: dict[str, tuple[str, ...]] = {"id": ("thread_id",)}
SENT: dict[str, tuple[str, ...]] = {"id": ("email_id", "message_id")}
DECIDED: dict[str, tuple[str, ...]] = {"id": ("email_id", "message_id")}
MAILBOX: dict[str, tuple[str, ...]] = {"display_name": ("name",)}
WEBHOOK: dict[str, tuple[str, ...]] = {"signing_secret": ("secret",)}
KEY: dict[str, tuple[str, ...]] = {"api_key": ("key",)}
SUPPRESSION: dict[str, tuple[str, ...]] = {"email_address": ("email", "address")}
PAGE: dict[str, tuple[str, ...]] = {"cursor": ("next_cursor",)}

BODIES = ("markdown", *EMAIL["markdown"], "reply_text", "draft_body", "html")


def named(view: dict[str, Any], table: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The view with every alias of the fields it has."""
    for field, aliases in table.items():
        if field in view:
            for alias in aliases:
                view[alias] = view[field]
    return view
