"""Mail of the installation itself: outbound messages of the system mailbox, to the account's oversight address alone.

It is an ordinary mail with an ordinary grant: the table's own row bears it released, the sender verifies and sends it. Its
id follows from what it is about, so that telling twice is telling once. Who sets the address is the operator; the row's
guard compares it again, on the live fact.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import structlog

from gatepost_contracts.ids import derived_id
from gatepost_gatekeeper import said
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX
from gatepost_gatekeeper.grants import Grants
from gatepost_gatekeeper.steps import ITSELF, Steps
from gatepost_gatekeeper.templates import Text
from gatepost_mail.render import DraftText, SenderIdentity, render
from gatepost_store import Stayed

log = structlog.get_logger()
AUTHOR = "prn_gatekeeper"


class Notices:
    """Writes system mail."""

    def __init__(self, steps: Steps, grants: Grants) -> None:
        self._steps, self._store, self._grants = steps, steps.store, grants

    async def send(self, text: Text, tenant_id: str, *, about: str, at: datetime) -> bool:
        """Write it, once per `about` and moment; False where there is nobody to write to."""
        message_id = derived_id("msg", at, about)
        if await self._store.fetchval("is_there", message_id):
            return True
        row = await self._store.fetchrow("system_mailbox", tenant_id)
        if row is None or not row["oversight_email"]:
            log.warning("nobody can be told: the account has no oversight address", template=text.template)
            return False
        content = render(
            DraftText(markdown=text.markdown, to=(row["oversight_email"],), subject=text.subject, salt=secrets.token_hex(16)),
            SenderIdentity(address=row["address"], display_name=row["display_name"], operator=row["tenant_name"]),
            ai_written=False,
        )  # fmt: skip
        draft = {
            "kind": "draft", "n": 1, "content_sha256": content.sha256, "content": content.canonical_text(),
            "markdown": text.markdown, "subject": content.subject, "recipients": list(content.recipients),
            "author": AUTHOR, "author_kind": "service", "placeholder": False, "evidence": {},
        }  # fmt: skip
        message = {
            "id": message_id, "mailbox_id": SYSTEM_MAILBOX, "release": 0, "send_at": None, "undo_window_s": 0,
        }  # fmt: skip
        release = self._grants.release(message, draft, mode="autonomous", now=datetime.now(UTC))
        made = await self._store.insert(
            "T34",
            {
                "m": {
                    "id": message_id, "tenant_id": tenant_id, "mailbox_id": SYSTEM_MAILBOX,
                    "thread_id": derived_id("thr", at, about), "subject": content.subject,
                    "to_addresses": list(content.to), "author": AUTHOR, "author_kind": "service",
                    "expires_at": release.expires_at,  # where it cannot leave, waiting ends with the grant
                },
                "rev": {name: value for name, value in draft.items() if name != "n"}, "thread": {"new": True},
                "grant_token": release.grant, "due_at": release.due_at, "template": text.template,
            },
            by=ITSELF, data={**said.released(draft, release), "template": text.template},
        )  # fmt: skip
        if isinstance(made, Stayed):
            log.warning("a notice was not written", template=text.template, failed=made.failed)
            return False
        return True
