"""Webhook subscriptions. The secret is sealed to the notifier when it is stored; nobody reads it back."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import secrets
import socket
import urllib.parse
from typing import Any

from gatepost_api import event_words
from gatepost_api.aliases import PAGE, WEBHOOK, named
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_contracts.ids import new_id
from gatepost_runtime.keys import seal

_FORMATS, _PAYLOADS = ("sha256", "hex"), ("full", "thin")
_PORTS = frozenset({80, 443, 8080, 8443})
_MAILBOX_EVENTS = {
    "mailbox": ["email.received"],
    "mailbox_oversight": ["email.held", "email.approved", "email.rejected", "email.expired"],
}
_LOOKUP_S = 3.0


def webhook_view(row: Row) -> dict[str, Any]:
    """WebhookView, without the secret."""
    return {
        "id": row["id"], "url": row["url"], "events": list(row["events"]), "mailbox_id": row["mailbox_id"],
        "mailbox": row["mailbox_address"], "signature_format": row["signature_format"], "payload": row["payload"],
        "source": row["source"], "is_active": row["is_active"], "disabled_reason": row["disabled_reason"],
        "secret_hint": row["secret_hint"], "created_at": iso(row["created_at"]), "last_success_at": iso(row["last_success_at"]),
    }  # fmt: skip


async def list_webhooks(office: Office, call: Call) -> Reply:
    """All of the account."""
    rows = await office.store.fetch("endpoints", call.caller.tenant_id, None, call.caller.bound)
    views = [webhook_view(row) for row in rows]
    return Reply({"webhooks": views, "subscriptions": views})


async def _one(office: Office, call: Call) -> Row:
    rows = await office.store.fetch("endpoints", call.caller.tenant_id, call.fields.must("id"), call.caller.bound)
    if not rows:
        raise Refusal("not_found", "There is no such webhook.")
    found: Row = rows[0]
    return found


async def get_webhook(office: Office, call: Call) -> Reply:
    """One of them."""
    return Reply(webhook_view(await _one(office, call)))


async def create_webhook(office: Office, call: Call) -> Reply:
    """Subscribe a URL. The signing secret is shown now and never again."""
    if not call.caller.is_operator:
        raise Refusal("operator_redeems")
    fields = call.fields
    url = fields.must("url", most=2000)
    await check_url(url, is_dev=office.is_dev)
    events = event_words.checked(fields.words("events") or ())
    if not events:
        raise invalid("events", "is missing", "Name at least one event, or `*`.")
    box = await office.mailbox(call)
    default = "hex" if call.route.path == "/webhooks" else "sha256"
    signature_format, payload = fields.text("signature_format") or default, fields.text("payload") or "full"
    if signature_format not in _FORMATS or payload not in _PAYLOADS:
        raise invalid("signature_format" if signature_format not in _FORMATS else "payload", "is unknown")
    chosen = fields.text("secret", most=500)
    secret = chosen or "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    made = await _store(office, call, box["id"] if box else None, url, events, "api", signature_format, payload, secret)
    view = webhook_view(await _found(office, call, made))
    # What the caller chose signs the first header as it is; `signing_secret` is what the standard libraries take.
    view["signing_secret"] = (
        secret if secret.startswith("whsec_") else "whsec_" + base64.b64encode(secret.encode()).decode()
    )
    return Reply(named(view, WEBHOOK))


async def _store(
    office: Office, call: Call, mailbox_id: str | None, url: str, events: list[str], source: str, signature_format: str,
    payload: str, secret: str,
) -> str:  # fmt: skip
    endpoint_id = new_id("whk")
    sealed = seal(office.notifier_seal, secret.encode())
    await office.store.execute(
        "add_endpoint", endpoint_id, call.caller.tenant_id, mailbox_id, url, events, source, signature_format, payload, sealed,
        secret[:6] + "…" + secret[-4:] if len(secret) > 16 else "…" + secret[-2:],
    )  # fmt: skip
    return endpoint_id


async def _found(office: Office, call: Call, endpoint_id: str) -> Row:
    rows = await office.store.fetch("endpoints", call.caller.tenant_id, endpoint_id, None)
    if not rows:
        raise Refusal("not_found", "There is no such webhook.")
    found: Row = rows[0]
    return found


async def update_webhook(office: Office, call: Call) -> Reply:
    """Another URL, other events, on or off."""
    row = await _one(office, call)
    fields = call.fields
    url = fields.text("url", most=2000)
    if url is not None:
        if not call.caller.is_operator:
            raise Refusal("operator_redeems")
        await check_url(url, is_dev=office.is_dev)
    events = event_words.checked(fields.words("events")) or None
    await office.store.execute(
        "update_endpoint", call.caller.tenant_id, row["id"], url, events, fields.flag("is_active")
    )
    return Reply(webhook_view(await _found(office, call, row["id"])))


async def delete_webhook(office: Office, call: Call) -> Reply:
    """End it; what is on its way is still delivered or fails."""
    row = await _one(office, call)
    await office.store.execute("end_endpoint", call.caller.tenant_id, row["id"])
    return Reply({"id": row["id"], "status": "deleted", "deleted": True})


async def set_mailbox_url(office: Office, call: Call, mailbox_id: str, source: str, url: str | None) -> None:
    """A mailbox's own URL is a subscription like any other, with bare hex signatures."""
    await office.store.execute("end_mailbox_endpoint", call.caller.tenant_id, mailbox_id, source)
    if url:
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        await _store(office, call, mailbox_id, url, _MAILBOX_EVENTS[source], source, "hex", "full", secret)


