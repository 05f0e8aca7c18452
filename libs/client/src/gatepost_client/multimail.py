"""The client that the published guides use: one method per call of the RPC door, replies as dicts."""

from __future__ import annotations

from collections.abc import Mapping, MutableSet, Sequence
from typing import Any
from urllib.parse import quote

import httpx2

from gatepost_client import settings
from gatepost_client.clients import Blocking
from gatepost_client.transport import Ask
from gatepost_client.webhooks import TOLERANCE_S, verify_webhook

Json = dict[str, Any]
Addresses = str | Sequence[str]


class MultimailClient(Blocking):
    """Synchronous. Every argument also works as a keyword; `with` closes it.

    Example: MultimailClient("gp_live_...").list_pending()["messages"]
    """

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0, mailbox_id: str | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        super().__init__(api_key, base_url=base_url, timeout=timeout, transport=transport)
        self.mailbox_id = settings.mailbox_id(mailbox_id)

    # -- reading ---------------------------------------------------------------------------------------------------

    def get_thread(self, thread_id: str, *, mailbox_id: str | None = None, include: str | None = None) -> Json:
        """A conversation; `messages` is what the participants have seen, oldest first."""
        return self._read("get_thread", thread_id=thread_id, mailbox_id=mailbox_id, include=include)

    def check_inbox(self, mailbox_id: str | None = None, *, filter: str | None = None, **filters: Any) -> Json:  # noqa: A002 (the published name)
        """A page of mails, newest first; `filter` is "unread" or any other status."""
        return self._read("check_inbox", mailbox_id=mailbox_id or self.mailbox_id, filter=filter, **filters)

    def read_email(self, message_id: str, *, mailbox_id: str | None = None) -> Json:
        """One mail with its text."""
        return self._read("read_email", message_id=message_id, mailbox_id=mailbox_id)

    def list_pending(
        self, mailbox_id: str | None = None, *, limit: int | None = None, cursor: str | None = None
    ) -> Json:
        """What waits for a person."""
        return self._read("list_pending", mailbox_id=mailbox_id or self.mailbox_id, limit=limit, cursor=cursor)

    def status(self) -> Json:
        """What is left to do, by stage."""
        return self._do(Ask("GET", "/v1/status"))

    def why(self, message_id: str) -> Json:
        """The chain of verdicts on a mail."""
        return self._do(Ask("GET", f"/v1/emails/{quote(message_id, safe='')}/why"))

    # -- writing ---------------------------------------------------------------------------------------------------

    def send_email(
        self, to: Addresses, subject: str, body: str, *, from_address: str | None = None, thread_id: str | None = None,
        oversight_mode: str | None = None, metadata: Mapping[str, Any] | None = None, cc: Addresses | None = None,
        bcc: Addresses | None = None, attachments: Sequence[Mapping[str, Any]] | None = None, send_at: str | None = None,
        gate_timing: str | None = None, idempotency_key: str | None = None, **more: Any,
    ) -> Json:  # fmt: skip
        """Write a mail; it leaves when the mailbox's oversight lets it. `**{"from": ...}` works too."""
        sender = from_address or (None if more.keys() & {"from", "mailbox", "mailbox_id"} else self.mailbox_id)
        return self._write(
            "send_email", {"to": to, "subject": subject, "body": body, "from": sender, "thread_id": thread_id,
            "oversight_mode": oversight_mode, "metadata": metadata, "cc": cc, "bcc": bcc, "attachments": attachments,
            "send_at": send_at, "gate_timing": gate_timing, "idempotency_key": idempotency_key} | more,
        )  # fmt: skip

    def reply_email(
        self, message_id: str, body: str, *, oversight_mode: str | None = None, metadata: Mapping[str, Any] | None = None,
        cc: Addresses | None = None, bcc: Addresses | None = None, attachments: Sequence[Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None, **more: Any,
    ) -> Json:  # fmt: skip
        """Answer a mail. Called again while the draft waits or was sent back, it revises that draft."""
        return self._write(
            "reply_email", {"message_id": message_id, "body": body, "oversight_mode": oversight_mode, "metadata": metadata,
            "cc": cc, "bcc": bcc, "attachments": attachments, "idempotency_key": idempotency_key} | more,
        )  # fmt: skip

    def decide_email(
        self, message_id: str, decision: str, *, revised_body: str | None = None, revised_subject: str | None = None,
        rejection_note: str | None = None, revision: int | str | None = None, **more: Any,
    ) -> Json:  # fmt: skip
        """Approve, approve with another text, or reject. `revision` binds it to exactly what you saw."""
        return self._write(
            "decide_email", {"message_id": message_id, "decision": decision, "revised_body": revised_body,
            "revised_subject": revised_subject, "rejection_note": rejection_note, "revision": revision} | more,
        )  # fmt: skip

    def tag_email(self, message_id: str, tags: Sequence[str] | Mapping[str, str]) -> Json:
        """Add tags to a mail."""
        held: Any = dict(tags) if isinstance(tags, Mapping) else list(tags)
        return self._write("tag_email", {"message_id": message_id, "tags": held})

    def cancel_message(self, message_id: str) -> Json:
        """Withdraw a mail that is not on the wire."""
        return self._write("cancel_message", {"message_id": message_id})

    def get_audit_log(self, *, limit: int | None = None, cursor: str | None = None, **filters: Any) -> Json:
        """What was done, by whom and under which rules, newest first."""
        return self._do(Ask("GET", "/get_audit_log", {"limit": limit, "cursor": cursor} | filters))

    def audit_checkpoint(self, *, since: int | None = None) -> Json:
        """The newest signed checkpoint; with `since`, the proof that it goes on from one of that size."""
        return self._do(Ask("GET", "/v1/audit-log/checkpoint", {"since": since}))

    def create_mailbox(self, address: str, display_name: str | None = None, **more: Any) -> Json:
        """Make a mailbox."""
        return self._write("create_mailbox", {"address": address, "display_name": display_name} | more)

    def create_webhook(
        self, url: str, events: Sequence[str], *, mailbox: str | None = None, secret: str | None = None, **more: Any
    ) -> Json:
        """Subscribe a URL to events; `signing_secret` is in this reply and in no other."""
        return self._write(
            "webhooks", {"url": url, "events": list(events), "mailbox": mailbox, "secret": secret} | more
        )

    @staticmethod
    def verify_webhook(
        body: bytes | str, headers: Mapping[str, Any], secret: str, *, tolerance_s: float = TOLERANCE_S,
        seen: MutableSet[str] | None = None,
    ) -> Json:  # fmt: skip
        """The event, once its signature is found right; else WebhookError."""
        return verify_webhook(body, headers, secret, tolerance_s=tolerance_s, seen=seen)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **params: Any) -> Json:
        """Any other call of the interface, e.g. `call("GET", "/v1/pauses")`."""
        return self._do(Ask(method, path, params, body))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Any other call of the API, by its path."""
        return self._do(Ask("POST", path, body=body or {}))

    # -- the line --------------------------------------------------------------------------------------------------

    def _read(self, name: str, **params: Any) -> Json:
        return self._do(Ask("GET", f"/{name}", params))

    def _write(self, name: str, body: Mapping[str, Any]) -> Json:
        return self._do(Ask("POST", f"/{name}", body=body))

    def _do(self, ask: Ask) -> Json:
        reply: Json = self._line.send(ask)
        return reply
