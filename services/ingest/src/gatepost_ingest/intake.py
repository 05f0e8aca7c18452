"""From bytes and envelope to a stored mail: read, judged, threaded, written in one step for each mailbox.

Nothing here answers the peer: it returns when everything is committed, and raises when it is not. Doing it again is
harmless: the same bytes for the same mailbox are one mail, and an opt-out that is known already changes nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from gatepost_contracts.canonical import salted
from gatepost_contracts.ids import new_id
from gatepost_ingest.arrived import Arrived, Mailbox, Recipient
from gatepost_ingest.identity import Prover, refuse_forged
from gatepost_ingest.judge import GATED, Verdict, judge
from gatepost_ingest.reports import Finding, find, opted_out_by_header
from gatepost_ingest.settings import IngestSettings
from gatepost_ingest.spam import NO_FILTER, Spam, SpamFilter
from gatepost_ingest.threads import Named, Place, named_by, place
from gatepost_mail import tokens
from gatepost_mail.authentication import Identity, foreign_results
from gatepost_mail.dsn import Report, read_report
from gatepost_mail.parse import Parsed, parse
from gatepost_oversight.credential import Role
from gatepost_store import Actor, Inserted, Store

log = structlog.get_logger()

DOORS = ("smtp", "http", "imap", "import")
BY = {door: Actor(Role.SYSTEM, principal=None, actor="ingest", door=door) for door in DOORS}


@dataclass(frozen=True)
class Read:
    """A mail that was read: its words, the report in it, and who it is from."""

    parsed: Parsed
    report: Report | None
    identity: Identity
    spam: Spam = NO_FILTER


class Intake:
    """Stores mail."""

    def __init__(self, store: Store, key: bytes, settings: IngestSettings) -> None:
        self._store = store
        self._key = key
        self._settings = settings
        self._free = asyncio.Semaphore(settings.parse_threads)
        self._readers = ThreadPoolExecutor(settings.parse_threads, thread_name_prefix="read-mail")
        self._prover = Prover(settings, self._readers)
        self._spam = SpamFilter(settings)

    async def receive(self, arrived: Arrived) -> tuple[str, ...]:
        """Store the mail for each of its mailboxes; the ids, in their order."""
        parsed, report = await self._read(arrived.raw)
        claims = foreign_results(parsed.claimed_results, self._settings.hostname)
        identity = await self._prover.identify(arrived, [a.addr for a in parsed.authors], claims)
        refuse_forged(identity, self._settings, arrived, is_list="list" in parsed.automatic)
        read = Read(parsed, report, identity, await self._spam.ask(arrived))
        return tuple(await asyncio.gather(*(self._store_one(arrived, to, read) for to in arrived.by_mailbox())))

    async def close(self) -> None:
        """Give the reading threads back."""
        await self._spam.close()
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _read(self, raw: bytes) -> tuple[Parsed, Report | None]:
        """Read it off the loop. The time counts from when a thread is free; one that hangs stays occupied."""
        loop = asyncio.get_running_loop()
        await self._free.acquire()
        try:
            work = self._readers.submit(_read, raw)
        except BaseException:
            self._free.release()
            raise
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        try:
            async with asyncio.timeout(self._settings.parse_s):
                return await asyncio.wrap_future(work)
        except TimeoutError:
            log.warning("a mail took too long to read", size=len(raw))
        except Exception as error:
            log.exception("a mail could not be read", error=type(error).__name__)
        return _unread(raw), None

    async def _store_one(self, arrived: Arrived, to: Recipient, read: Read) -> str:
        box, parsed, report = to.mailbox, read.parsed, read.report
        came_back = await self._came_back(parsed, box)
        verdict = judge(parsed, arrived, to, read.identity, came_back=came_back, spam=read.spam)
        named = named_by(parsed, to.address, self._key, report.rfc_message_ids if report else ())
        where = await self._place(read, named, to)
        finding = opted_out_by_header(parsed.subject, box.id, self._key)
        if finding is None and report is not None:
            finding = await self._find(report, read, named, box.id)
        if finding is not None and finding.kind == "opt_out":
            verdict = Verdict(verdict.quarantined_for, (*verdict.automatic, "opt_out"), verdict.flags)
        stored = await self._insert(arrived, to, read, verdict, where, finding)
        if finding is not None and finding.suppress is not None:
            await self._suppress(finding, box, stored.message_id, where.thread_id)
        log.info(
            "mail stored", message_id=stored.message_id, mailbox_id=box.id, size=parsed.size,
            duplicate=stored.duplicate, reasons=verdict.quarantined_for, automatic=verdict.automatic,
        )  # fmt: skip
        return stored.message_id

    async def _insert(
        self, arrived: Arrived, to: Recipient, read: Read, verdict: Verdict, where: Place, finding: Finding | None
    ) -> Inserted:
        """Store it as judged; when the mailbox's mode changed since it was looked up, as judged by the new one."""
        parsed = read.parsed
        ids = new_id("msg"), where.thread_id or new_id("thr")
        for _ in range(3):
            row = ("T01" if verdict.is_fine else "T02") + ("r" if finding else "")
            payload = payload_of(ids, arrived, to, read, verdict, where)
            data = {
                "raw_sha256": salted(payload["m"]["salt"], parsed.sha256), "automatic": bool(verdict.automatic),
                "has_attachments": bool(parsed.attachments), "reasons": list(verdict.quarantined_for),
                "why": why_of(read, verdict, where),
            } | (finding.data if finding else {})  # fmt: skip
            stored = await self._store.insert(row, payload, by=BY[arrived.door], data=data, raw=arrived.raw)
            if isinstance(stored, Inserted):
                return stored
            if stored.failed == ("FINE",):
                verdict = replace(verdict, quarantined_for=(*verdict.quarantined_for, GATED))
            elif stored.failed == ("NOT_FINE",):
                verdict = replace(verdict, quarantined_for=tuple(r for r in verdict.quarantined_for if r != GATED))
            else:
                log.warning("a mail was not stored", row=row, failed=stored.failed)
        raise RuntimeError("the mail could not be stored")

    async def _came_back(self, parsed: Parsed, box: Mailbox) -> bool:
        """Whether this mailbox sent it itself. What another mailbox of ours sent is mail like any other."""
        own = tokens.read_message_id(self._key, parsed.rfc_message_id) if parsed.rfc_message_id else None
        return own is not None and bool(await self._store.fetchval("is_sent_by", box.id, own[0]))

    async def _place(self, read: Read, named: Named, to: Recipient) -> Place:
        if named.is_empty:
            return Place(None, None, None, ())
        known = await self._store.fetch(
            "named_threads", to.mailbox.id, list(named.rfc_message_ids), list(named.message_ids), named.thread_id,
            list(named.remote_ids),
        )  # fmt: skip
        disowned = read.identity.dmarc.result == "fail" and read.identity.dmarc.policy != "none"
        return place(read.parsed, named, [dict(row) for row in known], to.mailbox.address, is_disowned=disowned)

    async def _find(self, report: Report, read: Read, named: Named, mailbox_id: str) -> Finding:
        sent = await self._store.fetch(
            "sent_deliveries", mailbox_id, list(named.rfc_message_ids), list(named.message_ids)
        )
        author, proven = read.parsed.from_address, read.identity.verified_domain is not None
        rows = [dict(row) for row in sent]
        return find(report, author, rows, named.delivery_id, is_proven_author=proven)

    async def _suppress(self, finding: Finding, box: Mailbox, message_id: str, thread_id: str | None) -> None:
        """Nobody writes to them again; the event follows from the same step, and a repeat tells nothing."""
        is_complaint = finding.kind == "arf"
        suppression_id = new_id("sup")
        payload = {
            "tenant_id": box.tenant_id, "mailbox_id": box.id, "suppression_id": suppression_id,
            "address": finding.suppress, "message_id": finding.about_message_id,
            "reason": "complained" if is_complaint else "unsubscribed",
            "scope": "tenant" if is_complaint else "mailbox",
            "emits": ["email.complained" if is_complaint else "email.unsubscribed"],
        }  # fmt: skip
        data = {
            "suppression_id": suppression_id, "how": finding.how, "about_message_id": finding.about_message_id,
            "message_id": message_id, "thread_id": thread_id,
        }  # fmt: skip
        await self._store.insert("W6", payload, by=BY["smtp"], data=data)


