"""Whether a mail may be seen by agents, and whether it may ever be answered by machine.

Kept aside is not refused: a person looks. Reasons are words that the console shows and rules may name.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatepost_ingest.arrived import Arrived, Recipient
from gatepost_ingest.spam import NO_FILTER, Spam
from gatepost_mail import tokens
from gatepost_mail.authentication import Identity
from gatepost_mail.parse import Parsed

MOST_RECEIVED = 25
"""More hops than this is a loop (RFC 5321 6.3 asks for a limit; real mail has under a dozen)."""

GATED = "gated_all"
"""The mailbox shows agents nothing before a person did."""


@dataclass(frozen=True)
class Verdict:
    """Why it is kept aside (empty: it is not), why it is never answered, and what a reviewer should know."""

    quarantined_for: tuple[str, ...]
    automatic: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def is_fine(self) -> bool:
        """Agents may see it."""
        return not self.quarantined_for


def judge(
    parsed: Parsed, arrived: Arrived, to: Recipient, identity: Identity, *, came_back: bool = False,
    spam: Spam = NO_FILTER,
) -> Verdict:  # fmt: skip
    """The verdict on one mail for one mailbox; `came_back`: this mailbox sent it itself.

    Mail of the past (the door `import`) is shown as it was and never answered: own mails are a part of it.
    """
    mailbox = to.mailbox
    aside: list[str] = []
    never: list[str] = list(parsed.automatic)
    flags: list[str] = []
    if parsed.received_count > MOST_RECEIVED:
        aside.append("loop")
    is_history = arrived.door == "import"
    if is_history:
        never.append("imported")
    if came_back:
        never.append("own_message")
    if parsed.from_address == mailbox.address:
        never.append("own_address")
    if not is_history:
        aside += [reason for reason in ("own_message", "own_address") if reason in never]
    if "unreadable" in parsed.defects:
        aside.append("malformed")
    if spam.verdict != "clean":
        aside.append("spam")
    if spam.is_unknown:
        flags.append("spam_unknown")
    if not arrived.sender:
        never.append("null_sender")
    if not parsed.from_address:
        never.append("no_sender")
    if mailbox.mode == "gated_all":
        aside.append(GATED)
    if parsed.hidden_text:
        flags += ["hidden_text", *(f"hidden_by_{how}" for how in parsed.hidden)]
    if identity.dmarc.result == "fail":
        flags.append("author_unproven")  # its domain says that it stands behind its mail, and not behind this one
    if len(parsed.authors) > 1:
        flags.append("several_authors")
    if not {tokens.base_address(a.addr) for a in (*parsed.to, *parsed.cc)} & {mailbox.address, to.address}:
        flags.append("not_addressed")  # a signed mail to somebody else may have been sent on to us (replay)
    if arrived.had_bare_line_ends:
        flags.append("bare_line_ends")
    if parsed.defects:
        flags.append("defects")
    return Verdict(tuple(aside), tuple(dict.fromkeys(never)), tuple(flags))
