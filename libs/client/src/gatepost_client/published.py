"""`MultiMail` and `AsyncMultiMail`: the methods of the published SDK under their own names, for programs written with it.

Lists come without their envelope, and what deletes gives nothing back, as there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from gatepost_client.clients import Awaited, Blocking
from gatepost_client.office_calls import segment
from gatepost_client.rest import Calls
from gatepost_client.transport import Ask

Json = dict[str, Any]


class _Asks(Calls[Ask, Ask]):
    """The requests themselves, as the whole client makes them: this one only names and unwraps them otherwise."""

    def _do(self, ask: Ask) -> Ask:
        return ask

    def _bytes(self, ask: Ask) -> Ask:
        return ask


_ASKS = _Asks()
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
        return self._one(_ASKS.get_account())

    def update_account(self, **fields: Any) -> D:
        """Change it."""
        return self._one(_ASKS.update_account(**fields))

    def delete_account(self) -> N:
        """Not offered: the service answers 501."""
        return self._gone(Ask("DELETE", "/v1/account"))

    def list_mailboxes(self) -> L:
        """All mailboxes."""
        return self._all(_ASKS.list_mailboxes(), "mailboxes")

    def create_mailbox(
        self, address: str, display_name: str, *, oversight_mode: str = "gated_send", **kwargs: Any
    ) -> D:
        """Make one."""
        return self._one(_ASKS.create_mailbox(address, display_name, oversight_mode=oversight_mode, **kwargs))

    def update_mailbox(self, mailbox_id: str, **fields: Any) -> D:
        """Change one."""
        return self._one(_ASKS.update_mailbox(mailbox_id, **fields))

    def delete_mailbox(self, mailbox_id: str) -> N:
        """End one."""
        return self._gone(_ASKS.delete_mailbox(mailbox_id))

    # -- mails -----------------------------------------------------------------------------------------------------

    def list_emails(self, mailbox_id: str, *, limit: int = 50, offset: int = 0, direction: str | None = None) -> D:
        """A page of mails, in its envelope."""
        return self._one(_ASKS.list_emails(mailbox_id, limit=limit, offset=offset, direction=direction))

    def get_email(self, mailbox_id: str, email_id: str) -> D:
        """One mail."""
        return self._one(Ask("GET", _mail(mailbox_id, email_id)))

    def send_email(
        self, mailbox_id: str, *, to: Sequence[str], subject: str, markdown: str, cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None, attachments: Sequence[Mapping[str, Any]] | None = None,
        idempotency_key: str | None = None,
    ) -> D:  # fmt: skip
        """Write a mail."""
        more = {"cc": cc, "bcc": bcc, "attachments": attachments, "idempotency_key": idempotency_key}
        return self._one(_ASKS.send(mailbox_id, to=to, subject=subject, markdown=markdown, **more))

    def reply_email(
        self, mailbox_id: str, email_id: str, *, markdown: str, cc: Sequence[str] | None = None,
        bcc: Sequence[str] | None = None, attachments: Sequence[Mapping[str, Any]] | None = None,
    ) -> D:  # fmt: skip
        """Answer a mail."""
        more = {"cc": cc, "bcc": bcc, "attachments": attachments}
        return self._one(_ASKS.reply(mailbox_id, email_id, markdown=markdown, **more))

    def cancel_email(self, mailbox_id: str, email_id: str) -> D:
        """Withdraw a mail."""
        return self._one(_ASKS.cancel(mailbox_id, email_id))

    def get_thread(self, mailbox_id: str, thread_id: str) -> D:
        """A conversation."""
        return self._one(Ask("GET", f"/v1/mailboxes/{segment(mailbox_id)}/threads/{segment(thread_id)}"))

    def download_attachment(self, mailbox_id: str, email_id: str, filename: str) -> B:
        """Its bytes."""
        return self._bytes(_ASKS.download_attachment(mailbox_id, email_id, filename))

    def get_tags(self, mailbox_id: str, email_id: str) -> D:
        """The tags of a mail."""
        return self._one(_ASKS.get_tags(mailbox_id, email_id))

    def set_tags(self, mailbox_id: str, email_id: str, tags: Mapping[str, str]) -> D:
        """Add tags."""
        return self._one(_ASKS.set_tags(mailbox_id, email_id, tags))

    def delete_tag(self, mailbox_id: str, email_id: str, key: str) -> N:
        """Take one off."""
        return self._gone(_ASKS.delete_tag(mailbox_id, email_id, key))

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
        return self._all(_ASKS.list_pending(), "pending")

    def decide(self, email_id: str, action: str, *, reason: str | None = None) -> D:
        """Approve or reject."""
        return self._one(_ASKS.decide(email_id, action, reason=reason))

    # -- keys, webhooks, domains, suppression, figures -------------------------------------------------------------

    def list_api_keys(self) -> L:
        """All keys, without the keys themselves."""
        return self._all(_ASKS.list_api_keys(), "api_keys")

    def create_api_key(self, name: str, scopes: Sequence[str] | None = None) -> D:
        """Make one; it is shown once."""
        return self._one(Ask("POST", "/v1/api-keys", body={"name": name, "scopes": scopes and list(scopes)}))

    def revoke_api_key(self, key_id: str) -> N:
        """End one."""
        return self._gone(_ASKS.revoke_api_key(key_id))

    def list_webhooks(self) -> L:
        """All subscriptions."""
        return self._all(_ASKS.list_webhooks(), "webhooks")

    def create_webhook(self, url: str, events: Sequence[str], *, secret: str | None = None) -> D:
        """Subscribe a URL."""
        return self._one(_ASKS.create_webhook(url, events, secret=secret))

    def delete_webhook(self, webhook_id: str) -> N:
        """End a subscription."""
        return self._gone(_ASKS.delete_webhook(webhook_id))

    def list_domains(self) -> L:
        """All domains."""
        return self._all(_ASKS.list_domains(), "domains")

    def add_domain(self, domain: str) -> D:
        """Add one."""
        return self._one(_ASKS.add_domain(domain))

    def verify_domain(self, domain_id: str) -> D:
        """Look at its DNS records."""
        return self._one(_ASKS.verify_domain(domain_id))

    def delete_domain(self, domain_id: str) -> N:
        """Remove one."""
        return self._gone(_ASKS.delete_domain(domain_id))

    def list_suppressions(self) -> L:
        """Addresses nobody writes to."""
        return self._all(_ASKS.list_suppressions(), "suppressions")

    def remove_suppression(self, address: str) -> N:
        """Let mail go there again."""
        return self._gone(_ASKS.remove_suppression(address))

    def get_usage(self) -> D:
        """Counts of this month."""
        return self._one(_ASKS.get_usage())

    def get_audit_log(self, *, limit: int = 100) -> L:
        """The newest entries."""
        return self._all(_ASKS.audit_log(limit=limit), "entries")


def _mail(mailbox_id: str, email_id: str) -> str:
    return f"/v1/mailboxes/{segment(mailbox_id)}/emails/{segment(email_id)}"


class MultiMail(Blocking, PublishedCalls[Json, list[Json], None, bytes]):
    """The blocking client; `with` closes it."""

    def _one(self, ask: Ask) -> Json:
        return dict(self._line.send(ask))

    def _all(self, ask: Ask, key: str) -> list[Json]:
        return list(self._line.send(ask)[key])

    def _gone(self, ask: Ask) -> None:
        self._line.send(ask)

    def _bytes(self, ask: Ask) -> bytes:
        return bytes(self._line.send(ask))


class AsyncMultiMail(
    Awaited, PublishedCalls[Awaitable[Json], Awaitable[list[Json]], Awaitable[None], Awaitable[bytes]]
):
    """The same for asyncio."""

    async def _one(self, ask: Ask) -> Json:
        return dict(await self._line.send(ask))

    async def _all(self, ask: Ask, key: str) -> list[Json]:
        return list((await self._line.send(ask))[key])

    async def _gone(self, ask: Ask) -> None:
        await self._line.send(ask)

    async def _bytes(self, ask: Ask) -> bytes:
        return bytes(await self._line.send(ask))