def why_of(read: Read, verdict: Verdict, where: Place) -> dict[str, Any]:
    """What `gatepost why` tells: who it is from, how it found its thread, what was seen on it. No words of the mail."""
    identity = read.identity
    return {
        "spf": identity.spf, "dkim": [f"{s.domain}: {s.result}" for s in identity.dkim],
        "dmarc": identity.dmarc.result, "arc": identity.arc.result, "verified_domain": identity.verified_domain,
        "automatic": list(verdict.automatic), "flags": [*verdict.flags, *where.flags], **where.why,
        "related_thread_id": where.related_thread_id, "defects": list(read.parsed.defects[:20]),
    }  # fmt: skip


def payload_of(
    ids: tuple[str, str], arrived: Arrived, to: Recipient, read: Read, verdict: Verdict, where: Place
) -> dict[str, Any]:
    """The rows of one mail: message, thread, attachments. The bytes travel beside it."""
    parsed = read.parsed
    box, (message_id, thread_id) = to.mailbox, ids
    expires = None if verdict.is_fine else arrived.at + timedelta(seconds=box.expires_after_s)
    if where.thread_id is not None:
        thread: dict[str, Any] = {"id": thread_id, "new": False}
    else:
        thread = {
            "id": thread_id, "new": True, "subject": parsed.subject_stripped,
            "related_thread_id": where.related_thread_id,
        }  # fmt: skip
    return {
        "fine": verdict.is_fine,
        "thread": thread,
        "m": {
            "id": message_id, "tenant_id": box.tenant_id, "mailbox_id": box.id, "thread_id": thread_id,
            "raw_sha256": parsed.sha256, "salt": secrets.token_hex(16), "size_bytes": parsed.size, "envelope_from": arrived.sender,
            "envelope_to": to.address, "header_from": parsed.from_address, "from_name": parsed.from_name,
            "to_addresses": [a.addr for a in parsed.to],
            "cc_addresses": [a.addr for a in parsed.cc],
            "reply_to": parsed.reply_to, "subject": parsed.subject, "text": parsed.text,
            "reply_text": parsed.reply_text, "html": parsed.html, "rfc_message_id": parsed.rfc_message_id,
            "in_reply_to": parsed.in_reply_to[0] if parsed.in_reply_to else None,
            "refs": list(dict.fromkeys((*parsed.references, *parsed.in_reply_to))),
            "sent_at": parsed.date, "has_attachments": bool(parsed.attachments),
            "automatic": list(verdict.automatic), "flags": [*verdict.flags, *where.flags],
            "auth": read.identity.as_object(),
            "spam_score": read.spam.score, "spam_verdict": spam_verdict(read.spam, verdict),
            "quarantined_for": list(verdict.quarantined_for), "in_reply_to_id": where.in_reply_to_id,
            "expires_at": expires,
        },
        "files": [
            {"n": a.n, "name": a.name, "content_type": a.content_type, "size_bytes": a.size, "sha256": a.sha256,
             "inline": a.inline} for a in parsed.attachments
        ],
    }  # fmt: skip


def spam_verdict(spam: Spam, verdict: Verdict) -> str:
    """The filter's word; mail that is kept aside for another reason counts as quarantined."""
    return spam.verdict if spam.verdict != "clean" else "clean" if verdict.is_fine else "quarantined"


def _read(raw: bytes) -> tuple[Parsed, Report | None]:
    parsed = parse(raw)
    return parsed, read_report(raw, parsed)


def _unread(raw: bytes) -> Parsed:
    """What is known of a mail that nobody could read: its bytes are kept, a person looks."""
    text = "(This mail could not be read. Its bytes are kept.)"
    return Parsed(
        sha256=hashlib.sha256(raw).hexdigest(), size=len(raw), subject="", subject_stripped="", from_name="",
        from_address="", to=(), cc=(), reply_to=None, date=None, rfc_message_id=None, in_reply_to=(), references=(),
        text=text, reply_text=text, html=None, hidden_text=False, attachments=(), automatic=("unreadable",),
        defects=("unreadable",), received_count=0, delivered_to=(), is_report=False,
    )  # fmt: skip
