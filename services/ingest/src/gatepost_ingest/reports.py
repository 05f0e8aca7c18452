"""What a delivery report, a complaint or an opt-out proves, and against whom.

Only mail that we really sent counts, to the recipient it speaks of: otherwise anybody could stop anybody's mail. An
unproven report stays a note on the stored mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatepost_mail import tokens
from gatepost_mail.dsn import Report

_UNSUBSCRIBE = re.compile(r"(?i)unsubscribe[ :]+([A-Za-z0-9_.-]{20,1000})$")
_SENT = frozenset({"sending", "deferred", "delivered", "bounced", "uncertain"})


@dataclass(frozen=True)
class Finding:
    """What to tell the world about a report, and whom never to write to again."""

    kind: str
    action: str = "none"
    status_code: str | None = None
    about_message_id: str | None = None
    about_delivery_id: str | None = None
    proven: bool = False
    suppress: str | None = None
    how: str | None = None  # reply or arf
    severity: str = "none"

    @property
    def data(self) -> dict[str, Any]:
        """The fields of email.reported."""
        return {
            "kind": self.kind, "action": self.action, "status_code": self.status_code, "proven": self.proven,
            "about_message_id": self.about_message_id, "about_delivery_id": self.about_delivery_id,
            "severity": self.severity,
        }  # fmt: skip


def opted_out_by_header(subject: str, mailbox_id: str, key: bytes) -> Finding | None:
    """The mail that List-Unsubscribe's mailto makes: its subject carries our token for mailbox and recipient."""
    found = _UNSUBSCRIBE.match(subject.strip())
    said = tokens.read_unsubscribe(key, found[1]) if found else None
    if said is None or said.mailbox_id != mailbox_id:
        return None
    return Finding("opt_out", proven=True, suppress=said.recipient, how="header")


def find(
    report: Report,
    author: str,
    sent: Sequence[Mapping[str, Any]],
    delivery_id: str | None = None,
    *,
    is_proven_author: bool = False,
) -> Finding:
    """Judge a report. `sent` are our deliveries that it names, rows of the statement `sent_deliveries`.

    `delivery_id` is that of the return path it came to: a forwarder may name an address in it that we never wrote to.
    `is_proven_author`: something aligned proves the author's domain, so that their wish counts although the mail names
    none of ours.
    """
    rows = [row for row in sent if row["state"] in _SENT]
    match report.kind:
        case "dsn":
            row = next((r for r in rows if r["delivery_id"] == delivery_id), None)
            if row is None and len(rows) == 1:  # of several recipients one could report on another
                row = _of_recipient(rows, report.recipient)
            return Finding("dsn", report.action, report.status, *_about(row, rows), proven=row is not None,
                           severity=report.severity)  # fmt: skip
        case "arf":
            row = _of_recipient(rows, report.recipient)
            is_complaint = report.feedback != "not-spam"
            whom = row["recipient"] if row is not None and is_complaint else None
            return Finding("arf", "none", None, *_about(row, rows), row is not None, whom, "arf" if whom else None)
        case "opt_out":
            row = next((r for r in rows if r["recipient"] == author), None)
            whom = author if row is not None or (is_proven_author and author) else None
            return Finding(
                "opt_out", "none", None, *_about(row, rows), whom is not None, whom, "reply" if whom else None
            )
        case _:
            return Finding("auto_reply", "none", None, *_about(None, rows))


def _of_recipient(rows: Sequence[Mapping[str, Any]], recipient: str | None) -> Mapping[str, Any] | None:
    """The delivery to this recipient; where the report names none, the only one there is."""
    if recipient:
        return next((row for row in rows if row["recipient"] == recipient), None)
    return rows[0] if len(rows) == 1 else None


def _about(row: Mapping[str, Any] | None, rows: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    if row is not None:
        return row["message_id"], row["delivery_id"]
    return (rows[0]["message_id"] if rows else None), None
