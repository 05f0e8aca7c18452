"""`MultiMail` and `AsyncMultiMail`: the methods of the published SDK under their own names, for programs written with it.

Lists come without their envelope, and what deletes gives nothing back, as there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx2

from gatepost_client import settings
from gatepost_client.office_calls import segment
from gatepost_client.transport import Ask, AsyncLine, Line

Json = dict[str, Any]
D = TypeVar("D")  # a dict, or one that is awaited
L = TypeVar("L")  # a list
N = TypeVar("N")  # nothing
B = TypeVar("B")  # bytes


class PublishedCalls(ABC, Generic[D, L, N, B]):
    """Every call, once for both kinds of client."""

    @abstractmethod
    def _one(self, ask: Ask) -> D:
        """The reply."""

    @abstractmethod
    def _all(self, ask: Ask, key: str) -> L:
        """The list inside the reply."""

    @abstractmethod
    def _gone(self, ask: Ask) -> N:
        """Nothing, once it is done."""

    @abstractmethod
    def _bytes(self, ask: Ask) -> B:
        """The content as it is."""

    # -- account and mailboxes -------------------------------------------------------------------------------------

    def get_account(self) -> D:
        """The account."""
        return self._one(Ask("GET", "/v1/account"))

    def update_account(self, **fields: Any) -> D:
        """Change it."""
        return self._one(Ask("PATCH", "/v1/account", body=fields, keeps_null=True))

    def delete_account(self) -> N:
        """Not offered: the service answers 501."""
        return self._gone(Ask("DELETE", "/v1/account"))

    def list_mailboxes(self) -> L:
        """All mailboxes."""
        return self._all(Ask("GET", "/v1/mailboxes"), "mailboxes")

    def create_mailbox(
        self, address: str, display_name: str, *, oversight_mode: str = "gated_send", **kwargs: Any
    ) -> D:
        """Make one."""
        body = {"address": address, "display_name": display_name, "oversight_mode": oversight_mode} | kwargs
        return self._one(Ask("POST", "/v1/mailboxes", body=body))

    def update_mailbox(self, mailbox_id: str, **fields: Any) -> D:
        """Change one."""
        return self._one(Ask("PATCH", f"/v1/mailboxes/{segment(mailbox_id)}", body=fields))

    def delete_mailbox(self, mailbox_id: str) -> N:
        """End one."""
        return self._gone(Ask("DELETE", f"/v1/mailboxes/{segment(mailbox_id)}"))

    # -- mails -----------------------------------------------------------------------------------------------------

    def list_emails(self, mailbox_id: str, *, limit: int = 50, offset: int = 0, direction: str | None = None) -> D:
        """A page of mails, in its envelope."""
        params = {"limit": limit, "offset": offset, "direction": direction}
        return self._one(Ask("GET", f"/v1/mailboxes/{segment(mailbox_id)}/emails", params))

    def get_email(self, mailbox_id: str, email_id: str) -> D:
        """One mail."""
        return self._one(Ask("GET", _mail(mailbox_id, email_id)))

    def send_email(
        self, mailbox_id: str, *, to: Sequence[str], subject: str, markdown: str, cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None, attachments: Sequence[Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
    ) -> D:  # fmt: skip
        """Write a mail."""
        body = {"to": to, "subject": subject, "markdown": markdown, "cc": cc, "bcc": bcc, "attachments": attachments,
                "idempotency_key": idempotency_key}  # fmt: skip
        return self._one(Ask("POST", f"/v1/mailboxes/{segment(mailbox_id)}/send", body=body))

    def reply_email(
        self, mailbox_id: str, email_id: str, *, markdown: str, cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None, attachments: Sequence[Mapping[str, Any]] | None = None,
    ) -> D:  # fmt: skip
        """Answer a mail."""
        path = f"/v1/mailboxes/{segment(mailbox_id)}/reply/{segment(email_id)}"
        return self._one(
            Ask("POST", path, body={"markdown": markdown, "cc": cc, "bcc": bcc, "attachments": attachments})
        )

    def cancel_email(self, mailbox_id: str, email_id: str) -> D:
        """Withdraw a mail."""
        return self._one(Ask("POST", f"{_mail(mailbox_id, email_id)}/cancel", body={}))

    def get_thread(self, mailbox_id: str, thread_id: str) -> D:
        """A conversation."""
        return self._one(Ask("GET", f"/v1/mailboxes/{segment(mailbox_id)}/threads/{segment(thread_id)}"))

    def download_attachment(self, mailbox_id: str, email_id: str, filename: str) -> B:
        """Its bytes."""
        return self._bytes(Ask("GET", f"{_mail(mailbox_id, email_id)}/attachments/{segment(filename)}", is_raw=True))

    def get_tags(self, mailbox_id: str, email_id: str) -> D:
        """The tags of a mail."""
        return self._one(Ask("GET", f"{_mail(mailbox_id, email_id)}/tags"))

    def set_tags(self, mailbox_id: str, email_id: str, tags: Mapping[str, str]) -> D:
        """Add tags."""
        return self._one(Ask("PUT", f"{_mail(mailbox_id, email_id)}/tags", body={"tags": dict(tags)}))

    def delete_tag(self, mailbox_id: str, email_id: str, key: str) -> N:
        """Take one off."""
        return self._gone(Ask("DELETE", f"{_mail(mailbox_id, email_id)}/tags/{segment(key)}"))

    # -- people and oversight --------------------------------------------------------------------------------------

    def list_contacts(self, *, q: str | None = None) -> L:
        """Contacts, by a part of name or address."""
        return self._all(Ask("GET", "/v1/contacts", {"q": q}), "contacts")

    def add_contact(self, email: str, name: str | None = None, **fields: Any) -> D:
        """Remember one."""
        return self._one(Ask("POST", "/v1/contacts", body={"email": email, "name": name} | fields))

    def delete_contact(self, contact_id: str) -> N:
        """Forget one."""
        return self._gone(Ask("DELETE", f"/v1/contacts/{segment(contact_id)}"))

    def list_pending(self) -> L:
        """What waits for a person."""
        return self._all(Ask("GET", "/v1/oversight/pending"), "pending")

    def decide(self, email_id: str, action: str, *, reason: str | None = None) -> D:
        """Approve or reject."""
        body = {"email_id": email_id, "action": action, "reason": reason}
        return self._one(Ask("POST", "/v1/oversight/decide", body=body))

    # -- keys, webhooks, domains, suppression, figures -------------------------------------------------------------

    def list_api_keys(self) -> L:
        """All keys, without the keys themselves."""
        return self._all(Ask("GET", "/v1/api-keys"), "api_keys")

    def create_api_key(self, name: str, scopes: Sequence[str] | None = None) -> D:
        """Make one; it is shown once."""
        return self._one(Ask("POST", "/v1/api-keys", body={"name": name, "scopes": scopes and list(scopes)}))

    def revoke_api_key(self, key_id: str) -> N:
        """End one."""
        return self._gone(Ask("DELETE", f"/v1/api-keys/{segment(key_id)}"))

    def list_webhooks(self) -> L:
        """All subscriptions."""
        return self._all(Ask("GET", "/v1/webhooks"), "webhooks")

    def create_webhook(self, url: str, events: Sequence[str], *, secret: str | None = None) -> D:
        """Subscribe a URL."""
        return self._one(Ask("POST", "/v1/webhooks", body={"url": url, "events": list(events), "secret": secret}))

    def delete_webhook(self, webhook_id: str) -> N:
        """End a subscription."""
        return self._gone(Ask("DELETE", f"/v1/webhooks/{segment(webhook_id)}"))

    def list_domains(self) -> L:
        """All domains."""
        return self._all(Ask("GET", "/v1/domains"), "domains")

    def add_domain(self, domain: str) -> D:
        """Add one."""
        return self._one(Ask("POST", "/v1/domains", body={"domain": domain}))

    def verify_domain(self, domain_id: str) -> D:
        """Look at its DNS records."""
        return self._one(Ask("POST", f"/v1/domains/{segment(domain_id)}/verify", body={}))

    def delete_domain(self, domain_id: str) -> N:
        """Remove one."""
        return self._gone(Ask("DELETE", f"/v1/domains/{segment(domain_id)}"))

    def list_suppressions(self) -> L:
        """Addresses nobody writes to."""
        return self._all(Ask("GET", "/v1/suppression"), "suppressions")

    def remove_suppression(self, address: str) -> N:
        """Let mail go there again."""
        return self._gone(Ask("DELETE", f"/v1/suppression/{segment(address)}"))

    def get_usage(self) -> D:
        """Counts of this month."""
        return self._one(Ask("GET", "/v1/usage"))

    def get_audit_log(self, *, limit: int = 100) -> L:
        """The newest entries."""
        return self._all(Ask("GET", "/v1/audit-log", {"limit": limit}), "entries")


def _mail(mailbox_id: str, email_id: str) -> str:
    return f"/v1/mailboxes/{segment(mailbox_id)}/emails/{segment(email_id)}"


class MultiMail(PublishedCalls[Json, list[Json], None, bytes]):
    """The blocking client; `with` closes it."""

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = settings.base_url(base_url)
        self._line = Line(self.base_url, settings.api_key(api_key), timeout, transport)

    def _one(self, ask: Ask) -> Json:
        return dict(self._line.send(ask))

    def _all(self, ask: Ask, key: str) -> list[Json]:
        return list(self._line.send(ask)[key])

    def _gone(self, ask: Ask) -> None:
        self._line.send(ask)

    def _bytes(self, ask: Ask) -> bytes:
        return bytes(self._line.send(ask))

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncMultiMail(PublishedCalls[Awaitable[Json], Awaitable[list[Json]], Awaitable[None], Awaitable[bytes]]):
    """The same for asyncio."""

    def __init__(
        self, api_key: str | None = None, *, base_url: str | None = None, timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.base_url = settings.base_url(base_url)
        self._line = AsyncLine(self.base_url, settings.api_key(api_key), timeout, transport)

    async def _one(self, ask: Ask) -> Json:
        return dict(await self._line.send(ask))

    async def _all(self, ask: Ask, key: str) -> list[Json]:
        return list((await self._line.send(ask))[key])

    async def _gone(self, ask: Ask) -> None:
        await self._line.send(ask)

    async def _bytes(self, ask: Ask) -> bytes:
        return bytes(await self._line.send(ask))

    async def close(self) -> None:
        """Hang up."""
        await self._line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
