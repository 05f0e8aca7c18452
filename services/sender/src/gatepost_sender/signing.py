"""From a released content to the signed bytes for one recipient."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from gatepost_mail import tokens
from gatepost_mail.compose import compose
from gatepost_mail.content import Content
from gatepost_mail.dkim import DkimKey, sign
from gatepost_mail.identity import identity_header
from gatepost_sender.dkim_keys import DkimKeys
from gatepost_sender.due import Due
from gatepost_store import Store

SYSTEM_MAILBOX = "mbx_system"


class BytesMissing(Exception):
    """An attachment's bytes are not in the store."""


class Signer:
    """Composes and signs, in a small pool of threads: RSA holds no lock there."""

    def __init__(
        self,
        store: Store,
        dkim: DkimKeys,
        pool: Executor,
        *,
        token_key: bytes,
        identity_key: EllipticCurvePrivateKey,
        public_url: str,
    ) -> None:
        self._store, self._dkim, self._pool = store, dkim, pool
        self._token_key, self._identity_key = token_key, identity_key
        self._public_url = public_url.rstrip("/")

    def rfc_message_id(self, due: Due) -> str:
        """The Message-ID, fixed with the message: a resend has the same."""
        if due.rfc_message_id:
            return due.rfc_message_id
        return tokens.message_id_for(self._token_key, due.message_id, due.thread_id, due.sender_domain)

    async def sign(self, due: Due, content: Content, now: datetime) -> bytes:
        """The bytes that go over the wire."""
        keys = await self._dkim.of(due.sender_domain, due.tenant_id)
        wanted = {attachment.sha256 for attachment in content.attachments}
        files: dict[str, bytes] = {}
        if wanted:
            rows = await self._store.fetch("blobs", due.mailbox_id, sorted(wanted))
            files = {row["sha256"]: bytes(row["bytes"]) for row in rows}
        if missing := wanted - files.keys():
            raise BytesMissing(f"{len(missing)} attachments have no bytes")
        rfc_message_id, extra = self.rfc_message_id(due), self._headers(due, now)
        work = (content, rfc_message_id, now, files, extra, keys)
        return await asyncio.get_running_loop().run_in_executor(self._pool, _work, *work)

    def _headers(self, due: Due, now: datetime) -> list[tuple[str, str]]:
        claim = {
            "message": due.message_id,
            "mailbox": due.mailbox_address,
            "author": due.author_kind or "",
            "content_sha256": due.content_sha256 or "",
            "at": int(now.timestamp()),
        }
        headers = [("X-Gatepost-Identity", identity_header(claim, self._identity_key))]
        if due.mailbox_id != SYSTEM_MAILBOX:
            token = tokens.unsubscribe_token(self._token_key, due.mailbox_id, due.recipient)
            link, mailto = f"{self._public_url}/v1/unsubscribe/{token}", f"mailto:{due.mailbox_address}"
            headers += [
                ("List-Unsubscribe", f"<{link}>, <{mailto}?subject=unsubscribe>"),
                ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ]
        return headers


def _work(
    content: Content,
    rfc_message_id: str,
    date: datetime,
    files: dict[str, bytes],
    extra: list[tuple[str, str]],
    keys: tuple[DkimKey, ...],
) -> bytes:
    raw = compose(content, rfc_message_id=rfc_message_id, date=date, attachments=files, extra_headers=extra)
    for key in keys:
        raw = sign(raw, key)
    return raw
