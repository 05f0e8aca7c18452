"""One draft as a page: a link shows it, and only a reviewer's own key, typed into the page, decides.

Mail scanners follow links and run scripts, so looking changes nothing: no mark, no look of a reviewer, no use of the link.
There is no cookie and no session, so that no other site can decide with one. A link is random, of one mail, kept as a
digest, and ends with its life or with the decision.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from gatepost_api.caller import Caller, digest_of
from gatepost_api.deciding import decide
from gatepost_api.errors import Refusal
from gatepost_api.gatherings import THREAD_TAIL, pending_view, thread_view
from gatepost_api.machine import page
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row, is_waiting

_SHOWN = ("from", "to", "cc", "subject")


async def make_approval_link(office: Office, call: Call) -> Reply:
    """A link to the page of a draft that waits, for whoever hands it to a reviewer."""
    mail = await office.mail(call, call.fields.must("message_id"))
    if not is_waiting(mail):
        raise Refusal("already_decided", "It does not wait for a decision.", id=mail["id"])
    token, expires_at = (
        secrets.token_urlsafe(32),
        datetime.now(UTC) + timedelta(seconds=office.settings.approval_link_s),
    )
    await office.store.execute(
        "add_approval_link", digest_of(token), call.caller.tenant_id, mail["id"], call.caller.key_id, expires_at
    )
    return Reply({"id": mail["id"], "message_id": mail["id"], "url": f"{office.public_url.rstrip('/')}/v1/approve/{token}",
                  "expires_at": iso(expires_at)})  # fmt: skip


async def show_approval(office: Office, call: Call) -> Reply:
    """The page. Looking changes nothing."""
    link, mail = await _meant(office, call)
    return await _page(office, call, link, mail)


async def approve_by_link(office: Office, call: Call) -> Reply:
    """A reviewer decides on exactly what the page showed."""
    link, mail = await _meant(office, call)
    if call.caller.tenant_id != link["tenant_id"] or not call.caller.sees(mail["mailbox_id"]):
        raise Refusal("not_found", "There is no such mail.")
    call.fields.must("seen_sha256")
    done = await decide(office, replace(call, fields=call.fields.of("decide_email", message_id=mail["id"])), wait_s=0)
    await office.store.execute("use_approval_link", link["token_sha256"])
    said = f"{done['status']}, revision {done['revision']}, by {done['decided_by']}"
    return page("Decided", f"<p>{escape(said)}.</p>")


async def _meant(office: Office, call: Call) -> tuple[Row, Row]:
    """(link, mail) of a token that is still good."""
    link = await office.store.fetchrow("approval_link", digest_of(call.fields.must("token", most=200)))
    if link is None:
        raise Refusal("not_found", "This link is not valid, or not any more.", hint="Ask for a new one.")
    mail = (await office.mails(_through(call, link), [link["message_id"]])).get(link["message_id"])
    if mail is None:
        raise Refusal("not_found", "There is no such mail.")
    return link, mail


def _through(call: Call, link: Row) -> Call:
    """The same call with the eyes that a link gives: those of a person who may look, and of nobody who may act."""
    return replace(call, caller=Caller("", link["tenant_id"], "", "person", "", "", frozenset({"oversight"})))


async def _page(office: Office, call: Call, link: Row, mail: Row) -> Reply:
    looking = _through(call, link)
    tenant, eyes = link["tenant_id"], office.eyes(looking)
    tail = await office.store.fetch("threads_tail", tenant, [mail["thread_id"]], True, THREAD_TAIL)
    others = await office.mails(
        looking, [*(row["id"] for row in tail), *([mail["answers"]] if mail["answers"] else [])]
    )
    (head,) = await office.store.fetch("threads_by_id", tenant, [mail["thread_id"]])
    thread = thread_view(
        head, sorted((others[row["id"]] for row in tail if row["id"] in others), key=lambda m: m["id"]), eyes
    )
    view = pending_view(mail, others.get(mail["answers"]) if mail["answers"] else None, thread, eyes)
    body = _draft(view)
    if is_waiting(mail) and link["used_at"] is None:
        body += _form(view)
    else:
        body += f"<p>It does not wait for a decision any more: <b>{escape(view['status'])}</b>.</p>"
    body += _mail("It answers", view["original"]) if view["original"] else ""
    body += "".join(_mail(f"{m['direction']}, {m['received_at']}", m) for m in thread["messages"])
    return page(view["subject"] or "A draft", body)


def _draft(view: dict[str, Any]) -> str:
    reasons = "".join(f"<li>{escape(r['rule'])}: {escape(r['why'])}</li>" for r in view["reasons"])
    files = "".join(f"<li>{escape(a['name'])}, {a['size_bytes']} bytes</li>" for a in view["attachments"])
    return f"{_mail('The draft', view)}<h2>Why it waits</h2><ul>{reasons}</ul>" + (
        f"<h2>Attached</h2><ul>{files}</ul>" if files else ""
    )


def _mail(title: str, view: dict[str, Any]) -> str:
    shown = ((name, view.get(name)) for name in _SHOWN)
    rows = "".join(
        f"<dt>{name}</dt><dd>{escape(', '.join(value) if isinstance(value, list) else str(value))}</dd>" for name, value in shown if value
    )  # fmt: skip
    return f"<h2>{escape(title)}</h2><dl>{rows}</dl><pre>{escape(view['markdown'])}</pre>"


def _form(view: dict[str, Any]) -> str:
    return (
        '<form method="post" autocomplete="off">'
        f'<input type="hidden" name="seen_sha256" value="{escape(view["content_sha256"] or "")}">'
        f'<input type="hidden" name="seen_head" value="{escape(view["thread_head"] or "")}">'
        '<p><label>Your reviewer key <input type="password" name="key" required autocomplete="off"></label></p>'
        '<p><label>Another text, if it should leave changed<br><textarea name="revised_body" rows="6" cols="80"></textarea></label></p>'
        '<p><label>A note for the author <input name="note" size="60"></label></p>'
        '<p><button name="action" value="approve">Approve</button> <button name="action" value="reject">Reject</button></p></form>'
    )
