"""The MCP tools: names, parameters and hints as published clients and their users' models know them.

A tool is a spelling of a command; the access table says who may. Aliases are optional properties, and what is needed is
checked by the command, since some model APIs take no `anyOf` at the top of a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Args = Mapping[str, Any]
Choice = str | Callable[[Args], str]

_TEXT, _LIST, _FLAG = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "boolean"}
_NUMBER, _OBJECT = {"type": "integer"}, {"type": "object"}
_ANY_TAGS = {"description": "A map, or a list of `key` and `key=value`."}
_KINDS: dict[str, dict[str, Any]] = {
    "to": _LIST, "cc": _LIST, "bcc": _LIST, "attachments": {"type": "array", "items": _OBJECT}, "scopes": _LIST, "events": _LIST,
    "metadata": _OBJECT, "tags": _ANY_TAGS, "limit": _NUMBER, "timeout_seconds": _NUMBER, "final": _FLAG, "has_attachments": _FLAG,
    "scheduling_enabled": _FLAG, "ai_disclosure": _FLAG, "forward_inbound": _FLAG, "covers_ask": _FLAG, "reply_all": _FLAG,
    "accepted_tos": _FLAG, "accepted_operator_agreement": _FLAG, "accepted_anti_spam_policy": _FLAG, "pow_solution": _OBJECT,
    "revision": {"description": "The number of the revision you saw, or its content_sha256."},
    "filter": {"description": "A status such as `unread`, or an object {sender, subject_contains}."},
    "send_at": {"type": "string", "description": "When to send, e.g. 2026-01-31T12:00:00Z."},
    "oversight_mode": {"type": "string", "enum": ["read_only", "gated_all", "gated_send", "monitored", "autonomous"]},
    "markdown": {"type": "string", "description": "The text, as markdown."},
    "mailbox_id": {"type": "string", "description": "Id or address; the only mailbox when left out."},
}  # fmt: skip
# the older spelling of a parameter -> how it is spelled now; both are taken
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "email_id": ("message_id",), "markdown": ("body",), "action": ("decision",), "reason": ("rejection_note",),
    "mailbox_id": ("mailbox",), "status": ("filter",), "address_local_part": ("address",),
}  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """One tool. Hints: reads only, destroys, may be repeated."""

    name: str
    title: str
    command: Choice
    params: str  # needed; optional
    hints: str
    older: bool = False
    preset: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()

    def command_for(self, args: Args) -> str:
        """The command that a call with these arguments is."""
        return self.command if isinstance(self.command, str) else self.command(args)

    @property
    def commands(self) -> tuple[str, ...]:
        """Every command it may be."""
        if isinstance(self.command, str):
            return (self.command,)
        return tuple(dict.fromkeys(self.command({"action": word}) for word in ("", *_WORDS)))

    def schema(self) -> dict[str, Any]:
        """The input schema."""
        needed, _, optional = self.params.partition(";")
        names = [*needed.split(), *optional.split()]
        properties: dict[str, Any] = {}
        for name in names:
            properties[name] = dict(_KINDS.get(name, _TEXT))
            for other in _SPELLINGS.get(name, ()):
                if other not in names and (name, other) not in _NOT_HERE.get(self.name, ()):
                    properties[other] = {
                        **_KINDS.get(other, _KINDS.get(name, _TEXT)),
                        "description": f"Same as `{name}`.",
                    }
        required = [name for name in needed.split() if name not in _SPELLINGS]
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        return schema | ({"required": required} if required else {})


_WORDS = ("request", "apply", "report", "clear", "set", "get", "delete")
_NOT_HERE: dict[str, tuple[tuple[str, str], ...]] = {
    "manage_upgrade": (("action", "decision"),), "manage_spam_status": (("action", "decision"),), "tag_email": (("action", "decision"),),
    "wait_for_email": (("status", "filter"),),
}  # fmt: skip


def _upgrade(args: Args) -> str:
    return "apply_upgrade" if str(args.get("action")).strip().lower() == "apply" else "request_upgrade"


def _spam(args: Args) -> str:
    return "not_spam" if str(args.get("action")).strip().lower() == "clear" else "report_spam"


_WRITE = "cc bcc attachments idempotency_key mailbox_id oversight_mode metadata tags"
_BOX = "display_name oversight_mode auto_cc auto_bcc signature_block"
TOOLS: tuple[Tool, ...] = (
    Tool("send_email", "Send a mail", "send_email", f"to subject markdown; {_WRITE} send_at gate_timing thread_id", "---"),
    Tool("reply_email", "Answer a mail", "reply_email", f"email_id markdown; {_WRITE} reply_all", "---"),
    Tool("check_inbox", "List mails", "check_inbox", "; status sender subject_contains q date_after date_before direction "
         "has_attachments since_id tag metadata limit cursor mailbox_id", "R-I"),
    Tool("read_email", "Read a mail", "read_email", "email_id; mailbox_id", "--I"),
    Tool("get_thread", "Read a conversation", "get_thread", "thread_id; include mailbox_id", "R-I"),
    Tool("download_attachment", "Get an attachment", "download_attachment", "email_id filename; mailbox_id", "R-I"),
    Tool("cancel_message", "Withdraw a mail", "cancel_message", "email_id; mailbox_id", "-DI"),
    Tool("edit_scheduled_email", "Change a mail that was not approved yet", "edit_scheduled_email",
         "email_id; send_at to cc bcc subject markdown mailbox_id", "--I"),
    Tool("wait_for_email", "Wait for the next mail", "wait_for_email", "; mailbox_id timeout_seconds filter since_id", "R-I"),
    Tool("get_tags", "Read tags", "get_tags", "email_id; mailbox_id", "R-I"),
    Tool("set_tags", "Add tags", "set_tags", "email_id tags; mailbox_id", "--I"),
    Tool("delete_tag", "Take a tag off", "delete_tag", "email_id key; mailbox_id", "-DI"),
    Tool("list_pending", "See what waits for a person", "list_pending", "; mailbox_id limit cursor", "R-I"),
    Tool("decide_email", "Approve or reject a mail that waits", "decide_email",
         "email_id action; reason revised_body revised_subject revision final", "---"),
    Tool("manage_upgrade", "Ask for a looser mode, or redeem its code", _upgrade, "action; target_mode code mailbox_id", "---"),
    Tool("list_allowlist", "List allowed recipients", "list_allowlist", "; mailbox_id", "R-I"),
    Tool("add_allowlist_entry", "Allow a recipient", "add_allowlist_entry", "pattern; approval_code mailbox_id", "--I"),
    Tool("remove_allowlist_entry", "Take a recipient off the list", "remove_allowlist_entry", "pattern; mailbox_id", "-DI"),
    Tool("list_mailboxes", "List mailboxes", "list_mailboxes", "", "R-I"),
    Tool("configure_mailbox", "Set a mailbox up", "update_mailbox",
         f"; {_BOX} default_gate_timing scheduling_enabled ai_disclosure mailbox_id", "-DI", preset={"mcp_configured": True}),
    Tool("update_mailbox", "Change a mailbox", "update_mailbox", f"; mailbox_id {_BOX} forward_inbound", "--I"),
    Tool("create_mailbox", "Make a mailbox", "create_mailbox", "address_local_part; display_name approval_code", "---"),
    Tool("delete_mailbox", "End a mailbox", "delete_mailbox", "mailbox_id; approval_code", "-DI", needs=("mailbox_id",)),
    Tool("get_account", "See the account", "get_account", "", "R-I"),
    Tool("update_account", "Change the account", "update_account", "; name oversight_email pending_mail physical_address "
         "approval_code", "--I"),
    Tool("delete_account", "End the account", "delete_account", "; approval_code", "-DI"),
    Tool("get_usage", "See usage", "get_usage", "; period", "R-I"),
    Tool("upgrade_plan", "Change the plan", "billing", "plan; interval", "---"),
    Tool("cancel_subscription", "End the plan", "billing", "; approval_code", "-DI"),
    Tool("get_billing_portal", "See bills", "billing", "; return_url", "R-I"),
    Tool("request_challenge", "Begin to sign up", "sign_up", "; oversight_email", "---"),
    Tool("create_account", "Sign up", "sign_up", "operator_name oversight_email accepted_tos accepted_operator_agreement "
         "accepted_anti_spam_policy pow_solution; slug physical_address use_case oversight_mode", "---"),
    Tool("resend_confirmation", "Send the confirmation again", "sign_up", "oversight_email;", "---"),
    Tool("activate_account", "Confirm an account", "sign_up", "code;", "---"),
    Tool("setup_multimail", "How to begin", "setup_multimail", "", "R-I"),
    Tool("list_api_keys", "List keys", "list_api_keys", "", "R-I"),
    Tool("create_api_key", "Make a key", "create_api_key", "name scopes; approval_code", "---"),
    Tool("revoke_api_key", "Revoke a key", "revoke_api_key", "key_id; approval_code", "-DI"),
    Tool("get_audit_log", "Read the log", "get_audit_log", "; limit cursor", "R-I"),
    Tool("search_contacts", "Find contacts", "search_contacts", "; query", "R-I"),
    Tool("add_contact", "Remember a contact", "add_contact", "name email; tags", "---"),
    Tool("delete_contact", "Forget a contact", "delete_contact", "contact_id;", "-DI"),
    Tool("manage_spam_status", "Report spam, or take it back", _spam, "email_id action;", "---"),
    Tool("list_spam", "List spam", "list_spam", "; limit", "R-I"),
    Tool("list_suppression", "List suppressed addresses", "list_suppression", "; limit cursor", "R-I"),
    Tool("remove_suppression", "Let mail go to an address again", "remove_suppression", "email_address;", "-DI"),
    Tool("create_webhook", "Subscribe a URL", "create_webhook", "url events; mailbox_id approval_code", "---"),
    Tool("list_webhooks", "List webhooks", "list_webhooks", "", "R-I"),
    Tool("delete_webhook", "End a webhook", "delete_webhook", "webhook_id;", "-DI"),
    Tool("report_issue", "Tell the operator what is wrong", "report_issue", "text; severity context", "---"),
    # -- older names: taken, and listed where a setting asks for it
    Tool("tag_email", "Add, read or remove tags", "tag_email", "email_id; action tags key mailbox_id", "--I", older=True),
    Tool("schedule_email", "Send a mail later", "send_email", f"to subject markdown send_at; {_WRITE} gate_timing thread_id", "---",
         older=True, needs=("send_at",)),
    Tool("request_upgrade", "Ask for a looser mode", "request_upgrade", "; target_mode mailbox_id", "---", older=True),
    Tool("apply_upgrade", "Redeem the code of a looser mode", "apply_upgrade", "code; mailbox_id", "---", older=True),
    Tool("report_spam", "Report spam", "report_spam", "email_id;", "---", older=True),
    Tool("not_spam", "Take a report back", "not_spam", "email_id;", "---", older=True),
    Tool("check_suppression", "List suppressed addresses", "list_suppression", "; limit cursor", "R-I", older=True),
    Tool("manage_allowlist", "List allowed recipients", "list_allowlist", "; mailbox_id", "R-I", older=True),
    Tool("get_allowlist_status", "List allowed recipients", "list_allowlist", "; mailbox_id", "R-I", older=True),
    Tool("set_allowlist_mode", "List allowed recipients", "list_allowlist", "; mailbox_id mode", "R-I", older=True),
)  # fmt: skip
BY_NAME = {tool.name: tool for tool in TOOLS}
