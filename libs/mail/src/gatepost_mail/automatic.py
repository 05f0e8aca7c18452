"""Reasons never to answer a mail by machine (RFC 3834, and what the field adds)."""

from __future__ import annotations

import re
from email.message import Message
from typing import Any

from gatepost_mail.headers import header, raw_headers

MOST_RECEIVED = 25
_SENDERS = re.compile(r"(?i)^(mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?|listserv|majordomo)([+@-]|$)")


def reasons_not_to_answer(message: Message[Any, Any]) -> tuple[str, ...]:
    """Empty for a mail that a person seems to have written to us."""
    found = []
    submitted = header(message, "Auto-Submitted").split(";")[0].strip().lower()
    if submitted not in {"", "no"}:
        found.append("auto_submitted")
    if any(raw_headers(message, name) for name in ("List-Id", "List-Post", "List-Unsubscribe")):
        found.append("list")
    if header(message, "Precedence").strip().lower() in {"bulk", "junk", "list"}:
        found.append("precedence")
    if (
        header(message, "X-Auto-Response-Suppress")
        or header(message, "X-Autoreply")
        or header(message, "X-Autorespond")
    ):
        found.append("auto_response")
    if header(message, "Return-Path").strip() == "<>":
        found.append("null_sender")
    if _SENDERS.match(header(message, "From").rpartition("<")[2].strip(" <>")):
        found.append("machine_sender")
    if len(raw_headers(message, "Received")) > MOST_RECEIVED:
        found.append("loop")
    if message.get_content_type() == "multipart/report":
        found.append("report")
    return tuple(found)
