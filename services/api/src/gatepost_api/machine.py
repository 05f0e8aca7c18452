"""What is left to do, whether the doors can work, and the unsubscribe link: what no mailbox's key is needed for."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost_api.boxes import id_at
from gatepost_api.errors import Refusal
from gatepost_api.office import Call, Office, Reply
from gatepost_api.suppressions import suppress
from gatepost_mail import tokens
from gatepost_runtime.logging import get_logger

log = get_logger()
_LOOK_BACK = timedelta(days=3)
_MESSAGE_ID = re.compile(r"msg_[0-9A-Z]{26}")
# Stages that wait for a person, or for a moment that was chosen; all others are the machine's.
_WAITING = frozenset({"held", "uncertain", "quarantined", "revising_by_agent", "scheduled", "dead_letters"})
_STAGES = ("received", "drafting", "drafted", "held", "revising", "revising_by_agent", "scheduled", "released", "sending",
           "deferred", "uncertain", "quarantined", "outbox", "webhook_pending", "dead_letters")  # fmt: skip


async def status(office: Office, call: Call) -> Reply:
    """Counts by stage. `quiet` when nothing is left that the machine would still do by itself."""
    row = await office.store.fetchrow("left", call.caller.tenant_id, id_at("msg", datetime.now(UTC) - _LOOK_BACK))
    counts = dict(row["stages"] or {}) if row else {}
    if row:
        counts |= {"received": row["received"], "outbox": row["outbox"], "webhook_pending": row["webhook_pending"]}
    left: dict[str, Any] = {stage: int(counts.get(stage, 0)) for stage in _STAGES}
    left["dead_letters"] = await dead_letters(office)
    left["quiet"] = all(left[stage] == 0 for stage in _STAGES if stage not in _WAITING)
    return Reply(left)


async def dead_letters(office: Office) -> int | None:
    """Of the whole installation; None while the broker cannot be asked."""
    try:
        return await office.dead().count()
    except Exception as reason:
        log.warning("dead letters could not be counted", reason=type(reason).__name__)
        return None


async def health(office: Office, _: Call) -> Reply:
    """Whether the doors can do their work; no details without a key."""
    ready = await office.ready()
    return Reply({"status": "ok" if ready else "degraded"}, status=200 if ready else 503)


async def openapi(office: Office, _: Call) -> Reply:
    """The interface as OpenAPI."""
    return Reply(office.openapi())


async def review_page(_: Office, call: Call) -> Reply:
    """Where the links of notices and chat messages lead. Whoever has the link is nobody yet: no mail is shown, none decided."""
    message_id = call.fields.text("message_id")
    if message_id is not None and not _MESSAGE_ID.fullmatch(message_id):
        raise Refusal("not_found")
    show = f"gatepost review {message_id}" if message_id else "gatepost review"
    return page(
        "A mail waits for a person" if message_id else "Mails that wait for a person",
        "<p>Deciding needs a reviewer's key; this page and its link decide nothing.</p>"
        f"<p>At a terminal: <code>{show}</code></p>"
        "<p>By the API: <code>GET /v1/oversight/pending</code>, then <code>POST /v1/oversight/decide</code>.</p>",
    )


# -- unsubscribe ---------------------------------------------------------------------------------------------------


async def show_unsubscribe(office: Office, call: Call) -> Reply:
    """A page with buttons. Mail scanners follow links, so looking changes nothing."""
    _, meant = await _meant(office, call)
    recipient, category = html.escape(meant.recipient), html.escape(meant.category)
    return page(
        "Unsubscribe",
        f"<p>Stop all mail from this sender to <b>{recipient}</b>?</p>"
        '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
        "<button>Unsubscribe</button></form>"
        + (
            f'<form method="post"><input type="hidden" name="scope" value="category">'
            f"<p>Or only mail about <b>{category}</b>:</p><button>Stop these</button></form>"
            if category
            else ""
        ),
    )


async def unsubscribe(office: Office, call: Call) -> Reply:
    """One click (RFC 8058): no session, no cookie, no redirect; twice is the same as once.

    It stops all mail of the mailbox. Only who chose so on the page goes on to get mail of other categories: a category
    is our word for a mail, and somebody who wants no more mail does not mean a label they never saw.
    """
    tenant, meant = await _meant(office, call)
    category = (meant.category if call.fields.text("scope") == "category" else "") or None
    recipient = meant.recipient.lower()
    if not await office.store.fetch("suppressed", tenant, meant.mailbox_id, [recipient], category):
        await suppress(
            office, call, meant.mailbox_id, recipient, "unsubscribed", ("email.unsubscribed",), category=category
        )
    what = f"mail about <b>{html.escape(category)}</b>" if category else "mail"
    return page("Unsubscribed", f"<p><b>{html.escape(recipient)}</b> gets no more {what} from this sender.</p>")


async def _meant(office: Office, call: Call) -> tuple[str, tokens.OptOut]:
    """The tenant, and what a token was made for."""
    read = tokens.read_unsubscribe(office.token_key, call.fields.must("token", most=2000))
    row = None if read is None else await office.store.fetchrow("mailbox_of_token", read.mailbox_id)
    if read is None or row is None:
        raise Refusal("not_found", "This link is not valid.")
    return row["tenant_id"], read


def page(title: str, body: str) -> Reply:
    """A plain page: nothing loaded, nothing run, nothing framed."""
    document = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"></head>'
        f"<body><h1>{html.escape(title)}</h1>{body}</body></html>"
    )
    return Reply(
        document.encode(), content_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
        },
    )  # fmt: skip
