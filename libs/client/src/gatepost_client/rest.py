"""The whole REST door, typed: the same methods for a blocking and an asyncio client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from gatepost_client.clients import Awaited, Blocking
from gatepost_client.office_calls import OfficeCalls
from gatepost_client.office_calls import segment as _p
from gatepost_client.transport import Ask
from gatepost_client.webhooks import verify_webhook

Json = dict[str, Any]
R = TypeVar("R")
B = TypeVar("B")


class Calls(OfficeCalls[R], ABC, Generic[R, B]):
    """What can be asked. R is what a call gives back, B what a download does."""

    verify_webhook = staticmethod(verify_webhook)

    @abstractmethod
    def _do(self, ask: Ask) -> R:
        """Send it."""

    @abstractmethod
    def _bytes(self, ask: Ask) -> B:
        """Send it and take the bytes."""

    # -- the log ---------------------------------------------------------------------------------------------------

    def audit_log(self, **filters: Any) -> R:
        """`entries`, newest first: limit, cursor, resource_id, action."""
        return self._do(Ask("GET", "/v1/audit-log", filters))

    def audit_checkpoint(self, *, since: int | None = None) -> R:
        """The newest signed checkpoint; with `since`, the proof that it goes on from one of that size."""
        return self._do(Ask("GET", "/v1/audit-log/checkpoint", {"since": since}))

    def audit_export(self, **filters: Any) -> B:
        """One file to verify without us: customer, thread_id, agent, tag, since, until."""
        return self._bytes(Ask("GET", "/v1/audit-log/export", filters, is_raw=True))

    def audit_receipt(self, message_id: str, *, seq: int | None = None) -> R:
        """A record of a mail with its proven place in the log."""
        return self._do(Ask("GET", f"/v1/emails/{_p(message_id)}/receipt", {"seq": seq}))

    # -- account and mailboxes -------------------------------------------------------------------------------------

    def status(self) -> R:
        """What is left to do, by stage."""
        return self._do(Ask("GET", "/v1/status"))

    def get_account(self) -> R:
        """The account."""
        return self._do(Ask("GET", "/v1/account"))

    def list_mailboxes(self) -> R:
        """`mailboxes`."""
        return self._do(Ask("GET", "/v1/mailboxes"))

    def get_mailbox(self, mailbox: str) -> R:
        """One mailbox, by id or address."""
        return self._do(Ask("GET", f"/v1/mailboxes/{_p(mailbox)}"))

    def create_mailbox(self, address: str, display_name: str | None = None, **more: Any) -> R:
        """Make a mailbox."""
        return self._do(Ask("POST", "/v1/mailboxes", body={"address": address, "display_name": display_name} | more))

    def update_mailbox(self, mailbox: str, **settings_: Any) -> R:
        """Change settings of a mailbox."""
        return self._do(Ask("PATCH", f"/v1/mailboxes/{_p(mailbox)}", body=settings_))

    # -- mails -----------------------------------------------------------------------------------------------------

    def list_emails(self, mailbox: str, **filters: Any) -> R:
        """`emails`, newest first; filters as in the interface: status, direction, limit, cursor and others."""
        return self._do(Ask("GET", f"/v1/mailboxes/{_p(mailbox)}/emails", filters))

    def get_email(self, message_id: str, *, mark_read: bool | None = None) -> R:
        """One mail with its text."""
        return self._do(Ask("GET", f"/v1/emails/{_p(message_id)}", {"mark_read": mark_read}))

    def download_attachment(self, mailbox: str, message_id: str, name: str) -> B:
        """The bytes of an attachment, by name or id."""
        path = f"/v1/mailboxes/{_p(mailbox)}/emails/{_p(message_id)}/attachments/{_p(name)}"
        return self._bytes(Ask("GET", path, is_raw=True))

    def get_thread(self, thread_id: str, *, include: str | None = None) -> R:
        """A conversation."""
        return self._do(Ask("GET", f"/v1/threads/{_p(thread_id)}", {"include": include}))

    def merge_threads(self, thread_id: str, into: str) -> R:
        """Put the mails of a thread into another; the reply's `move_id` takes it back."""
        return self._do(Ask("POST", f"/v1/threads/{_p(thread_id)}/merge", body={"into": into}))

    def split_thread(self, thread_id: str, message_ids: Sequence[str]) -> R:
        """Put some mails of a thread into one of their own."""
        return self._do(Ask("POST", f"/v1/threads/{_p(thread_id)}/split", body={"message_ids": list(message_ids)}))

    def undo_thread_move(self, move_id: str) -> R:
        """Take a merge or a split back."""
        return self._do(Ask("POST", f"/v1/thread-moves/{_p(move_id)}/undo", body={}))

    def send(self, mailbox: str, *, to: str | Sequence[str], subject: str, markdown: str, **more: Any) -> R:
        """Write a mail."""
        body = {"to": to, "subject": subject, "markdown": markdown} | more
        return self._do(Ask("POST", f"/v1/mailboxes/{_p(mailbox)}/send", body=body))

    def reply(self, mailbox: str, message_id: str, *, markdown: str, **more: Any) -> R:
        """Answer a mail, or revise the draft that answers it."""
        path = f"/v1/mailboxes/{_p(mailbox)}/reply/{_p(message_id)}"
        return self._do(Ask("POST", path, body={"markdown": markdown} | more))

    def cancel(self, mailbox: str, message_id: str) -> R:
        """Withdraw a mail that is not on the wire."""
        return self._do(Ask("POST", f"/v1/mailboxes/{_p(mailbox)}/emails/{_p(message_id)}/cancel", body={}))

    def get_tags(self, mailbox: str, message_id: str) -> R:
        """The tags of a mail."""
        return self._do(Ask("GET", f"/v1/mailboxes/{_p(mailbox)}/emails/{_p(message_id)}/tags"))

    def set_tags(self, mailbox: str, message_id: str, tags: Mapping[str, str] | Sequence[str]) -> R:
        """Add tags to a mail."""
        held: Any = dict(tags) if isinstance(tags, Mapping) else list(tags)
        return self._do(Ask("PUT", f"/v1/mailboxes/{_p(mailbox)}/emails/{_p(message_id)}/tags", body={"tags": held}))

    def delete_tag(self, mailbox: str, message_id: str, key: str) -> R:
        """Take a tag off."""
        return self._do(Ask("DELETE", f"/v1/mailboxes/{_p(mailbox)}/emails/{_p(message_id)}/tags/{_p(key)}"))

    def why(self, message_id: str) -> R:
        """The chain of verdicts on a mail."""
        return self._do(Ask("GET", f"/v1/emails/{_p(message_id)}/why"))

    def bundle(self, message_id: str) -> R:
        """All of one mail: thread, revisions, decisions, grant, attempts, proofs."""
        return self._do(Ask("GET", f"/v1/emails/{_p(message_id)}/bundle"))

    def approval_link(self, message_id: str) -> R:
        """A link to the page of a draft that waits; `url` is in this reply and in no other."""
        return self._do(Ask("POST", f"/v1/emails/{_p(message_id)}/approval-link", body={}))

    def redeliver_event(self, event_id: str) -> R:
        """Send an event again to every webhook that it was for."""
        return self._do(Ask("POST", f"/v1/events/{_p(event_id)}/redeliver", body={}))

    def resolve(self, message_id: str, outcome: str, note: str, *, recipient: str | None = None) -> R:
        """Say what became of an uncertain mail."""
        body = {"outcome": outcome, "note": note, "recipient": recipient}
        return self._do(Ask("POST", f"/v1/emails/{_p(message_id)}/resolve", body=body))

    # -- oversight -------------------------------------------------------------------------------------------------

    def list_pending(self, mailbox: str | None = None, **filters: Any) -> R:
        """What waits for a person."""
        return self._do(Ask("GET", "/v1/oversight/pending", {"mailbox_id": mailbox} | filters))

    def decide(self, message_id: str, action: str, **more: Any) -> R:
        """Approve or reject; `revision` binds it to what you saw."""
        return self._do(Ask("POST", "/v1/oversight/decide", body={"email_id": message_id, "action": action} | more))

    def list_pauses(self) -> R:
        """The pauses in force."""
        return self._do(Ask("GET", "/v1/pauses"))

    def pause(self, scope: str, target: str | None = None, reason: str = "") -> R:
        """Stop every new attempt of a tenant, mailbox, agent or category."""
        return self._do(Ask("POST", "/v1/pauses", body={"scope": scope, "target": target, "reason": reason}))

    def resume(self, pause_id: str) -> R:
        """Lift a pause."""
        return self._do(Ask("DELETE", f"/v1/pauses/{_p(pause_id)}"))

    # -- webhooks, keys, suppression -------------------------------------------------------------------------------

    def list_webhooks(self) -> R:
        """`webhooks`."""
        return self._do(Ask("GET", "/v1/webhooks"))

    def create_webhook(self, url: str, events: Sequence[str], **more: Any) -> R:
        """Subscribe; the secret is in this reply and in no other."""
        return self._do(Ask("POST", "/v1/webhooks", body={"url": url, "events": list(events)} | more))

    def update_webhook(self, webhook_id: str, **changes: Any) -> R:
        """Another URL, other events, on or off."""
        return self._do(Ask("PATCH", f"/v1/webhooks/{_p(webhook_id)}", body=changes))

    def delete_webhook(self, webhook_id: str) -> R:
        """End a subscription."""
        return self._do(Ask("DELETE", f"/v1/webhooks/{_p(webhook_id)}"))

    def list_webhook_deliveries(self, **filters: Any) -> R:
        """What was sent to webhooks."""
        return self._do(Ask("GET", "/v1/webhook-deliveries", filters))

    def test_webhook(self, webhook_id: str, event: str | None = None) -> R:
        """Send a sample; its delivery."""
        return self._do(Ask("POST", f"/v1/webhooks/{_p(webhook_id)}/test", body={"event": event} if event else {}))

    def redeliver_webhook(self, delivery_id: str) -> R:
        """Send one again, with the same id and bytes."""
        return self._do(Ask("POST", f"/v1/webhook-deliveries/{_p(delivery_id)}/redeliver", body={}))

    def redeliver_webhooks(self, **filters: Any) -> R:
        """Send again what fits, of every webhook or of `webhook_id`; `dry_run` only counts. While `more`, ask again."""
        return self._do(Ask("POST", "/v1/webhook-deliveries/redeliver", body=filters))

    def list_api_keys(self) -> R:
        """`api_keys`."""
        return self._do(Ask("GET", "/v1/api-keys"))

    def create_api_key(self, name: str, scopes: Sequence[str], **more: Any) -> R:
        """Make a key; it is in this reply and in no other."""
        return self._do(Ask("POST", "/v1/api-keys", body={"name": name, "scopes": list(scopes)} | more))

    def revoke_api_key(self, key_id: str) -> R:
        """Revoke a key at once."""
        return self._do(Ask("DELETE", f"/v1/api-keys/{_p(key_id)}"))

    def list_suppressions(self, **page: Any) -> R:
        """`suppressions`."""
        return self._do(Ask("GET", "/v1/suppression", page))

    def add_suppression(self, address: str, **more: Any) -> R:
        """Never write to an address again."""
        return self._do(Ask("POST", "/v1/suppression", body={"address": address} | more))

    def remove_suppression(self, address: str, **more: Any) -> R:
        """Let mail go to an address again."""
        return self._do(Ask("DELETE", f"/v1/suppression/{_p(address)}", body=more or None))

    def import_suppressions(self, csv: str) -> R:
        """Add many addresses; `errors` names each line that was not taken."""
        return self._do(Ask("POST", "/v1/suppression/import", body={"csv": csv}))

    def export_suppressions(self, **filters: Any) -> B:
        """The list as CSV: mailbox, category, reason, q."""
        return self._bytes(Ask("GET", "/v1/suppression/export", filters, is_raw=True))

    # -- domains ---------------------------------------------------------------------------------------------------

    def list_domains(self) -> R:
        """`domains`, each with the records to publish and what is wrong."""
        return self._do(Ask("GET", "/v1/domains"))

    def add_domain(self, domain: str) -> R:
        """Add a domain; its DKIM keys are made."""
        return self._do(Ask("POST", "/v1/domains", body={"domain": domain}))

    def get_domain(self, domain: str) -> R:
        """One domain with its keys, by id or name."""
        return self._do(Ask("GET", f"/v1/domains/{_p(domain)}"))

    def verify_domain(self, domain: str) -> R:
        """Look at its records now."""
        return self._do(Ask("POST", f"/v1/domains/{_p(domain)}/verify"))

    def rotate_domain_key(self, domain: str, step: str) -> R:
        """Change its DKIM keys: next, switch, retire."""
        return self._do(Ask("POST", f"/v1/domains/{_p(domain)}/rotate", body={"step": step}))

    def delete_domain(self, domain: str) -> R:
        """Take it off the account."""
        return self._do(Ask("DELETE", f"/v1/domains/{_p(domain)}"))


class Gatepost(Blocking, Calls[Json, bytes]):
    """A blocking client of the whole REST door; `with` closes it."""

    def _do(self, ask: Ask) -> Json:
        reply: Json = self._line.send(ask)
        return reply

    def _bytes(self, ask: Ask) -> bytes:
        content: bytes = self._line.send(ask)
        return content


class AsyncGatepost(Awaited, Calls[Awaitable[Json], Awaitable[bytes]]):
    """The same for asyncio: every call is awaited."""

    async def _do(self, ask: Ask) -> Json:
        reply: Json = await self._line.send(ask)
        return reply

    async def _bytes(self, ask: Ask) -> bytes:
        content: bytes = await self._line.send(ask)
        return content
