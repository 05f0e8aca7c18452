"""Signed tokens that need no row: Message-IDs, plus-addresses, unsubscribe links.

Each says what it names and carries an HMAC-SHA256 of it under the installation's token key, so that nobody can make one up.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from typing import NamedTuple

SIZE = 10
"""Bytes of the HMAC that are kept: 80 bits."""
RETURN_TAG = 12
"""Characters of it in a return path, where room is short: 60 bits."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [a + b for a in _LETTERS for b in _LETTERS]  # base32, ten bits at a time: six times as fast as the library's
_SHIFTS = range(SIZE * 8 - 10, -1, -10)


def _tag(key: bytes, purpose: str, *parts: str) -> str:
    number = int.from_bytes(hmac.digest(key, "\x00".join((purpose, *parts)).encode(), "sha256")[:SIZE], "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def message_id_for(key: bytes, message_id: str, thread_id: str, domain: str) -> str:
    """The Message-ID header of our mail: the same for the same mail, always."""
    tag = _tag(key, "message", message_id)
    thread = _tag(key, "thread", thread_id)
    return f"<{message_id.lower()}.{tag}.{thread}@{domain}>"


def read_message_id(key: bytes, rfc_message_id: str) -> tuple[str, str] | None:
    """Our message id and the thread's tag, if the header is one that we made."""
    found = re.fullmatch(
        r"<(msg_[0-9a-z]{26})\.([a-z2-7]{16})\.([a-z2-7]{16})@[^<>@\s]+>", rfc_message_id.strip().lower()
    )
    if not found:
        return None
    message_id = "msg_" + found[1][4:].upper()
    return (message_id, found[3]) if hmac.compare_digest(found[2], _tag(key, "message", message_id)) else None


def is_thread_tag(key: bytes, tag: str, thread_id: str) -> bool:
    """Does the tag name this thread?"""
    return hmac.compare_digest(tag, _tag(key, "thread", thread_id))


def plus_address(key: bytes, mailbox_address: str, thread_id: str) -> str:
    """An address of the mailbox that names a thread: `support+thr_….tag@…`."""
    local, _, domain = mailbox_address.rpartition("@")
    return f"{local}+{thread_id.lower()}.{_tag(key, 'plus', thread_id)}@{domain}"


def read_plus(key: bytes, address: str) -> str | None:
    """The thread that a plus-address of ours names."""
    found = re.search(r"\+(thr_[0-9a-z]{26})\.([a-z2-7]{16})@", address.lower())
    if not found:
        return None
    thread_id = "thr_" + found[1][4:].upper()
    return thread_id if hmac.compare_digest(found[2], _tag(key, "plus", thread_id)) else None


def return_path(key: bytes, mailbox_address: str, delivery_id: str) -> str:
    """Where reports on one delivery come back to (VERP): `support+b.<message>.<release>.<n>.<tag>@…`.

    The mailbox's own address where that would be longer than a local part may be (RFC 5321 4.5.3.1.1).
    """
    local, _, domain = mailbox_address.rpartition("@")
    short = delivery_id.lower().removeprefix("msg_")
    token = f"{local}+b.{short}.{_tag(key, 'return', delivery_id)[:RETURN_TAG]}"
    return f"{token}@{domain}" if len(token) <= 64 and "+" not in local else mailbox_address


def read_return_path(key: bytes, address: str) -> tuple[str, str] | None:
    """The message and the delivery that such an address of ours names."""
    found = re.search(r"\+b\.([0-9a-z]{26})\.(\d{1,4})\.(\d{1,4})\.([a-z2-7]{12})@", address.lower())
    if not found:
        return None
    message_id = f"msg_{found[1].upper()}"
    delivery_id = f"{message_id}.{found[2]}.{found[3]}"
    wanted = _tag(key, "return", delivery_id)[:RETURN_TAG]
    return (message_id, delivery_id) if hmac.compare_digest(found[4], wanted) else None


def base_address(address: str) -> str:
    """The mailbox behind a plus-address, lower case."""
    local, at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


@dataclass(frozen=True)
class AttachmentLink:
    """One file of one mail, as its signed address names it."""

    message_id: str
    n: int
    sha256: str
    name: str


def attachment_token(key: bytes, message_id: str, n: int, sha256: str, name: str, expires: int) -> str:
    """What stands in the address of a file; good until `expires`, in seconds since 1970."""
    parts = (message_id, str(n), sha256, name.encode("utf-8", "replace").decode().replace("\x00", ""), str(expires))
    body = base64.urlsafe_b64encode("\x00".join(parts).encode()).decode().rstrip("=")
    return f"{body}.{_tag(key, 'attachment', *parts)}"


def read_attachment(key: bytes, token: str, now: int) -> AttachmentLink | None:
    """The file, if the token is ours and its time is not over."""
    body, _, tag = token.partition(".")
    try:
        parts = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().split("\x00")
    except ValueError:
        return None
    if len(parts) != 5 or not hmac.compare_digest(tag.encode(), _tag(key, "attachment", *parts).encode()):
        return None
    message_id, n, sha256, name, expires = parts
    return AttachmentLink(message_id, int(n), sha256, name) if now < int(expires) else None


class OptOut(NamedTuple):
    """What an unsubscribe link speaks of; `category` is that of the mail it stood in, empty where it had none."""

    mailbox_id: str
    recipient: str
    category: str = ""


def unsubscribe_token(key: bytes, mailbox_id: str, recipient: str, category: str = "") -> str:
    """What stands in the unsubscribe link of one recipient."""
    parts = (mailbox_id, recipient.lower(), *([category] if category else []))
    body = base64.urlsafe_b64encode("\x00".join(parts).encode()).decode().rstrip("=")
    return f"{body}.{_tag(key, 'unsubscribe', *parts)}"


def read_unsubscribe(key: bytes, token: str) -> OptOut | None:
    """The mailbox, the recipient and the category, if the token is ours."""
    body, _, tag = token.partition(".")
    try:
        parts = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().split("\x00")
    except ValueError:
        return None
    if len(parts) not in {2, 3} or not hmac.compare_digest(tag.encode(), _tag(key, "unsubscribe", *parts).encode()):
        return None
    return OptOut(*parts)
