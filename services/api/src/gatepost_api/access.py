"""The access table: who may call what, at which door, and what it touches.

The router is built from it and from nothing else: a route without a row cannot exist, and a test compares the running
application with it. The RPC names and the Zapier paths are columns of the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Door = Literal["rest", "rpc", "mcp", "token", "meta"]

# Words of the scope column that are not scopes of a key: a role, or nobody at all.
OPERATOR, PERSON, ANY_KEY, PUBLIC = "operator", "person", "any", "public"


@dataclass(frozen=True)
class Access:
    """One command: its scopes (any of them is enough), the column that ties it to a tenant, and its paths."""

    command: str
    scope: tuple[str, ...]
    tenant: str
    mutates: bool = False
    outward: bool = False
    rest: tuple[tuple[str, str], ...] = ()
    rpc: str | tuple[str, ...] = ""
    zapier: tuple[tuple[str, str], ...] = ()
    status: int = 200
    secret: tuple[str, ...] = ()
    doc: str = ""
    code: tuple[str, ...] = ()  # given any of these fields, or always (*): a key but the operator's first needs a code


@dataclass(frozen=True)
class Route:
    """One method and path, and all that guards it."""

    door: Door
    method: str
    path: str
    command: str
    scope: tuple[str, ...]
    tenant: str
    mutates: bool
    outward: bool
    status: int
    secret: tuple[str, ...]
    doc: str
    code: tuple[str, ...] = ()


M, E = "/v1/mailboxes/{mailbox}", "/v1/mailboxes/{mailbox}/emails/{message_id}"
READ, SEND, SEE, DECIDE, ADMIN = "read", "send", "oversight_read", "oversight", "admin"

ACCESS: tuple[Access, ...] = (
    # -- mails ------------------------------------------------------------------------------------------------------
    Access("check_inbox", (READ,), "message.tenant_id", rest=(("GET", f"{M}/emails"),), rpc="check_inbox",
           zapier=(("GET", "/v1/emails/inbox"),), doc="List mails, newest first."),
    Access("list_spam", (READ,), "message.tenant_id", rest=(("GET", "/v1/emails"),), rpc="list_spam",
           doc="List mails by status; without one, what was flagged as spam."),
    Access("read_email", (READ,), "message.tenant_id",
           rest=(("GET", E), ("GET", "/v1/emails/{message_id}")), rpc="read_email",
           doc="Read one mail. An agent's key marks it read."),
    Access("download_attachment", (READ,), "message.tenant_id", rest=(("GET", E + "/attachments/{attachment}"),),
           rpc="download_attachment", doc="The bytes of one attachment."),
    Access("attachment_url", (READ,), "message.tenant_id", rest=(("GET", E + "/attachments/{attachment}/url"),),
           doc="An address that gives one attachment to whoever has it, for an hour."),
    Access("open_attachment", (PUBLIC,), "token", rest=(("GET", "/v1/attachments/{token}"),),
           doc="What such an address gives: a download, nothing else."),
    Access("list_quarantine", (SEE,), "message.tenant_id", rest=(("GET", "/v1/quarantine"),),
           doc="Mail that is kept aside, with the reasons."),
    Access("release_quarantined", (DECIDE,), "message.tenant_id", mutates=True,
           rest=(("POST", "/v1/quarantine/{message_id}/release"),), doc="Let agents see a mail that is kept aside."),
    Access("discard_quarantined", (DECIDE, OPERATOR), "message.tenant_id", mutates=True,
           rest=(("POST", "/v1/quarantine/{message_id}/discard"),), doc="Throw away a mail that is kept aside."),
    Access("get_thread", (READ,), "thread.tenant_id",
           rest=(("GET", f"{M}/threads/{{thread_id}}"), ("GET", "/v1/threads/{thread_id}")), rpc="get_thread",
           zapier=(("GET", "/v1/emails/thread/{thread_id}"),), doc="A whole conversation, oldest first."),
    Access("merge_threads", (DECIDE, OPERATOR), "thread.tenant_id", mutates=True,
           rest=(("POST", "/v1/threads/{thread_id}/merge"),), doc="Put its mails into the thread `into`; a person's act."),
    Access("split_thread", (DECIDE, OPERATOR), "thread.tenant_id", mutates=True,
           rest=(("POST", "/v1/threads/{thread_id}/split"),), doc="Put the mails `message_ids` into a thread of their own."),
    Access("undo_thread_move", (DECIDE, OPERATOR), "thread.tenant_id", mutates=True,
           rest=(("POST", "/v1/thread-moves/{move_id}/undo"),), doc="Take a merge or a split back."),
    Access("send_email", (SEND,), "mailbox.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", f"{M}/send"),), rpc="send_email", zapier=(("POST", "/v1/emails/send"),),
           doc="Write a mail. It leaves when the mailbox's oversight lets it."),
    Access("reply_email", (SEND,), "message.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", f"{M}/reply/{{message_id}}"),), rpc="reply_email",
           zapier=(("POST", "/v1/emails/{message_id}/reply"),),
           doc="Answer a mail, or revise the draft that answers it."),
    Access("cancel_message", (SEND, DECIDE, OPERATOR), "message.tenant_id", mutates=True,
           rest=(("POST", E + "/cancel"),), rpc="cancel_message", doc="Withdraw a mail that is not on the wire."),
    Access("get_tags", (READ,), "message.tenant_id", rest=(("GET", E + "/tags"),), rpc="get_tags",
           doc="The tags of a mail."),
    Access("set_tags", (SEND, DECIDE, OPERATOR), "message.tenant_id", mutates=True, rest=(("PUT", E + "/tags"),), rpc="set_tags",
           doc="Add tags to a mail; `mode=replace` replaces them."),
    Access("tag_email", (SEND, DECIDE, OPERATOR), "message.tenant_id", mutates=True, rpc="tag_email",
           zapier=(("POST", "/v1/emails/{message_id}/tag"),), doc="Add tags to a mail."),
    Access("delete_tag", (SEND, DECIDE, OPERATOR), "message.tenant_id", mutates=True, rest=(("DELETE", E + "/tags/{key}"),),
           rpc="delete_tag", doc="Take one tag off a mail."),
    Access("edit_scheduled_email", (SEND,), "message.tenant_id", mutates=True, rest=(("PATCH", E + "/schedule"),),
           rpc="edit_scheduled_email", doc="Another moment, or another text, of your own mail that was not approved yet."),
    Access("forward_email", (SEND,), "message.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", f"{M}/forward/{{message_id}}"),), rpc="forward_email",
           doc="Send a mail on, with its attachments. The gate judges it like any other."),
    Access("report_spam", (SEND,), "message.tenant_id", mutates=True,
           rest=(("POST", "/v1/emails/{message_id}/report-spam"),), rpc="report_spam", doc="Label a mail as spam."),
    Access("not_spam", (SEND,), "message.tenant_id", mutates=True,
           rest=(("POST", "/v1/emails/{message_id}/not-spam"),), rpc="not_spam", doc="Take the label away again."),
    Access("manage_spam_status", (SEND,), "message.tenant_id", mutates=True, rpc="manage_spam_status",
           doc="Report spam, or take it back: `action` report or clear."),
    Access("wait_for_email", (READ,), "message.tenant_id", rest=(("GET", "/v1/emails/wait"),), rpc="wait_for_email",
           doc="The next mail that comes in, as soon as it is there."),
    Access("list_events", (READ,), "audit_record.tenant_id", rest=(("GET", "/v1/events"),),
           doc="What happened, oldest first by cursor; with `Accept: text/event-stream`, as it happens."),
    Access("get_event", (READ,), "audit_record.tenant_id", rest=(("GET", "/v1/events/{event_id}"),),
           doc="One event again."),
    Access("redeliver_event", (ADMIN,), "audit_record.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", "/v1/events/{event_id}/redeliver"),), doc="Send an event again to every webhook that it was for."),
    Access("why", (SEE,), "message.tenant_id", rest=(("GET", "/v1/emails/{message_id}/why"),),
           doc="The chain of verdicts on one mail."),
    Access("get_bundle", (DECIDE, ADMIN), "message.tenant_id", rest=(("GET", "/v1/emails/{message_id}/bundle"),),
           doc="One mail's whole file: thread, revisions, decisions, grant, attempts, and the proof of each step."),
    Access("resolve", (PERSON,), "message.tenant_id", mutates=True,
           rest=(("POST", "/v1/emails/{message_id}/resolve"),), doc="Say what became of an uncertain mail."),
    # -- oversight --------------------------------------------------------------------------------------------------
    Access("list_pending", (SEE,), "message.tenant_id", rest=(("GET", "/v1/oversight/pending"),), rpc="list_pending",
           zapier=(("GET", "/v1/emails/pending"),), doc="What waits for a person."),
    Access("decide_email", (DECIDE, OPERATOR), "message.tenant_id", mutates=True, outward=True,
           rest=(("POST", "/v1/oversight/decide"),), rpc="decide_email",
           zapier=(("POST", "/v1/emails/{message_id}/decide"),), doc="Approve, edit or reject what waits."),
    Access("decide_many", (DECIDE, OPERATOR), "message.tenant_id", mutates=True, outward=True,
           rest=(("POST", "/v1/oversight/decide-many"),), doc="One decision on many mails held for the same reasons."),
    Access("claim_email", (DECIDE,), "message.tenant_id", mutates=True, rest=(("POST", "/v1/oversight/claim"),),
           doc="Take a draft for a while, so that nobody else works on it."),
    Access("release_claim", (DECIDE,), "message.tenant_id", mutates=True, rest=(("POST", "/v1/oversight/release"),),
           doc="Give a draft back that was taken."),
    Access("make_approval_link", (DECIDE, OPERATOR), "message.tenant_id", mutates=True, status=201, secret=("url",),
           rest=(("POST", "/v1/emails/{message_id}/approval-link"),),
           doc="A link to the page of one draft that waits; it ends with its life or with the decision."),
    Access("show_approval", (PUBLIC,), "token", rest=(("GET", "/v1/approve/{token}"),),
           doc="The page of one draft: original, thread, draft, reasons. Looking changes nothing."),
    Access("approve_by_link", (DECIDE,), "token", mutates=True, outward=True, rest=(("POST", "/v1/approve/{token}"),),
           doc="Decide on what the page showed, with a reviewer's own key."),
    Access("create_pause", (ANY_KEY,), "pause.tenant_id", mutates=True, status=201, rest=(("POST", "/v1/pauses"),),
           doc="Stop every new attempt. Anyone may."),
    Access("list_pauses", (READ,), "pause.tenant_id", rest=(("GET", "/v1/pauses"),), doc="Pauses in force."),
    Access("delete_pause", (OPERATOR,), "pause.tenant_id", mutates=True, rest=(("DELETE", "/v1/pauses/{id}"),),
           doc="Lift a pause. Only an operator may."),
    # -- mailboxes --------------------------------------------------------------------------------------------------
    Access("list_mailboxes", (READ,), "mailbox.tenant_id", rest=(("GET", "/v1/mailboxes"),), rpc="list_mailboxes",
           doc="The mailboxes of the account."),
    Access("create_mailbox", (ADMIN,), "tenant.id", mutates=True, status=201, rest=(("POST", "/v1/mailboxes"),),
           rpc="create_mailbox", code=("*",), doc="Make a mailbox."),
    Access("get_mailbox", (READ,), "mailbox.tenant_id", rest=(("GET", M),), doc="One mailbox."),
    Access("update_mailbox", (ADMIN, SEND, DECIDE), "mailbox.tenant_id", mutates=True,
           rest=(("PATCH", M), ("PATCH", f"{M}/configure")), rpc=("update_mailbox", "configure_mailbox"),
           code=("auto_cc", "auto_bcc", "webhook_url", "oversight_webhook_url"),
           doc="Change a mailbox; a stricter mode needs no operator."),
    Access("delete_mailbox", (ADMIN,), "mailbox.tenant_id", mutates=True, rest=(("DELETE", M),), rpc="delete_mailbox",
           code=("*",), doc="End a mailbox; its address is never given again, its mail stays."),
    Access("restore_mailbox", (OPERATOR,), "mailbox.tenant_id", mutates=True, rest=(("POST", f"{M}/restore"),),
           doc="Take the end of a mailbox back."),
    # -- autonomy ---------------------------------------------------------------------------------------------------
    Access("request_upgrade", (SEND, DECIDE, OPERATOR), "mailbox.tenant_id", mutates=True, status=202,
           rest=(("POST", f"{M}/request-upgrade"),), rpc="request_upgrade",
           doc="Ask for a looser mode: a one-time code goes to the oversight address."),
    Access("apply_upgrade", (OPERATOR,), "mailbox.tenant_id", mutates=True, rest=(("POST", f"{M}/upgrade"),),
           rpc="apply_upgrade", doc="Redeem the code. Only an operator may."),
    Access("manage_upgrade", (SEND, DECIDE, OPERATOR), "mailbox.tenant_id", mutates=True, rpc="manage_upgrade",
           doc="Ask for a looser mode, or redeem its code: `action` request or apply."),
    Access("list_categories", (READ,), "mailbox.tenant_id", rest=(("GET", f"{M}/categories"),),
           doc="The categories of a mailbox: rule, mode, evidence."),
    Access("get_category", (READ,), "mailbox.tenant_id", rest=(("GET", f"{M}/categories/{{name}}"),),
           doc="One category."),
    Access("set_category", (ADMIN, SEND, DECIDE), "mailbox.tenant_id", mutates=True,
           rest=(("PUT", f"{M}/categories/{{name}}"),),
           doc="Set a category's rule or mode; a stricter mode needs no operator."),
    Access("delete_category", (OPERATOR,), "mailbox.tenant_id", mutates=True,
           rest=(("DELETE", f"{M}/categories/{{name}}"),), doc="End a category. Only an operator may."),
    Access("list_allowlist", (READ,), "mailbox.tenant_id", rest=(("GET", f"{M}/allowlist"),), rpc="list_allowlist",
           doc="Recipients to whom mail goes its own way."),
    Access("add_allowlist_entry", (SEND, DECIDE, OPERATOR), "mailbox.tenant_id", mutates=True, status=201,
           rest=(("POST", f"{M}/allowlist"),), rpc="add_allowlist_entry",
           doc="Let mail to a recipient go its own way. Only an operator may; others ask, and a code goes to the oversight address."),
    Access("remove_allowlist_entry", (SEND, DECIDE, ADMIN), "mailbox.tenant_id", mutates=True,
           rest=(("DELETE", f"{M}/allowlist/{{entry}}"),), rpc="remove_allowlist_entry",
           doc="Take a recipient off the list."),
    Access("evidence", (SEE,), "mailbox.tenant_id", rest=(("GET", f"{M}/evidence"),),
           doc="What people's reviews prove of each category, and how many more are needed."),
    Access("dry_run", (DECIDE, ADMIN), "mailbox.tenant_id", rest=(("POST", f"{M}/dry-run"),),
           doc="What another policy would have done with the past days. Nothing is changed."),
    # -- webhooks ---------------------------------------------------------------------------------------------------
    Access("list_webhooks", (ADMIN,), "endpoint.tenant_id", rest=(("GET", "/v1/webhooks"), ("GET", "/webhooks")),
           rpc="list_webhooks", doc="The webhook subscriptions."),
    Access("create_webhook", (ADMIN,), "tenant.id", mutates=True, status=201, secret=("signing_secret", "secret"),
           rest=(("POST", "/v1/webhooks"), ("POST", "/webhooks")), rpc="create_webhook",
           code=("*",), doc="Subscribe a URL to events."),
    Access("get_webhook", (ADMIN,), "endpoint.tenant_id", rest=(("GET", "/v1/webhooks/{id}"),),
           doc="One subscription."),
    Access("update_webhook", (ADMIN,), "endpoint.tenant_id", mutates=True, rest=(("PATCH", "/v1/webhooks/{id}"),),
           code=("url",), doc="Change a subscription."),
    Access("delete_webhook", (ADMIN,), "endpoint.tenant_id", mutates=True, rest=(("DELETE", "/v1/webhooks/{id}"),),
           rpc="delete_webhook", doc="End a subscription."),
    Access("rotate_webhook_secret", (ADMIN,), "endpoint.tenant_id", mutates=True, secret=("signing_secret", "secret"),
           rest=(("POST", "/v1/webhooks/{id}/rotate-secret"),),
           doc="A new secret, with a grace for the old one."),
    Access("test_webhook", (ADMIN,), "endpoint.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", "/v1/webhooks/{id}/test"),), doc="Send a sample event to a webhook."),
    Access("recover_webhook", (ADMIN,), "endpoint.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", "/v1/webhooks/{id}/recover"),),
           doc="Send again what an outage left; `dry_run` only counts."),
    Access("redeliver_webhooks", (ADMIN,), "webhook_delivery.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", "/v1/webhook-deliveries/redeliver"),),
           doc="Send again what fits, of all webhooks or of one; `dry_run` only counts."),
    Access("list_webhook_deliveries", (ADMIN,), "webhook_delivery.tenant_id",
           rest=(("GET", "/v1/webhook-deliveries"),), doc="What was sent to webhooks, and how it went."),
    Access("get_webhook_delivery", (ADMIN,), "webhook_delivery.tenant_id",
           rest=(("GET", "/v1/webhook-deliveries/{id}"),), doc="One delivery with its payload."),
    Access("redeliver_webhook", (ADMIN,), "webhook_delivery.tenant_id", mutates=True, outward=True, status=202,
           rest=(("POST", "/v1/webhook-deliveries/{id}/redeliver"),), doc="Send one delivery again, with the same id."),
    # -- keys -------------------------------------------------------------------------------------------------------
    Access("list_api_keys", (ADMIN,), "api_key.tenant_id", rest=(("GET", "/v1/api-keys"),), rpc="list_api_keys",
           doc="The keys of the account, without the keys themselves."),
    Access("create_api_key", (ADMIN,), "tenant.id", mutates=True, status=201, secret=("api_key", "key"),
           rest=(("POST", "/v1/api-keys"),), rpc="create_api_key", code=("*",), doc="Make a key; it is shown once."),
    Access("update_api_key", (ADMIN,), "api_key.tenant_id", mutates=True, rest=(("PATCH", "/v1/api-keys/{id}"),),
           doc="Rename a key, or take scopes from it. More scopes are a new key."),
    Access("revoke_api_key", (ADMIN,), "api_key.tenant_id", mutates=True, rest=(("DELETE", "/v1/api-keys/{id}"),),
           rpc="revoke_api_key", code=("*",), doc="Revoke a key at once."),
    # -- contacts ---------------------------------------------------------------------------------------------------
    Access("search_contacts", (READ,), "contact.tenant_id", rest=(("GET", "/v1/contacts"),), rpc="search_contacts",
           doc="People this account knows."),
    Access("add_contact", (SEND, ADMIN), "contact.tenant_id", mutates=True, status=201,
           rest=(("POST", "/v1/contacts"),), rpc="add_contact", doc="Remember a person, or change what is known."),
    Access("delete_contact", (ADMIN,), "contact.tenant_id", mutates=True, rest=(("DELETE", "/v1/contacts/{id}"),),
           rpc="delete_contact", doc="Forget a contact."),
    # -- suppression ------------------------------------------------------------------------------------------------
    Access("list_suppression", (ADMIN,), "suppression.tenant_id", rest=(("GET", "/v1/suppression"),),
           rpc="list_suppression", doc="Addresses nobody here writes to."),
    Access("add_suppression", (SEND, ADMIN), "suppression.tenant_id", mutates=True, status=201,
           rest=(("POST", "/v1/suppression"),), doc="Never write to an address again."),
    Access("import_suppression", (ADMIN,), "suppression.tenant_id", mutates=True,
           rest=(("POST", "/v1/suppression/import"),), doc="Add many addresses, from CSV or a list."),
    Access("export_suppression", (ADMIN,), "suppression.tenant_id", rest=(("GET", "/v1/suppression/export"),),
           doc="The list as CSV."),
    Access("remove_suppression", (OPERATOR,), "suppression.tenant_id", mutates=True,
           rest=(("DELETE", "/v1/suppression/{address}"),), rpc="remove_suppression",
           doc="Let mail go to an address again. Only an operator may."),
    # -- the log ----------------------------------------------------------------------------------------------------
    Access("get_audit_log", (ADMIN,), "audit_record.tenant_id", rest=(("GET", "/v1/audit-log"),), rpc="get_audit_log",
           doc="What was done, by whom and under which rules, newest first."),
    Access("get_audit_checkpoint", (READ,), "none", rest=(("GET", "/v1/audit-log/checkpoint"),),
           doc="The newest signed checkpoint of the log, and the proof that it goes on from one that you kept."),
    Access("export_audit_log", (ADMIN,), "audit_record.tenant_id", rest=(("GET", "/v1/audit-log/export"),),
           doc="One file of the log for offline verification: by customer, thread, agent, tag, metadata, time."),
    Access("get_audit_receipt", (SEE, ADMIN), "message.tenant_id",
           rest=(("GET", "/v1/emails/{message_id}/receipt"),),
           doc="A record of a mail with its proven place in the log."),
    # -- domains ----------------------------------------------------------------------------------------------------
    Access("list_domains", (ADMIN,), "domain.tenant_id", rest=(("GET", "/v1/domains"),), rpc="list_domains",
           doc="The domains of the account, with the records to publish."),
    Access("add_domain", (ADMIN,), "tenant.id", mutates=True, status=201, rest=(("POST", "/v1/domains"),),
           rpc="add_domain", doc="Add a domain: its DKIM keys are made, and the records to publish are listed."),
    Access("get_domain", (ADMIN,), "domain.tenant_id", rest=(("GET", "/v1/domains/{id}"),), doc="One domain."),
    Access("delete_domain", (OPERATOR,), "domain.tenant_id", mutates=True, rest=(("DELETE", "/v1/domains/{id}"),),
           doc="Take a domain off the account."),
    Access("verify_domain", (ADMIN,), "domain.tenant_id", mutates=True,
           rest=(("POST", "/v1/domains/{id}/verify"),), rpc="verify_domain",
           doc="Look at the domain's records now, and say what is wrong in words."),
    Access("rotate_domain_key", (OPERATOR,), "domain.tenant_id", mutates=True,
           rest=(("POST", "/v1/domains/{id}/rotate"),),
           doc="Change the DKIM keys: `step` is next, switch (after the DNS was checked) or retire."),
    # -- who sent this ----------------------------------------------------------------------------------------------
    Access("verify_page", (PUBLIC,), "none", rest=(("GET", "/verify"),),
           doc="A page that checks an identity header in the browser."),
    # -- people's data ----------------------------------------------------------------------------------------------
    Access("get_person", (ADMIN,), "message.tenant_id", rest=(("GET", "/v1/people/{address}"),),
           doc="What is stored of one address: its mails, and what keeps them."),
    Access("erase_person", (OPERATOR,), "message.tenant_id", mutates=True, rest=(("DELETE", "/v1/people/{address}"),),
           doc="Erase what one address wrote or was written, with a certificate. The log keeps its records."),
    Access("list_holds", (ADMIN,), "legal_hold.tenant_id", rest=(("GET", "/v1/legal-holds"),),
           doc="The legal holds in force."),
    Access("place_hold", (OPERATOR,), "legal_hold.tenant_id", mutates=True, status=201,
           rest=(("POST", "/v1/legal-holds"),), doc="Keep data whatever a clock or a person says."),
    Access("lift_hold", (OPERATOR,), "legal_hold.tenant_id", mutates=True, rest=(("DELETE", "/v1/legal-holds/{id}"),),
           doc="End a legal hold."),
    # -- the account and the machine --------------------------------------------------------------------------------
    Access("get_account", (READ,), "tenant.id", rest=(("GET", "/v1/account"),), rpc="get_account",
           doc="The account."),
    Access("update_account", (ADMIN,), "tenant.id", mutates=True, rest=(("PATCH", "/v1/account"),),
           rpc="update_account", code=("oversight_email",),
           doc="Name, postal address, oversight address of the account, and how soon it hears (`pending_mail`)."),
    Access("get_usage", (READ,), "tenant.id", rest=(("GET", "/v1/usage"),), rpc="get_usage",
           doc="How many mails, calls and decisions, in all or by day."),
    Access("stats", (READ,), "message.tenant_id", rest=(("GET", "/v1/stats"),),
           doc="The queue and the decisions in figures; a rate without decisions is null."),
    Access("export_account", (ADMIN,), "tenant.id", rest=(("GET", "/v1/export"),),
           doc="All of the account as one JSON document, once an hour."),
    Access("report_issue", (ANY_KEY,), "feedback.tenant_id", mutates=True, status=201,
           rest=(("POST", "/v1/support"), ("POST", "/v1/feedback")), rpc="report_issue",
           doc="Tell the operator that something is wrong."),
    Access("list_issues", (ADMIN,), "feedback.tenant_id", rest=(("GET", "/v1/feedback"),),
           doc="What was told to the operator, newest first."),
    Access("billing", (ADMIN,), "none", status=501,
           rest=(("POST", "/v1/billing/checkout"), ("POST", "/v1/billing/portal"), ("POST", "/v1/billing/cancel"),
                 ("POST", "/v1/billing/crypto-checkout"), ("POST", "/v1/billing/pricing-checkout"),
                 ("GET", "/v1/billing/session-key")),
           rpc=("upgrade_plan", "cancel_subscription", "get_billing_portal"), doc="There is no billing here: 501."),
    Access("delete_account", (ADMIN,), "tenant.id", status=501, rest=(("DELETE", "/v1/account"),),
           rpc="delete_account", doc="The operator ends an installation at the machine: 501."),
    Access("sign_up", (PUBLIC,), "none", status=501,
           rest=(("POST", "/v1/account"), ("POST", "/v1/account/challenge"), ("POST", "/v1/account/resend-confirmation"),
                 ("POST", "/v1/confirm"), ("GET", "/v1/confirm/{code}")),
           rpc=("request_challenge", "create_account", "resend_confirmation", "activate_account"),
           doc="Accounts are made by the operator: 501."),
    Access("signing_keys", (PUBLIC,), "none",
           rest=(("GET", "/.well-known/gatepost-signing-key"), ("GET", "/.well-known/multimail-signing-key")),
           doc="The public keys of the identity header."),
    Access("setup_multimail", (PUBLIC,), "none", rpc="setup_multimail", doc="How a program begins here."),
    Access("oauth_resource", (PUBLIC,), "none",
           rest=(("GET", "/.well-known/oauth-protected-resource"), ("GET", "/.well-known/oauth-protected-resource/mcp")),
           doc="Which keys this resource takes, and their scopes (RFC 9728)."),
    Access("status", (READ,), "message.tenant_id", rest=(("GET", "/v1/status"),),
           doc="What is left to do, by stage; `quiet` when no work of the machine is left."),
    Access("list_dead_letters", (ADMIN,), "event.tenant_id", rest=(("GET", "/v1/dead-letters"),),
           doc="Events that could not be handled."),
    Access("get_dead_letter", (ADMIN,), "event.tenant_id", rest=(("GET", "/v1/dead-letters/{seq}"),),
           doc="One of them, with its event and the reason."),
    Access("redrive_dead_letter", (OPERATOR,), "event.tenant_id", mutates=True, status=202,
           rest=(("POST", "/v1/dead-letters/{seq}/redrive"),), doc="Handle it again."),
    Access("drop_dead_letter", (OPERATOR,), "event.tenant_id", mutates=True,
           rest=(("DELETE", "/v1/dead-letters/{seq}"),), doc="Forget it."),
    Access("review_page", (PUBLIC,), "none", rest=(("GET", "/review"),),
           doc="Where links of notices lead: how a reviewer decides. It shows no mail and decides nothing."),
    Access("show_unsubscribe", (PUBLIC,), "token", rest=(("GET", "/v1/unsubscribe/{token}"),),
           doc="A page with a button. Looking changes nothing."),
    Access("unsubscribe", (PUBLIC,), "token", mutates=True, rest=(("POST", "/v1/unsubscribe/{token}"),),
           doc="One click: never write to this address again (RFC 8058)."),
    Access("health", (PUBLIC,), "none", rest=(("GET", "/health"),), doc="Whether the doors can do their work."),
    Access("openapi", (PUBLIC,), "none", rest=(("GET", "/v1/openapi.json"),), doc="This interface as a document."),
)  # fmt: skip

_DOORS: dict[str, Door] = {
    "show_approval": "token", "approve_by_link": "token",
    "show_unsubscribe": "token", "unsubscribe": "token", "health": "meta", "openapi": "meta", "oauth_resource": "meta",
    "signing_keys": "meta", "verify_page": "meta", "review_page": "meta", "open_attachment": "token",
}  # fmt: skip


def routes() -> Iterator[Route]:
    """Every route, literal segments before parameters, so that `/v1/emails/inbox` is not a mail called inbox."""
    found = [route for row in ACCESS for route in _of(row)]
    return iter(sorted(found, key=lambda r: [(part.startswith("{"), part) for part in r.path.split("/")]))


def _of(row: Access) -> Iterator[Route]:
    paths: list[tuple[Door, str, str]] = [(_DOORS.get(row.command, "rest"), *p) for p in (*row.rest, *row.zapier)]
    names = (row.rpc,) if isinstance(row.rpc, str) else row.rpc
    methods = ("POST",) if row.mutates or row.status == 501 else ("GET", "POST")
    paths += [("rpc", method, f"/{name}") for name in names if name for method in methods]
    for door, method, path in paths:
        spoken: Door = "rpc" if path == "/webhooks" else door
        yield Route(spoken, method, path, row.command, row.scope, row.tenant, row.mutates, row.outward, row.status,
                    row.secret, row.doc, row.code)  # fmt: skip
