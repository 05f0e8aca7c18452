"""One function per command; every door calls it. A test holds this table against the access table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gatepost_api import auditing, boxes, credentials, dead, deciding, hook_log, hooks, machine, reading, writing
from gatepost_api.office import Call, Office, Reply

CommandFunction = Callable[[Office, Call], Awaitable[Reply]]

COMMANDS: dict[str, CommandFunction] = {
    "check_inbox": reading.check_inbox,
    "list_spam": reading.list_spam,
    "read_email": reading.read_email,
    "download_attachment": reading.download_attachment,
    "get_thread": reading.get_thread,
    "send_email": writing.send_email,
    "reply_email": writing.reply_email,
    "cancel_message": deciding.cancel_message,
    "get_tags": reading.get_tags,
    "set_tags": reading.set_tags,
    "tag_email": reading.tag_email,
    "delete_tag": reading.delete_tag,
    "why": reading.why,
    "resolve": deciding.resolve,
    "list_pending": deciding.list_pending,
    "decide_email": deciding.decide_email,
    "create_pause": deciding.create_pause,
    "list_pauses": deciding.list_pauses,
    "delete_pause": deciding.delete_pause,
    "list_mailboxes": boxes.list_mailboxes,
    "create_mailbox": boxes.create_mailbox,
    "get_mailbox": boxes.get_mailbox,
    "update_mailbox": boxes.update_mailbox,
    "list_webhooks": hooks.list_webhooks,
    "create_webhook": hooks.create_webhook,
    "get_webhook": hooks.get_webhook,
    "update_webhook": hooks.update_webhook,
    "delete_webhook": hooks.delete_webhook,
    "rotate_webhook_secret": hooks.rotate_webhook_secret,
    "test_webhook": hook_log.test_webhook,
    "recover_webhook": hook_log.recover_webhook,
    "list_webhook_deliveries": hook_log.list_webhook_deliveries,
    "get_webhook_delivery": hook_log.get_webhook_delivery,
    "redeliver_webhook": hook_log.redeliver_webhook,
    "list_api_keys": credentials.list_api_keys,
    "create_api_key": credentials.create_api_key,
    "revoke_api_key": credentials.revoke_api_key,
    "list_suppression": credentials.list_suppression,
    "add_suppression": credentials.add_suppression,
    "remove_suppression": credentials.remove_suppression,
    "get_audit_log": auditing.get_audit_log,
    "get_audit_checkpoint": auditing.get_audit_checkpoint,
    "export_audit_log": auditing.export_audit_log,
    "get_audit_receipt": auditing.get_audit_receipt,
    "get_account": boxes.get_account,
    "status": machine.status,
    "list_dead_letters": dead.list_dead_letters,
    "get_dead_letter": dead.get_dead_letter,
    "redrive_dead_letter": dead.redrive_dead_letter,
    "drop_dead_letter": dead.drop_dead_letter,
    "show_unsubscribe": machine.show_unsubscribe,
    "unsubscribe": machine.unsubscribe,
    "health": machine.health,
    "openapi": machine.openapi,
}
