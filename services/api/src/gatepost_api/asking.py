"""What a send or a reply asks for: read leniently, checked, and refused early where policy would refuse it anyway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gatepost_api import drafts, once
from gatepost_api.boxes import mode_of
from gatepost_api.drafts import Attached
from gatepost_api.errors import Refusal, invalid
from gatepost_api.moments import iso
from gatepost_api.office import Call, Office
from gatepost_api.status import Row
from gatepost_api.views import stripped
from gatepost_mail.content import Content
from gatepost_oversight.mode import Mode, effective, strictest

BODY_MOST, SUBJECT_MOST, RECIPIENTS_MOST = 262_144, 998, 50
_TIMINGS = ("gate_first", "schedule_first")


@dataclass(frozen=True)
class Request:
    """A send or a reply, read and checked."""

    box: Row
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: str | None
    subject: str
    markdown: str
    files: tuple[Attached, ...]
    requested: Mode | None
    metadata: dict[str, Any]
    tags: dict[str, str]
    category: str | None
    send_at: datetime | None
    gate_timing: str
    thread: Row | None
    thread_name: str | None
    external_id: str | None
    original: Row | None

    @property
    def ask(self) -> Mode | None:
        """What is asked of the gate: never looser than what holds anyway."""
        if self.requested is None:
            return None
        return strictest(self.requested, effective(Mode(self.box["mode"]), Mode(self.box["ceiling"]), None))

    @property
    def expires_at(self) -> datetime:
        """When waiting ends unsent: not before a person could be asked, where that was put off."""
        now = datetime.now(UTC)
        begins = self.send_at if self.gate_timing == "schedule_first" and self.send_at is not None else now
        return max(now, begins) + timedelta(seconds=self.box["expires_after_s"])

    def digest(self, command: str, round_: int) -> str:
        """The hash of what was asked."""
        return once.digest(
            {"command": command, "mailbox": self.box["id"], "to": self.to, "cc": self.cc, "bcc": self.bcc,
             "reply_to": self.reply_to, "subject": self.subject, "markdown": self.markdown, "files": [f.sha256 for f in self.files],
             "mode": self.requested, "metadata": self.metadata, "send_at": iso(self.send_at),
             "thread": self.thread_name, "original": self.original["id"] if self.original else None,
             "round": round_}
        )  # fmt: skip


async def read_request(
    office: Office, call: Call, box: Row, thread: Row | None, external_id: str | None, original: Row | None,
    revised: Row | None = None,
) -> Request:  # fmt: skip
    """The request, or the refusal that names what is wrong with it."""
    fields = call.fields
    if Mode(box["mode"]) is Mode.READ_ONLY or Mode(box["ceiling"]) is Mode.READ_ONLY:
        raise Refusal("read_only", mailbox_id=box["id"])
    to = fields.addresses("to", most=RECIPIENTS_MOST) or _answer_to(box, original, revised)
    if not to:
        raise invalid("to", "is missing")
    markdown = fields.text("markdown", most=BODY_MOST, needed=True) or ""
    if not markdown.strip():
        raise invalid("body", "is empty")
    if len(markdown.encode()) > BODY_MOST:
        raise invalid("body", f"is longer than {BODY_MOST} bytes")
    cc, bcc = fields.addresses("cc"), fields.addresses("bcc")
    if original is not None and fields.flag("reply_all"):
        cc += tuple(a for a in _others(box, original) if a.lower() not in {x.lower() for x in (*to, *cc, *bcc)})
    cc += tuple(a for a in (box["auto_cc"],) if a and a not in (*to, *cc, *bcc))
    bcc += tuple(a for a in (box["auto_bcc"],) if a and a not in (*to, *cc, *bcc))
    if len({*to, *cc, *bcc}) > RECIPIENTS_MOST:
        raise invalid("to", f"more than {RECIPIENTS_MOST} recipients")
    category = fields.text("category", most=100)
    await drafts.refuse_suppressed(office, call, box["id"], (*to, *cc, *bcc), category)
    subject = fields.text("subject", most=SUBJECT_MOST) or ""
    if any(c in subject for c in "\r\n"):
        raise invalid("subject", "must be one line")
    if not subject and original is None and thread is None:
        raise invalid("subject", "is missing")
    if not subject and original is None and thread is not None:
        subject = f"Re: {stripped(thread['subject'])}"
    send_at = fields.moment("send_at")
    if send_at is not None and send_at <= datetime.now(UTC):
        raise invalid("send_at", "is in the past")
    timing = fields.text("gate_timing") or box["default_gate_timing"]
    if timing not in _TIMINGS:
        raise invalid("gate_timing", "must be gate_first or schedule_first")
    reply_to = fields.addresses("reply_to", most=1)
    return Request(
        box=box, to=to, cc=cc, bcc=bcc, reply_to=reply_to[0] if reply_to else None, subject=subject, markdown=markdown,
        files=drafts.attachments_of(fields.raw("attachments"), office.settings.max_attachments_bytes),
        requested=mode_of(fields.text("oversight_mode")), metadata=fields.mapping("metadata"), tags=fields.tags(),
        category=category, send_at=send_at, gate_timing=timing, thread=thread,
        thread_name=fields.text("thread_id", most=200), external_id=external_id, original=original,
    )  # fmt: skip


def _answer_to(box: Row, original: Row | None, revised: Row | None) -> tuple[str, ...]:
    """Whom an answer goes to: Reply-To, else the writer; for our own mail, whom it went to."""
    if revised is not None and revised["content_json"]:
        return Content.from_json(revised["content_json"]).to
    if original is None:
        return ()
    if original["direction"] == "outbound":
        return Content.from_json(original["content_json"]).to if original["content_json"] else ()
    address = original["reply_to"] or original["header_from"]
    return (address,) if address and address.lower() != box["address"] else ()


def _others(box: Row, original: Row) -> tuple[str, ...]:
    """Everyone else whom a mail was addressed to, for a reply to all of them."""
    named = (*(original["to_addresses"] or ()), *(original["cc_addresses"] or ()))
    return tuple(dict.fromkeys(a for a in named if a.lower() != box["address"]))


async def thread_of(office: Office, call: Call, box: Row) -> tuple[Row | None, str | None]:
    """(the known thread, the caller's id for a new one)."""
    name = call.fields.text("thread_id", most=200)
    if name is None:
        return None, None
    row: Row | None = await office.store.fetchrow("thread", call.caller.tenant_id, name)
    if row is None:
        if name.startswith("thr_"):
            raise Refusal("not_found", "There is no such thread.")
        if not name.isprintable() or any(c.isspace() for c in name):
            raise invalid("thread_id", "must be printable and without spaces")
        return None, name
    if row["mailbox_id"] != box["id"]:
        raise Refusal(
            "conflicting_fields",
            "`thread_id` names a thread of another mailbox.",
            fields={"thread_id": "", "mailbox": ""},
        )
    return row, None
