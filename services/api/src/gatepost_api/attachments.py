"""The files of a mail: their bytes with a key, or for an hour without one by a signed address.

They leave as a download and nothing else: no type that a browser would show, no sniffing, no scripts. Files that run when
they are opened are handed to people only.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping
from typing import Any

from gatepost_api.errors import Refusal
from gatepost_api.office import Call, Office, Reply
from gatepost_api.status import Row
from gatepost_api.views import email_view
from gatepost_mail import tokens
from gatepost_mail.parse import attachment_bytes

GOOD_FOR_S = 3600
_HEADERS = {
    "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store", "Referrer-Policy": "no-referrer",
}  # fmt: skip


async def download_attachment(office: Office, call: Call) -> Reply:
    """The bytes of one attachment, by id or name; of two equal names the first."""
    mail, found = await _wanted(office, call)
    return _download(found["name"], await attachment_content(office, mail, found))


async def attachment_url(office: Office, call: Call) -> Reply:
    """An address that gives it to whoever has it, for an hour."""
    mail, found = await _wanted(office, call)
    expires = int(office.eyes(call).now.timestamp()) + GOOD_FOR_S
    token = tokens.attachment_token(
        office.token_key, mail["id"], int(found["id"]), found["sha256"], found["name"], expires
    )
    return Reply({
        "url": f"{office.public_url}/v1/attachments/{token}", "filename": found["name"], "size_bytes": found["size"],
        "content_type": found["content_type"], "expires_in": GOOD_FOR_S,
    })  # fmt: skip


async def open_attachment(office: Office, call: Call) -> Reply:
    """What such an address gives. A mail that is gone, or a time that is over, is 404 like a token nobody made."""
    said = tokens.read_attachment(
        office.token_key, call.fields.must("token", most=4000), int(office.eyes(call).now.timestamp())
    )
    mail = None if said is None else await office.store.fetchrow("mail_of_attachment", said.message_id)
    if said is None or mail is None:
        raise Refusal("not_found", "This link is not valid, or no longer.")
    return _download(said.name, await attachment_content(office, mail, {"id": said.n, "sha256": said.sha256}))


async def attachment_content(office: Office, mail: Row, attachment: Mapping[str, Any]) -> bytes | None:
    """What is attached: cut from the raw mail when it came in, a blob when it is ours; None when it is gone."""
    tenant, box = mail["tenant_id"], mail["mailbox_id"]
    if mail["direction"] == "inbound":
        raw = await office.store.content(await office.store.fetchrow("raw", tenant, box, mail["raw_sha256"]))
        return None if raw is None else await asyncio.to_thread(attachment_bytes, raw, int(attachment["id"]))
    return await office.store.content(await office.store.fetchrow("blob", tenant, box, attachment["sha256"]))


async def _wanted(office: Office, call: Call) -> tuple[Row, dict[str, Any]]:
    mail = await office.mail(call, call.fields.must("message_id"))
    wanted = call.fields.must("attachment")
    known = email_view(mail, office.eyes(call))["attachments"]
    found = next((a for a in known if a["id"] == wanted), None) or next((a for a in known if a["name"] == wanted), None)
    if found is None:
        raise Refusal("not_found", "This mail has no such attachment.")
    if not call.caller.is_person and runs(found["name"], office.settings.blocked_files):
        raise Refusal(
            "content_refused",
            "A file of this kind runs when it is opened.",
            hint="A person may download it.",
            status=403,
        )
    return mail, found


def runs(name: str, blocked: str) -> bool:
    """Whether opening it may run something: by the last of its endings, however it is spelled."""
    ending = name.rstrip(" .").rpartition(".")[2].lower()
    return ending in {word.strip().lower() for word in blocked.split(",")}


def _download(name: str, content: bytes | None) -> Reply:
    if content is None:
        raise Refusal("not_found", "The attachment is no longer stored.")
    quoted = urllib.parse.quote(name, safe="")
    headers = _HEADERS | {"Content-Disposition": f"attachment; filename*=UTF-8''{quoted}"}
    return Reply(content, headers=headers, content_type="application/octet-stream")
