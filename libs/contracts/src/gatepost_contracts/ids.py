"""Ids: a prefix that says what it names, an underscore, and a ULID that sorts by time."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from datetime import datetime
from typing import Annotated

from pydantic import Field

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """`prefix_` and 26 characters (48 bits of milliseconds, 80 random); strictly increasing inside a process."""
    global _last  # noqa: PLW0603 (the one place that remembers the newest id)
    fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = fresh if fresh > _last else _last + 1
        value = _last
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def derived_id(prefix: str, at: datetime, seed: str) -> str:
    """The same id for the same moment and seed: what is made again after a crash is made once. It sorts by time as well."""
    tail = int.from_bytes(hashlib.sha256(f"{prefix}\n{seed}".encode()).digest()[: _RANDOM_BITS // 8], "big")
    value = int(at.timestamp() * 1000) << _RANDOM_BITS | tail
    return f"{prefix}_" + "".join(_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


TenantId = Annotated[str, Field(pattern=r"^ten_[0-9A-Z]{26}$", examples=["ten_01JD0000000000000000000000"])]
MailboxId = Annotated[str, Field(pattern=r"^mbx_(system|[0-9A-Z]{26})$", examples=["mbx_01JD0000000000000000000000"])]
MessageId = Annotated[str, Field(pattern=r"^msg_[0-9A-Z]{26}$", examples=["msg_01JD0000000000000000000000"])]
ThreadId = Annotated[
    str,
    Field(
        pattern=r"^[!-~]{1,200}$",
        description="Ours (thr_...), never the caller's own id.",
        examples=["thr_01JD0000000000000000000000"],
    ),
]
DeliveryId = Annotated[
    str,
    Field(
        pattern=r"^msg_[0-9A-Z]{26}\.\d+\.\d+$",
        description="<message_id>.<release>.<n>",
        examples=["msg_01JD0000000000000000000000.1.1"],
    ),
]
PrincipalId = Annotated[str, Field(pattern=r"^prn_\w{1,40}$", examples=["prn_reviewer"])]
KeyId = Annotated[str, Field(pattern=r"^key_[0-9A-Z]{26}$", examples=["key_01JD0000000000000000000000"])]
EventId = Annotated[
    str,
    Field(
        description="<subject_id>.<seq>.<type>: derived from the audit record alone, so a repeat has the same id.",
        examples=["msg_01JD0000000000000000000000.3.email.held"],
    ),
]
CommandId = Annotated[str, Field(pattern=r"^cmd_[0-9A-Z]{26}$", examples=["cmd_01JD0000000000000000000000"])]
SuppressionId = Annotated[str, Field(pattern=r"^sup_[0-9A-Z]{26}$", examples=["sup_01JD0000000000000000000000"])]
PauseId = Annotated[str, Field(pattern=r"^pse_[0-9A-Z]{26}$", examples=["pse_01JD0000000000000000000000"])]
GrantId = Annotated[str, Field(pattern=r"^mgr_[0-9A-Z]{26}$", examples=["mgr_01JD0000000000000000000000"])]
UpgradeId = Annotated[str, Field(pattern=r"^upg_[0-9A-Z]{26}$", examples=["upg_01JD0000000000000000000000"])]
EndpointId = Annotated[str, Field(pattern=r"^whk_[0-9A-Z]{26}$", examples=["whk_01JD0000000000000000000000"])]
WebhookDeliveryId = Annotated[str, Field(pattern=r"^whd_\w{1,64}$", examples=["whd_0123456789abcdef"])]
