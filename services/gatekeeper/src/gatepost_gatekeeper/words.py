"""What people write in their own words about pauses and modes: kept beside the log, which names it by a salted digest.

Kept before the step that names it: a step that did not come about leaves words that no record names, and no harm.
"""

from __future__ import annotations

import secrets

from gatepost_contracts.canonical import sha256_hex
from gatepost_gatekeeper.caller import SYSTEM_MAILBOX, Caller
from gatepost_store import Store


class Words:
    """Keeps them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def digest(self, caller: Caller, mailbox_id: str, text: str) -> str | None:
        """As the record of this mailbox, or of the account, names the text; None for nothing."""
        if not text:
            return None
        salt, subject = secrets.token_hex(16), caller.tenant_id if mailbox_id == SYSTEM_MAILBOX else mailbox_id
        digest = sha256_hex(f"{salt}\n{text}")
        await self._store.execute("keep_words", digest, caller.tenant_id, subject, salt, text)
        return digest
