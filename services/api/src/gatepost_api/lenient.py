"""Lenient in: one field under many names, lists as text, booleans as words. It stops at safety.

A field given under two names is fine when both say the same; otherwise the caller is told which two differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import getaddresses
from typing import Any

from gatepost_api.errors import Refusal, invalid

BODY = ("markdown", "body", "body_text", "text_body", "body_markdown", "text")
MAIL = ("message_id", "email_id", "id")
BOX = ("mailbox", "mailbox_id")

# command -> canonical field -> the names it may have. A field that is not here has only its own name.
ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "send_email": {
        "mailbox": ("mailbox", "mailbox_id", "from", "from_address"),
        "to": ("to", "to_addresses"), "cc": ("cc", "cc_addresses"), "bcc": ("bcc", "bcc_addresses"),
        "subject": ("subject", "subject_line"), "markdown": BODY, "send_at": ("send_at", "scheduled_for"),
    },
    "reply_email": {
        "message_id": MAIL, "mailbox": ("mailbox", "mailbox_id", "from", "from_address"),
        "to": ("to", "to_addresses"), "cc": ("cc", "cc_addresses"), "bcc": ("bcc", "bcc_addresses"),
        "subject": ("subject", "subject_line"), "markdown": BODY, "send_at": ("send_at", "scheduled_for"),
    },
    "check_inbox": {"status": ("status", "filter"), "sender": ("sender", "from", "from_address"), "mailbox": BOX},
    "list_spam": {"status": ("status", "filter"), "sender": ("sender", "from", "from_address"), "mailbox": BOX},
    "decide_email": {
        "message_id": MAIL, "action": ("action", "decision"), "note": ("rejection_note", "reason", "note"),
        "markdown": ("revised_body", "revised_markdown"), "subject": ("revised_subject",),
        "seen": ("revision", "content_sha256", "seen_sha256"), "mailbox": BOX,
    },
    "create_mailbox": {
        "address": ("address", "address_local", "address_local_part", "local_part"),
        "display_name": ("display_name", "name"), "oversight_mode": ("oversight_mode", "mode"),
    },
    "update_mailbox": {"mailbox": BOX, "display_name": ("display_name", "name"),
                       "oversight_mode": ("oversight_mode", "mode")},
    "forward_email": {
        "message_id": MAIL, "mailbox": ("mailbox", "mailbox_id", "from", "from_address"),
        "to": ("to", "to_addresses"), "cc": ("cc", "cc_addresses"), "bcc": ("bcc", "bcc_addresses"),
        "subject": ("subject", "subject_line"), "markdown": BODY, "send_at": ("send_at", "scheduled_for"),
    },
    "edit_scheduled_email": {
        "message_id": MAIL, "mailbox": BOX, "to": ("to", "to_addresses"), "cc": ("cc", "cc_addresses"),
        "bcc": ("bcc", "bcc_addresses"), "subject": ("subject", "subject_line"), "markdown": BODY,
        "send_at": ("send_at", "scheduled_for"),
    },
    "search_contacts": {"q": ("q", "query")},
    "add_contact": {"email": ("email", "email_address", "address")},
    "delete_contact": {"id": ("id", "contact_id")},
    "update_api_key": {"id": ("id", "key_id")},
    "report_issue": {"text": ("text", "message", "description", "body")},
    "create_webhook": {"mailbox": BOX, "secret": ("secret", "signing_secret")},
    "rotate_webhook_secret": {"secret": ("secret", "signing_secret")},
    "test_webhook": {"event": ("event", "event_type", "type")},
    "add_suppression": {"address": ("address", "email_address", "email"), "mailbox": BOX},
    "get_domain": {"id": ("id", "domain_id", "domain")}, "delete_domain": {"id": ("id", "domain_id", "domain")},
    "verify_domain": {"id": ("id", "domain_id", "domain")}, "rotate_domain_key": {"id": ("id", "domain_id", "domain")},
    "remove_suppression": {"address": ("address", "email_address", "email")},
    "delete_webhook": {"id": ("id", "webhook_id")},
    "redeliver_webhooks": {"id": ("webhook_id", "endpoint_id"), "message_id": ("message_id", "email_id")},
    "list_webhook_deliveries": {"webhook_id": ("webhook_id", "endpoint_id"), "message_id": MAIL},
    "lift_hold": {"id": ("id", "hold_id")},
    "revoke_api_key": {"id": ("id", "key_id")},
    "delete_pause": {"id": ("id", "pause_id")},
    "request_upgrade": {"target_mode": ("target_mode", "mode", "oversight_mode")},
    "manage_upgrade": {"target_mode": ("target_mode", "mode", "oversight_mode"), "code": ("code", "approval_code")},
    "apply_upgrade": {"code": ("code", "approval_code")},
    "set_category": {"oversight_mode": ("oversight_mode", "mode")},
    "add_allowlist_entry": {"pattern": ("pattern", "entry"), "oversight_mode": ("oversight_mode", "mode")},
    "remove_allowlist_entry": {"entry": ("entry", "pattern", "id")},
    "dry_run": {"oversight_mode": ("oversight_mode", "mode")},
    "decide_many": {"action": ("action", "decision"), "note": ("rejection_note", "reason", "note")},
}  # fmt: skip
_NO_MAIL = frozenset({
    "lift_hold",
    "delete_webhook", "get_webhook", "update_webhook", "revoke_api_key", "delete_pause", "rotate_webhook_secret",
    "remove_allowlist_entry", "delete_contact", "search_contacts", "add_contact", "update_api_key", "report_issue", "create_api_key",
    "get_domain", "delete_domain", "verify_domain", "rotate_domain_key", "add_domain",
    "test_webhook", "recover_webhook", "get_webhook_delivery", "redeliver_webhook",
})  # fmt: skip
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off", ""})
_ADDRESS = re.compile(r"^[^\s@<>,;\"\\\x00-\x1f]{1,64}@[^\s@<>,;\"\\\x00-\x1f]{1,253}$")


class Fields:
    """The fields of one request by their canonical names."""

    def __init__(self, command: str, *sources: Mapping[str, Any]) -> None:
        names = ALIASES.get(command, {})
        names = {"mailbox": BOX, **({} if command in _NO_MAIL else {"message_id": MAIL}), **names}
        self.places: tuple[str, ...] = ()
        self._names = {alias: field for field, aliases in names.items() for alias in aliases}
        self._values: dict[str, list[tuple[str, Any]]] = {}
        for source in sources:
            for name, value in source.items():
                self._values.setdefault(self._names.get(name, name), []).append((name, value))

    def of(self, command: str, **settled: Any) -> Fields:
        """The same fields as another command reads them; what is settled was not for the caller to say."""
        given = {name: value for values in self._values.values() for name, value in values}
        return Fields(command, {**{name: value for name, value in given.items() if name not in MAIL}, **settled})

    def said(self) -> dict[str, Any]:
        """What was given, by canonical names."""
        return {field: values[0][1] for field, values in self._values.items() if values}

    def __contains__(self, field: str) -> bool:
        return field in self._values

    def all(self, field: str) -> list[tuple[str, Any]]:
        """Every (name, value) given for this field, empty ones left out."""
        return [(name, value) for name, value in self._values.get(field, ()) if value not in (None, "")]

    def raw(self, field: str) -> Any:
        """The value, or None; two that differ are refused."""
        given = self.all(field)
        for name, value in given[1:]:
            if _plain(value) != _plain(given[0][1]):
                raise _conflict(given[0][0], name)
        return given[0][1] if given else None

    def given(self, field: str) -> list[Any]:
        """Every value as it was given, empty ones too."""
        return [value for _, value in self._values.get(field, ())]

    def named(self, prefix: str) -> dict[str, Any]:
        """Fields such as `metadata.<key>`, by what follows the prefix."""
        return {k[len(prefix) :]: v[0][1] for k, v in self._values.items() if k.startswith(prefix)}

    # -- one kind of value each -----------------------------------------------------------------------------------

    def text(self, field: str, *, most: int = 1000, needed: bool = False) -> str | None:
        """A string."""
        value = self.raw(field)
        if value is None:
            if needed:
                raise invalid(field, "is missing")
            return None
        if isinstance(value, bool | int | float):
            value = str(value)
        if not isinstance(value, str):
            raise invalid(field, "must be a string")
        if len(value) > most:
            raise invalid(field, f"is longer than {most} characters")
        return value

    def must(self, field: str, *, most: int = 1000) -> str:
        """A string that has to be there."""
        return self.text(field, most=most, needed=True) or ""

    def flag(self, field: str) -> bool | None:
        """A boolean in any of its spellings."""
        value = self.raw(field)
        if value is None or isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        raise invalid(field, "must be true or false")

    def number(self, field: str, default: int, least: int, most: int) -> int:
        """A whole number, clamped."""
        value = self.raw(field)
        if value is None:
            return default
        try:
            return max(least, min(most, int(str(value))))
        except ValueError:
            raise invalid(field, "must be a whole number") from None

    def words(self, field: str) -> tuple[str, ...]:
        """A list of words: an array, or one string with commas."""
        value = self.raw(field)
        if value is None:
            return ()
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise invalid(field, "must be a list of strings")
        return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))

    def addresses(self, field: str, *, most: int = 50) -> tuple[str, ...]:
        """Bare addresses in order, without repeats; anything that is no address is refused."""
        given = [(name, _address_list(field, value)) for name, value in self.all(field)]
        for name, found in given[1:]:
            if set(found) != set(given[0][1]):
                raise _conflict(given[0][0], name)
        if given and len(given[0][1]) > most:
            raise invalid(field, f"holds more than {most} addresses")
        return given[0][1] if given else ()

    def moment(self, field: str) -> datetime | None:
        """An ISO 8601 moment; one without a zone is UTC."""
        value = self.text(field, most=40)
        if value is None:
            return None
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            raise invalid(field, "must be a date such as 2026-01-31T12:00:00Z") from None
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)

    def mapping(self, field: str, *, most_bytes: int = 16_384) -> dict[str, Any]:
        """A JSON object, kept as it is."""
        value = self.raw(field)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise invalid(field, "must be an object")
        if len(repr(value).encode()) > 2 * most_bytes:
            raise invalid(field, f"is larger than {most_bytes} bytes")
        return value

    def tags(self, field: str = "tags") -> dict[str, str]:
        """Tags as a map; `k=v` becomes {k: v}, and `x` becomes {x: "true"}. Keys may hold a colon."""
        value = self.raw(field)
        return parse_tags(value)


def parse_tags(value: Any) -> dict[str, str]:
    """A map, a list or a string with commas, as one map."""
    if value is None:
        return {}
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if isinstance(value, list):
        pairs = [str(item).strip().partition("=") for item in value]
        value = {key.strip(): (tail if mark else "true") for key, mark, tail in pairs if key.strip()}
    if not isinstance(value, dict):
        raise invalid("tags", "must be a map or a list")
    tags = {str(k): ("true" if v is True else str(v)) for k, v in value.items()}
    if len(tags) > 100 or any(len(k) > 100 or len(v) > 500 for k, v in tags.items()):
        raise invalid("tags", "too many or too long")
    return tags


def parse_addresses(field: str, text: str) -> list[str]:
    """`Name <a@b>`, bare addresses, several with commas."""
    if any(c in text for c in "\r\n\x00"):
        raise invalid(field, "must not hold line breaks")
    found = [pair for pair in getaddresses([text]) if pair[1] or pair[0]]
    if not found and text.strip():
        raise invalid(field, f"{text[:80]!r} is no address")
    return [bare(field, address) for _, address in found]


def _address_list(field: str, value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise invalid(field, "must be an address or a list of addresses")
    return tuple(dict.fromkeys(address for item in items for address in parse_addresses(field, item)))


def bare(field: str, address: str) -> str:
    """One address, domain in lower case."""
    address = address.strip()
    if not _ADDRESS.match(address) or ".." in address:
        raise invalid(field, f"{address[:80]!r} is no address")
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def refuse_nul(value: Any, field: str = "body") -> None:
    """Postgres text holds no NUL, and neither does mail; lone surrogates are no text at all."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise invalid(field, "holds a character that is no text")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_nul(key, "body")
            refuse_nul(item, str(key))
    elif isinstance(value, Iterable) and not isinstance(value, bytes):
        for item in value:
            refuse_nul(item, field)


def _plain(value: Any) -> Any:
    """A value as it is compared between two names."""
    return value.strip().lower() if isinstance(value, str) else value


def _conflict(first: str, second: str) -> Refusal:
    return Refusal(
        "conflicting_fields",
        f"`{first}` and `{second}` name the same thing and differ.",
        fields={first: "", second: ""},
    )