async def list_webhook_deliveries(office: Office, call: Call) -> Reply:
    """What was sent, newest first."""
    fields = call.fields
    limit = fields.number("limit", 20, 1, 100)
    offset = fields.number("cursor", fields.number("offset", 0, 0, 1_000_000), 0, 1_000_000)
    rows = await office.store.fetch(
        "webhook_deliveries", call.caller.tenant_id, fields.text("webhook_id"), fields.text("status"), fields.text("event_type"),
        fields.text("message_id"), limit, offset,
    )  # fmt: skip
    views = [
        {"id": w["id"], "webhook_id": w["endpoint_id"], "event_id": w["event_id"],
         "event_type": w["alias"] if w["alias"] != "*" else w["event_type"], "canonical": w["event_type"],
         "message_id": w["message_id"], "url": w["url"], "status": w["state"], "attempts": w["attempts"],
         "response_status": w["response_status"], "error": w["error"], "latency_ms": w["latency_ms"],
         "created_at": iso(w["created_at"]), "last_attempt_at": iso(w["last_attempt_at"]),
         "next_attempt_at": iso(w["due_at"]) if w["state"] == "pending" else None, "delivered_at": iso(w["delivered_at"])}
        for w in rows
    ]  # fmt: skip
    return Reply(named({"deliveries": views, "cursor": str(offset + limit) if len(rows) == limit else None}, PAGE))


# -- where a webhook may point -------------------------------------------------------------------------------------


async def check_url(url: str, *, is_dev: bool) -> None:
    """Https on a public host. The notifier looks again when it connects; this only tells the caller early."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Refusal("url_refused", "url: is none") from None
    host = (parts.hostname or "").rstrip(".").lower()
    if not host or parts.username or parts.password or parts.scheme not in {"http", "https"}:
        raise Refusal("url_refused")
    if any(c <= " " or c == "\\" for c in url):
        raise Refusal("url_refused", "url: holds characters that no URL has")
    addresses = await _addresses(host, port)
    loopback = bool(addresses) and all(address.is_loopback for address in addresses)
    if is_dev and loopback:
        return
    if parts.scheme != "https":
        raise Refusal("url_refused", "url: must be https")
    if port not in _PORTS or any(not address.is_global or address.is_multicast for address in addresses):
        raise Refusal("url_refused", hint="It must be a public host on port 443 or 8443.")


async def _addresses(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """All addresses of a host, in whatever notation it was written; none when it does not resolve now."""
    try:
        found = await asyncio.wait_for(
            asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM), _LOOKUP_S
        )
    except (OSError, UnicodeError, TimeoutError):
        return []
    addresses = []
    for _, _, _, _, where in found:
        address = ipaddress.ip_address(str(where[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        addresses.append(mapped or address)
    return addresses
