"""Webhook subscriptions. The secrets are sealed to the notifier when they are stored; nobody reads them back."""

from __future__ import annotations

import asyncio
import base64
import secrets
import urllib.parse
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_api import event_words
from gatepost_api.aliases import WEBHOOK, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.ids import new_id
from gatepost_runtime.keys import seal
from gatepost_runtime.targets import TargetRefused

_FORMATS, _PAYLOADS = ("sha256", "hex"), ("full", "thin", "slack")
_MAILBOX_EVENTS = {
    "mailbox": ["email.received"],
    "mailbox_oversight": ["email.held", "email.approved", "email.rejected", "email.expired"],
}
_LOOKUP_S = 3.0
_GRACE_S, _LONGEST_GRACE_S = 86_400, 604_800


def webhook_view(row: Row) -> dict[str, Any]:
    """WebhookView, without the secret."""
    until = row["old_valid_until"]
    rotation = None
    if row["old_secret_sealed"] is not None and until is not None and until > datetime.now(UTC):
        rotation = {"old_valid_until": iso(until), "old_last_signed_at": iso(row["old_used_at"])}
    return {
        "id": row["id"], "url": row["url"], "events": list(row["events"]), "mailbox_id": row["mailbox_id"],
        "mailbox": row["mailbox_address"], "signature_format": row["signature_format"], "payload": row["payload"],
        "filter_tags": list(row["filter_tags"]), "filter_threads": list(row["filter_threads"]),
        "source": row["source"], "is_active": row["is_active"], "disabled_reason": row["disabled_reason"],
        "secret_hint": row["secret_hint"], "public_key": row["public_key"], "rotation": rotation,
        "created_at": iso(row["created_at"]), "last_success_at": iso(row["last_success_at"]),
        "failing_since": iso(row["failing_since"]), "last_error": row["last_error"], "warnings": _warnings(row),
    }  # fmt: skip


def _warnings(row: Row) -> list[str]:
    """What its owner should know early."""
    found = []
    if not row["is_active"]:
        found.append("It is switched off and gets nothing; set is_active to true, then recover what it missed.")
    elif row["last_error"] and row["last_success_at"] is None:
        found.append("No delivery has arrived yet; the last attempt failed. See last_error.")
    if (
        set(row["events"]) & {"*"}
        and row["mailbox_id"] is None
        and not row["filter_tags"]
        and not row["filter_threads"]
    ):
        found.append("It gets every event of every mailbox of the account.")
    return found


async def list_webhooks(office: Office, call: Call) -> Reply:
    """All of the account."""
    rows = await office.store.fetch("endpoints", call.caller.tenant_id, None, call.caller.bound)
    views = [webhook_view(row) for row in rows]
    return Reply({"webhooks": views, "subscriptions": views})


async def found(office: Office, call: Call, endpoint_id: str | None = None) -> Row:
    """One of the account's endpoints: the one just made, or the one that was named."""
    named_id = endpoint_id or call.fields.must("id")
    bound = None if endpoint_id else call.caller.bound
    rows = await office.store.fetch("endpoints", call.caller.tenant_id, named_id, bound)
    if not rows:
        raise Refusal("not_found", "There is no such webhook.")
    row: Row = rows[0]
    return row


async def get_webhook(office: Office, call: Call) -> Reply:
    """One of them."""
    return Reply(webhook_view(await found(office, call)))


@dataclass(frozen=True)
class _Wanted:
    """What a subscription is to be."""

    mailbox_id: str | None
    url: str
    events: list[str]
    source: str
    signature_format: str
    payload: str = "full"
    tags: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()


async def create_webhook(office: Office, call: Call) -> Reply:
    """Subscribe a URL. The signing secret is shown now and never again."""
    fields = call.fields
    url = fields.must("url", most=2000)
    await check_url(office, url)
    events = event_words.checked(fields.words("events") or ())
    if not events:
        raise invalid("events", "is missing", "Name at least one event, or `*`.")
    box = await office.mailbox(call)
    if box is None and call.caller.bound:
        raise invalid("mailbox", "is missing", "This key is bound to mailboxes; name one of them.")
    default = "hex" if call.route.path == "/webhooks" else "sha256"
    signature_format, payload = fields.text("signature_format") or default, fields.text("payload") or "full"
    if signature_format not in _FORMATS or payload not in _PAYLOADS:
        raise invalid("signature_format" if signature_format not in _FORMATS else "payload", "is unknown")
    secret = fields.text("secret", most=500) or _new_secret()
    wanted = _Wanted(
        box["id"] if box else None, url, events, "api", signature_format, payload, fields.words("filter_tags"),
        fields.words("filter_threads"),
    )  # fmt: skip
    made = await _store(office, call, wanted, secret)
    view = webhook_view(await found(office, call, made))
    view["signing_secret"] = _as_published(secret)
    return Reply(named(view, WEBHOOK))


