"""The fixed texts of system mail. Only our own names and numbers get in: nothing that an agent or a sender wrote.

One exception: the code of an administrative act stands beside what was asked, line by line as quoted code, because a
person who cannot see what a code is good for cannot decide on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MODES = {
    "read_only": "read only", "gated_all": "everything is looked at", "gated_send": "every mail out is looked at",
    "monitored": "mail leaves by itself and can be taken back", "autonomous": "mail leaves by itself",
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """One mail."""

    template: str
    subject: str
    markdown: str


def upgrade_code(
    address: str, mode: str, code: str, expires_at: datetime, url: str, *, pattern: str | None = None
) -> Text:
    """The one-time code, to the person who may redeem it: for the mailbox, or for recipients who are to be listed."""
    what = f"the mailbox {address}" if pattern is None else f"mail from {address} to `{pattern}` alone"
    return Text("upgrade_code", f"An agent asks for more freedom in {address}", f"""\
An agent asks that {what} may be **{mode}**: {MODES[mode]}.

Nothing has changed. If you want it, redeem this code with an operator's key, once, before {_said(expires_at)}:

    {code}

For example:

    gatepost upgrade redeem {address} {code}

or `POST {url}/v1/mailboxes/{address}/upgrade` with `{{"code": "..."}}`. Look at `gatepost evidence {address}` first.

If you do not want it, do nothing.""")  # fmt: skip


def approval_code(action: str, said: str, key_name: str, code: str, expires_at: datetime) -> Text:
    """The one-time code of an administrative act, with what exactly it is good for."""
    asked = "\n".join(f"    {_plain(line)}" for line in (f"act: {action}", f"key: {key_name}", *said.splitlines()[:40]))
    return Text("approval_code", f"A key asks to {action.replace('_', ' ')}", f"""\
A key of this account asks for this, and nothing has been done:

{asked}

If you want it, give this code to whoever uses the key, before {_said(expires_at)}. It is good once, for exactly this:

    {code}

If you do not want it, do nothing; look at the key with `gatepost keys list`.""")  # fmt: skip


def _plain(line: str) -> str:
    """A line of what was asked: printable, short, nothing that leaves its line."""
    return "".join(c if c.isprintable() else "?" for c in line)[:200]


def demoted(address: str, category: str, mode: str, previous: str) -> Text:
    """A category, or without one the mailbox, became stricter by itself."""
    what = f"drafts of the category `{category}`" if category else "drafts"
    return Text("demoted", f"{address}: drafts {'of a category ' if category else ''}are looked at again", f"""\
In the mailbox {address} too many {what} were not approved as they stood.

It was {previous} and is **{mode}** now: {MODES[mode]}. What had not left yet waits for a reviewer.

`gatepost evidence {address}` shows the numbers. An operator may grant the mode again.""")  # fmt: skip


def deviated(subject: str, seq: int) -> Text:
    """The log and a row do not agree."""
    return Text("deviated", "The audit log and the database do not agree", f"""\
What the log says of `{subject}` does not lead to what the database holds, as of record {seq}.

Either a row was changed by hand or by somebody who should not, or the log was. Nothing was repaired. Mail whose row was
changed does not leave: the sender verifies each mail against the signed grant.

`gatepost audit verify` judges the whole log, the gatekeeper's own log and the metric `gatepost_audit_deviations` say what
differs and how much. Further ones of today are not told by mail.""")  # fmt: skip


def waiting(counts: Sequence[tuple[str, int]], oldest_at: datetime, url: str) -> Text:
    """What waits for a decision."""
    total = sum(count for _, count in counts)
    lines = "\n".join(f"* {address}: {count}" for address, count in counts)
    return Text("waiting", f"{total} mail{'' if total == 1 else 's'} wait for a decision", f"""\
Waiting for a reviewer, the oldest since {_said(oldest_at)}:

{lines}

`gatepost review` shows them; see {url}/review. What nobody decides ends unsent.""")  # fmt: skip


def approvals(news: Sequence[tuple[str, str, Sequence[str]]], total: int, url: str) -> Text:
    """What has begun to wait: the mailbox, the mail's id and the rules that held it. The link shows; it decides nothing."""
    lines = "\n".join(
        f"* {address}, because of {', '.join(reasons) or 'its mode'}: {url}/review?message_id={message_id}"
        for address, message_id, reasons in news
    )
    more = f"\n\nand {total - len(news)} more: {url}/review" if total > len(news) else ""
    return Text("waiting", f"{total} mail{' needs' if total == 1 else 's need'} your decision", f"""\
Held until a reviewer decides:

{lines}{more}

What nobody decides ends unsent.""")  # fmt: skip


def unreached(endpoint_id: str, disabled_because: str | None) -> Text:
    """A webhook that nothing reaches; `disabled_because` is ours, None where only a delivery was given up."""
    happened = (
        f"The webhook {endpoint_id} was switched off: {disabled_because}. What waited for it is kept."
        if disabled_because
        else f"A delivery to the webhook {endpoint_id} ran out of attempts. It is kept, and others may follow."
    )
    return Text("endpoint", f"A webhook {'was switched off' if disabled_because else 'gave up a delivery'}", f"""\
{happened}

`gatepost webhooks ls` shows its URL and why it fails.
When it works again, switch it on (`PATCH /v1/webhooks/{endpoint_id}` with `is_active`) if it is off, and send what it missed:

    gatepost webhooks redeliver --webhook {endpoint_id}""")  # fmt: skip


def _said(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
