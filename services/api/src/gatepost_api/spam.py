"""What a caller says about a mail being spam: a label, which moves it between the inbox and the spam bucket."""

from __future__ import annotations

from gatepost_api.errors import Refusal
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import status_of


async def report_spam(office: Office, call: Call) -> Reply:
    """Into the bucket."""
    return await _label(office, call, "spam")


async def not_spam(office: Office, call: Call) -> Reply:
    """Out of the bucket. What was kept aside at the door is let in by a person's decision alone."""
    return await _label(office, call, "not_spam")


async def manage_spam_status(office: Office, call: Call) -> Reply:
    """Both in one: `action` report or clear."""
    match call.fields.must("action"):
        case "report":
            return await report_spam(office, call)
        case "clear":
            return await not_spam(office, call)
        case _:
            raise Refusal("invalid_request", "action: must be report or clear", fields={"action": "is unknown"})


async def _label(office: Office, call: Call, label: str) -> Reply:
    mail = await office.mail(call, call.fields.must("message_id"))
    if mail["direction"] != "inbound":
        raise Refusal("invalid_request", "Only mail that came in can be spam.", id=mail["id"])
    await office.store.execute("set_label", call.caller.tenant_id, mail["id"], label)
    mail = await office.mail(call, mail["id"])
    body = {"id": mail["id"], "email_id": mail["id"], "message_id": mail["id"], "user_label": label,
            "status": status_of(mail, office.eyes(call).now)}  # fmt: skip
    if mail["state"] == "quarantined":
        body["hint"] = "It was kept aside when it came in; a person lets it in with decide_email."
    return Reply(body)
