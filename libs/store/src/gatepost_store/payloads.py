"""What `Store.insert` takes, row by row. Keys of `m` and `rev` are columns of `message` and `revision`.

Times are datetimes or ISO strings with a zone. `files[].raw_n` counts from one the byte strings given as `raw`.
All ids are made by the caller with `new_id`, so that a retry of the same payload makes nothing twice.

`Store.step` takes as keyword arguments what `gatepost_oversight.sql_parts.ARGUMENTS` names. The usual ones:
  T06 T14 T15a T15b T19   revision=n (the revision to adopt; hash, recipients and placeholder are read from its row)
  T07 T09 T14 T15b T16 T19  reasons=[...], expires_at=...
  T08                     verdict="release"   T09  verdict="hold"   T10  verdict="refuse"  (what policy said)
  T08 T11 T13 T15a        version=..., grant_token=..., due_at=...      (one delivery per recipient without an end)
  T11 to T15b             seen_hash=..., seen_head=...
  T17 T18                 has_note=..., final=..., reason=...
  any decision            decision_id=, action=, decided_revision=, decided_hash=, note=, reason_code=, seen_given=
  T10                     reasons=[...], reason=...     T10d  delivery_id=...
  T24 T25                 delivery_id=, owner=, lease_until=, grant_ok=, rfc_message_id=
  T26 T27                 delivery_id=, owner=, lease_until=
  T28 to T31              delivery_id=, stage=, code=, enhanced=, reply=, remote_id=, via=, due_at= (T29),
                          suppression_id= (T30: suppresses the recipient), proven=True (T30 of what was delivered)
  T32 T33                 delivery_id=, has_note=True
  W1 W2 W9                step(row, mailbox_id, mode=, ceiling=)    W3 W8  on=
  W4                      step(row, mailbox_id, pause_id=, scope=, target=, reason=)     W5  pause_id=
  W1g W2g W9g             step(row, mailbox_id, mode_grant_id=, kind=, name=, mode=, covers_ask=)    W1r W2r  kind=, name=
  W10                     step(row, mailbox_id, name=, conditions= (none ends it), priority=)
  W11                     step(row, mailbox_id, request_id=, mode=, code_sha256=, expires_at=, reason=)
  W12                     step(row, mailbox_id, request_id=, mode=, code_ok=, covers_ask=)
  W7                      step(row, mailbox_id, address=)    N1  endpoint_id=, reason=    N2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

When = datetime | str


class FileRow(TypedDict, total=False):
    """One attachment. `raw_n`: where its bytes stand in `raw`; inbound mail has none, its parts are cut from the raw bytes."""

    n: int
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    inline: bool
    raw_n: int


class ThreadRow(TypedDict, total=False):
    """An existing thread by `id`, or `new`. With `external_id` the caller's own id decides: an existing one is joined."""

    id: str
    new: bool
    external_id: str | None
    subject: str
    metadata: Mapping[str, Any]
    related_thread_id: str | None


class InboundMail(TypedDict, total=False):
    """Columns of an inbound mail; the first four are needed."""

    id: str
    tenant_id: str
    mailbox_id: str
    thread_id: str
    raw_sha256: str
    size_bytes: int
    envelope_from: str | None
    envelope_to: str | None
    header_from: str | None
    from_name: str | None
    to_addresses: Sequence[str]
    cc_addresses: Sequence[str]
    reply_to: str | None
    subject: str
    text: str | None
    reply_text: str | None
    html: str | None
    in_reply_to: str | None
    refs: Sequence[str]
    rfc_message_id: str | None
    in_reply_to_id: str | None
    sent_at: When | None
    has_attachments: bool
    automatic: Sequence[str]
    flags: Sequence[str]
    auth: Mapping[str, Any]
    spam_score: int | None
    spam_verdict: str | None
    quarantined_for: Sequence[str]
    expires_at: When | None


class Inbound(TypedDict, total=False):
    """T01 receive (`fine` is taken as true) and T02 quarantine; `raw` is the mail's bytes.

    `Stayed(("FINE",))` means that the mailbox became gated_all: quarantine it instead. A mail that is stored already
    (mailbox, raw_sha256) comes back as `Inserted(duplicate=True)` with the first one's id.
    """

    m: InboundMail
    thread: ThreadRow
    files: Sequence[FileRow]
    fine: bool


class OutboundMail(TypedDict, total=False):
    """Columns of an outbound mail; author is a principal."""

    id: str
    tenant_id: str
    mailbox_id: str
    thread_id: str
    answers: str | None
    in_reply_to_id: str | None
    metadata: Mapping[str, Any]
    tags: Mapping[str, Any]
    subject: str
    to_addresses: Sequence[str]
    cc_addresses: Sequence[str]
    has_attachments: bool
    author: str
    author_key: str | None
    author_kind: Literal["drafter", "agent", "person", "service"]
    ask: str | None
    ask_at_submit: str | None
    gate_timing: str
    send_at: When | None
    category: str | None
    expires_at: When | None


class RevisionRow(TypedDict, total=False):
    """Columns of a revision; its number is the statement's to give."""

    kind: Literal["draft", "edit", "failed"]
    content_sha256: str
    content: str
    markdown: str
    subject: str
    recipients: Sequence[str]
    author: str
    author_key: str | None
    author_kind: str
    ask: str | None
    placeholder: bool
    failure: str | None
    answers: str | None
    evidence: Mapping[str, Any]
    category: str | None
    model_call_id: str | None


class Idempotency(TypedDict):
    """The key under which a second request writes nothing."""

    principal_id: str
    key: str
    request_sha256: str


class Draft(TypedDict, total=False):
    """T05: a new outbound mail with revision 1; the event's data holds `revision: 1`."""

    m: OutboundMail
    rev: RevisionRow
    thread: ThreadRow
    files: Sequence[FileRow]
    idem: Idempotency | None


class Revision(TypedDict, total=False):
    """R1: a further revision. Its number is put into the event's data as `revision`; an edit tells nothing."""

    message_id: str
    rev: RevisionRow
    files: Sequence[FileRow]


class SystemMail(TypedDict, total=False):
    """T34: a mail of `mbx_system`, born released; content and recipients are those of `rev`.

    `template` is one of `gatepost_oversight.terms.SYSTEM_TEMPLATES`, the recipient the account's oversight address.
    """

    m: OutboundMail
    rev: RevisionRow
    thread: ThreadRow
    grant_token: str
    due_at: When
    template: str


class Suppression(TypedDict, total=False):
    """W6. `emits` names the event, if any: email.unsubscribed or email.complained.

    An address that is suppressed already comes back as `Inserted(duplicate=True)`, and nothing is told twice.
    """

    mailbox_id: str
    tenant_id: str
    suppression_id: str
    address: str
    reason: Literal["unsubscribed", "bounced", "complained", "manual"]
    scope: Literal["mailbox", "tenant"]
    category: str | None
    message_id: str | None
    emits: Sequence[str]
