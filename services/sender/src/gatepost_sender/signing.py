"""From a released content to the signed bytes for one recipient."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gatepost_contracts.canonical import sha256_hex
from gatepost_mail import tokens
from gatepost_mail.compose import compose
from gatepost_mail.content import Content
from gatepost_mail.dkim import DkimKey, sign
from gatepost_mail.identity import identity_header
from gatepost_oversight.grant import recipients_digest
from gatepost_sender.crew import Crew
from gatepost_sender.dkim_keys import DkimKeys
from gatepost_sender.due import Due
from gatepost_store import Store

SYSTEM_MAILBOX = "mbx_system"


class BytesMissing(Exception):
    """An attachment's bytes are not in the store."""


class Signer:
    """Composes and signs, in threads: RSA holds no lock there."""

    def __init__(
        self,
        store: Store,
        dkim: DkimKeys,
        crew: Crew,
        *,
        token_key: bytes,
        identity_key: EllipticCurvePrivateKey,
        public_url: str,
    ) -> None:
        self._store, self._dkim, self._crew = store, dkim, crew
        self._token_key, self._identity_key = token_key, identity_key
        self._public_url = public_url.rstrip("/")
        self._kid = sha256_hex(identity_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))[
            :16
        ]

    def rfc_message_id(self, due: Due) -> str:
        """The Message-ID, fixed with the message: a resend has the same."""
        if due.rfc_message_id:
            return due.rfc_message_id
        return tokens.message_id_for(self._token_key, due.message_id, due.thread_id, due.sender_domain)

    def return_path(self, due: Due) -> str:
        """The envelope sender: reports that come back there name this recipient's row."""
        return tokens.return_path(self._token_key, due.mailbox_address, due.id)

    async def sign(self, due: Due, content: Content, now: datetime) -> bytes:
        """The bytes that go over the wire."""
        keys = await self._dkim.of(due.sender_domain, due.tenant_id)
        wanted = {attachment.sha256 for attachment in content.attachments}
        files: dict[str, bytes] = {}
        if wanted:
            rows = await self._store.fetch("blobs", due.mailbox_id, sorted(wanted))
            files = {row["sha256"]: await self._store.content(row) or b"" for row in rows}
        if missing := wanted - files.keys():
            raise BytesMissing(f"{len(missing)} attachments have no bytes")
        return await self._crew.do(partial(self._made, due, content, now, files, keys))

    def _made(
        self, due: Due, content: Content, now: datetime, files: dict[str, bytes], keys: tuple[DkimKey, ...]
    ) -> bytes:
        rfc_message_id = self.rfc_message_id(due)
        extra = self._headers(due, content, rfc_message_id, now)
        raw = compose(content, rfc_message_id=rfc_message_id, date=now, attachments=files, extra_headers=extra)
        return sign(raw, keys, timestamp=int(now.timestamp()))

    def _claim(self, due: Due, content: Content, rfc_message_id: str, now: datetime) -> dict[str, Any]:
        """Who sent this and whether a person approved it, bound to exactly this mail (docs: the identity header)."""
        return {
            "ai_generated": due.author_kind in {"drafter", "agent"},
            "alg": "ES256",
            "approved": due.is_approved,
            "body_sha256": sha256_hex(content.text),
            "capabilities": [],
            "iat": int(now.timestamp()),
            "kid": self._kid,
            "message_id": rfc_message_id,
            "mode": due.mode,
            "operator": due.operator,
            "recipients_sha256": recipients_digest((*content.to, *content.cc)),
            "service": "gatepost",
            "subject_sha256": sha256_hex(content.subject),
            "verified_operator": False,
        }

    def _headers(self, due: Due, content: Content, rfc_message_id: str, now: datetime) -> list[tuple[str, str]]:
        claim = self._claim(due, content, rfc_message_id, now)
        headers = [("X-Gatepost-Identity", identity_header(claim, self._identity_key))]
        if mark := _mark(due, content):
            headers.append(("Auto-Submitted", mark))
        if due.mailbox_id != SYSTEM_MAILBOX:
            token = tokens.unsubscribe_token(self._token_key, due.mailbox_id, due.recipient, (due.category or "")[:100])
            link, mailto = f"{self._public_url}/v1/unsubscribe/{token}", f"mailto:{due.mailbox_address}"
            headers += [
                ("List-Unsubscribe", f"<{link}>, <{mailto}?subject=unsubscribe%20{token}>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        return headers


def _mark(due: Due, content: Content) -> str | None:
    """What no person wrote or approved says so, and machines will not answer it (RFC 3834 5)."""
    if due.is_approved or due.author_kind == "person":
        return None
    return "auto-replied" if content.in_reply_to else "auto-generated"
