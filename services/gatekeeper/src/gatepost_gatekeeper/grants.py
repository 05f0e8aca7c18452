"""The signed word under which a mail may leave: made here and nowhere else."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatepost_gatekeeper.choose import due_at
from gatepost_oversight.digest import policy_digest
from gatepost_oversight.grant import Grant, recipients_digest, sign_grant


@dataclass(frozen=True)
class Release:
    """What a releasing step needs beside its guard's arguments."""

    number: int
    grant: str
    due_at: datetime
    expires_at: datetime
    delivery_ids: tuple[str, ...]


class Grants:
    """Signs with the gatekeeper's key."""

    def __init__(self, key: Ed25519PrivateKey, queue_life_s: int) -> None:
        self._key = key
        self._queue_life = timedelta(seconds=queue_life_s)

    def derived(self, purpose: str) -> bytes:
        """A secret of this service for another purpose; from it nobody gets back to the key."""
        return hmac.digest(self._key.private_bytes_raw(), f"gatepost {purpose} v1".encode(), "sha256")

    def release(
        self, message: Mapping[str, Any], draft: Mapping[str, Any], *, mode: str, now: datetime,
        decided_by: Sequence[str] = (), ended: frozenset[str] = frozenset(),
    ) -> Release:  # fmt: skip
        """The next release of this mail with this content; `ended` are recipients that need no delivery any more.

        The grant ends a queue's life after the first attempt may begin, so that it covers every retry.
        """
        number = message["release"] + 1
        due = due_at(now, message["send_at"], mode, message["undo_window_s"])
        recipients = list(draft["recipients"])
        grant = Grant(
            message_id=message["id"], mailbox_id=message["mailbox_id"], revision=draft["n"], release=number,
            content_sha256=draft["content_sha256"], recipients_sha256=recipients_digest(recipients, _salt(draft["content"])),
            policy=policy_digest(), decided_by=tuple(decided_by), expires_at=due + self._queue_life,
        )  # fmt: skip
        left = [recipient for recipient in recipients if recipient not in ended]
        ids = tuple(f"{message['id']}.{number}.{n}" for n, _ in enumerate(left, start=1))
        return Release(number, sign_grant(self._key, grant), due, grant.expires_at, ids)


def _salt(content: str | None) -> str:
    """The salt inside of a draft's content; none in what was written before contents had one."""
    found = json.loads(content or "{}")
    return str(found.get("salt") or "") if isinstance(found, dict) else ""
