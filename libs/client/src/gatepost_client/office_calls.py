"""The REST door's calls about the account itself: settings, people, figures, events, keys' and mailboxes' ends."""

from __future__ import annotations

import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from gatepost_client.transport import Ask

R = TypeVar("R")


def segment(word: str) -> str:
    """A part of a path."""
    return urllib.parse.quote(word, safe="")


class OfficeCalls(ABC, Generic[R]):
    """What can be asked about an account. R is what a call gives back."""

    @abstractmethod
    def _do(self, ask: Ask) -> R:
        """Send it."""

    # -- the account -----------------------------------------------------------------------------------------------

    def update_account(self, **changes: Any) -> R:
        """Name, oversight_email, pending_mail, physical_address."""
        return self._do(Ask("PATCH", "/v1/account", body=changes, keeps_null=True))

    def get_usage(self, **span: Any) -> R:
        """Counts; `breakdown="daily"` gives them by day, `from` and `to` are epoch milliseconds."""
        return self._do(Ask("GET", "/v1/usage", span))

    def get_stats(self, mailbox: str | None = None, since: str | None = None) -> R:
        """The queue and the decisions in figures; a rate over nothing is None."""
        return self._do(Ask("GET", "/v1/stats", {"mailbox": mailbox, "since": since}))

    def export_account(self) -> R:
        """All of the account as one document; once an hour."""
        return self._do(Ask("GET", "/v1/export"))

    def report_issue(self, text: str, *, severity: str | None = None, context: str | None = None) -> R:
        """Tell the operator what is wrong."""
        return self._do(Ask("POST", "/v1/feedback", body={"text": text, "severity": severity, "context": context}))

    def list_issues(self, **page: Any) -> R:
        """What was reported, newest first."""
        return self._do(Ask("GET", "/v1/feedback", page))

    # -- mailboxes, keys, contacts ---------------------------------------------------------------------------------

    def delete_mailbox(self, mailbox: str) -> R:
        """End a mailbox; its mail stays, and its address is never given again."""
        return self._do(Ask("DELETE", f"/v1/mailboxes/{segment(mailbox)}"))

    def restore_mailbox(self, mailbox: str) -> R:
        """Take the end of a mailbox back."""
        return self._do(Ask("POST", f"/v1/mailboxes/{segment(mailbox)}/restore", body={}))

    def update_api_key(self, key_id: str, *, name: str | None = None, scopes: Sequence[str] | None = None) -> R:
        """Rename a key, or take scopes from it."""
        body = {"name": name, "scopes": None if scopes is None else list(scopes)}
        return self._do(Ask("PATCH", f"/v1/api-keys/{segment(key_id)}", body=body))

    def list_contacts(self, q: str | None = None, **page: Any) -> R:
        """`contacts`, by a part of the name or address."""
        return self._do(Ask("GET", "/v1/contacts", {"q": q} | page))

    def add_contact(self, email: str, name: str | None = None, tags: Sequence[str] | None = None) -> R:
        """Remember a person, or change what is known."""
        body = {"email": email, "name": name, "tags": None if tags is None else list(tags)}
        return self._do(Ask("POST", "/v1/contacts", body=body))

    def delete_contact(self, contact_id: str) -> R:
        """Forget a contact."""
        return self._do(Ask("DELETE", f"/v1/contacts/{segment(contact_id)}"))

    # -- mails -----------------------------------------------------------------------------------------------------

    def forward(self, mailbox: str, message_id: str, *, to: str | Sequence[str], markdown: str = "", **more: Any) -> R:
        """Send a mail on, with its attachments."""
        path = f"/v1/mailboxes/{segment(mailbox)}/forward/{segment(message_id)}"
        return self._do(Ask("POST", path, body={"to": to, "markdown": markdown or None} | more))

    def edit_scheduled(self, mailbox: str, message_id: str, **changes: Any) -> R:
        """Another moment (`send_at`) or text of your own mail that was not approved yet."""
        path = f"/v1/mailboxes/{segment(mailbox)}/emails/{segment(message_id)}/schedule"
        return self._do(Ask("PATCH", path, body=changes))

    def report_spam(self, message_id: str) -> R:
        """Label a mail as spam."""
        return self._do(Ask("POST", f"/v1/emails/{segment(message_id)}/report-spam", body={}))

    def not_spam(self, message_id: str) -> R:
        """Take the label away."""
        return self._do(Ask("POST", f"/v1/emails/{segment(message_id)}/not-spam", body={}))

    def wait_for_email(self, mailbox: str | None = None, *, timeout_seconds: int = 20, **filters: Any) -> R:
        """The next mail that comes in; `found` is False when none did. Keep it below the client's own timeout."""
        params = {"mailbox": mailbox, "timeout_seconds": timeout_seconds} | filters
        return self._do(Ask("GET", "/v1/emails/wait", params))

    # -- events ----------------------------------------------------------------------------------------------------

    def list_events(self, cursor: str | None = None, **filters: Any) -> R:
        """`events`, oldest first; give the last `cursor` back to go on."""
        return self._do(Ask("GET", "/v1/events", {"cursor": cursor} | filters))

    def get_event(self, event_id: str) -> R:
        """One event again."""
        return self._do(Ask("GET", f"/v1/events/{segment(event_id)}"))