async def _store(office: Office, call: Call, wanted: _Wanted, secret: str) -> str:
    endpoint_id = new_id("whk")
    pair = Ed25519PrivateKey.generate()
    await office.store.execute(
        "add_endpoint", endpoint_id, call.caller.tenant_id, wanted.mailbox_id, wanted.url, wanted.events, wanted.source,
        wanted.signature_format, wanted.payload, seal(office.notifier_seal, secret.encode()), _hint(secret),
        seal(office.notifier_seal, pair.private_bytes_raw()),
        "whpk_" + base64.b64encode(pair.public_key().public_bytes_raw()).decode(), list(wanted.tags),
        list(wanted.threads),
    )  # fmt: skip
    return endpoint_id


async def update_webhook(office: Office, call: Call) -> Reply:
    """Another URL, other events, on or off."""
    row = await found(office, call)
    fields = call.fields
    url = fields.text("url", most=2000)
    if url is not None:
        if row["source"] in _MAILBOX_EVENTS and not call.caller.is_operator:
            raise Refusal("operator_redeems")
        await check_url(office, url)
    events = event_words.checked(fields.words("events")) or None
    tags = list(fields.words("filter_tags")) if "filter_tags" in fields else None
    threads = list(fields.words("filter_threads")) if "filter_threads" in fields else None
    await office.store.execute(
        "update_endpoint", call.caller.tenant_id, row["id"], url, events, fields.flag("is_active"), tags, threads
    )
    return Reply(webhook_view(await found(office, call, row["id"])))


async def rotate_webhook_secret(office: Office, call: Call) -> Reply:
    """A new secret; the old one signs beside it until the grace ends, or until `complete`."""
    if not call.caller.is_operator:
        raise Refusal("operator_redeems")
    row = await found(office, call)
    fields, tenant = call.fields, call.caller.tenant_id
    if fields.flag("complete"):
        await office.store.execute("complete_rotation", tenant, row["id"])
        return Reply(webhook_view(await found(office, call, row["id"])) | {"old_valid_until": None})
    grace_s = fields.number("grace_s", _GRACE_S, 0, _LONGEST_GRACE_S)
    secret = fields.text("secret", most=500) or _new_secret()
    sealed = seal(office.notifier_seal, secret.encode())
    if await office.store.execute("rotate_secret", tenant, row["id"], sealed, _hint(secret), grace_s) != "UPDATE 1":
        raise Refusal("rotation_under_way")
    after = await found(office, call, row["id"])
    until = iso(after["old_valid_until"]) if after["old_secret_sealed"] is not None else None
    view = webhook_view(after) | {"signing_secret": _as_published(secret), "old_valid_until": until}
    return Reply(named(view, WEBHOOK))


async def delete_webhook(office: Office, call: Call) -> Reply:
    """End it; what still waits for it ends as `deleted`."""
    row = await found(office, call)
    await office.store.execute("end_endpoint", call.caller.tenant_id, row["id"])
    return Reply({"id": row["id"], "status": "deleted", "deleted": True})


async def set_mailbox_url(office: Office, call: Call, mailbox_id: str, source: str, url: str | None) -> None:
    """A mailbox's own URL is a subscription like any other, with bare hex signatures."""
    await office.store.execute("end_mailbox_endpoint", call.caller.tenant_id, mailbox_id, source)
    if url:
        await _store(office, call, _Wanted(mailbox_id, url, _MAILBOX_EVENTS[source], source, "hex"), _new_secret())


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _as_published(secret: str) -> str:
    """What the caller chose signs the first header as it is; this is what the standard libraries take."""
    return secret if secret.startswith("whsec_") else "whsec_" + base64.b64encode(secret.encode()).decode()


def _hint(secret: str) -> str:
    return secret[:6] + "…" + secret[-4:] if len(secret) > 16 else "…" + secret[-2:]


async def check_url(office: Office, url: str) -> None:
    """Refuse what webhooks may not reach. The notifier looks again when it connects; this tells the caller early.

    A name that has no address now is let through: it may get one.
    """
    try:
        office.targets.check_url(url)
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        await asyncio.wait_for(office.targets.addresses(parts.hostname or "", port), _LOOKUP_S)
    except TargetRefused as refused:
        raise Refusal(
            "url_refused", f"url: {refused}",
            hint="It must be https on port 443 or 8443 of a public host; an operator may allow networks of its own.",
        ) from None  # fmt: skip
    except (OSError, UnicodeError, TimeoutError):
        return
