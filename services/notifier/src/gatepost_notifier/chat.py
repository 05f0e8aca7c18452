"""What a chat channel is told: one line and a link, as Slack's incoming webhooks and all that copied them take it.

There is no button that decides: whoever can read a channel is not a reviewer. The link leads to the page that asks who it is.
"""

from __future__ import annotations

import json
from typing import Any

from gatepost_notifier.payload import Scene, addressed

_SAID = {
    "email.held": "A mail waits for a person", "email.received": "A mail came", "email.delivered": "A mail was delivered",
    "email.bounced": "A mail bounced", "email.uncertain": "Nobody knows whether a mail arrived; a person must say",
    "email.rejected": "A draft was rejected", "email.expired": "A draft waited too long and ended",
    "email.refused": "Policy refused a mail", "email.quarantined": "A mail was kept aside",
    "mailbox.paused": "Sending was stopped", "mailbox.resumed": "Sending goes on",
    "endpoint.disabled": "A webhook was switched off", "endpoint.exhausted": "A webhook gave up a delivery",
}  # fmt: skip
_SUBJECT_MOST = 120


def chat_body(scene: Scene, public_url: str, *, may_see_gated: bool) -> bytes:
    """The bytes of one message."""
    event = scene.event
    parts = [_SAID.get(event.type, event.type)]
    if address := scene.mailbox.get("address"):
        parts.append(f"in {_plain(address)}")
    is_hidden = event.type == "email.quarantined" and not may_see_gated
    subject = "" if is_hidden else str(scene.message.get("subject") or scene.revision.get("subject") or "")
    if subject:
        parts.append(f"“{_plain(subject[:_SUBJECT_MOST])}”")
    if event.type == "email.held":
        parts.append(f"to {_plain(', '.join(addressed(scene.revision)))}: {_plain(', '.join(_reasons(event)))}")
    message_id = scene.message.get("id") or getattr(event, "message_id", None)
    link = f"<{public_url.rstrip('/')}/review?message_id={message_id}|look at it>" if message_id else ""
    return json.dumps({"text": " ".join([*parts, link]).strip()}, ensure_ascii=False).encode()


def _reasons(event: Any) -> tuple[str, ...]:
    return tuple(getattr(event, "reasons", ()))


def _plain(text: str) -> str:
    """Text that can make neither a link nor a mention of a whole channel."""
    one_line = " ".join(text.split())
    return one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
