"""From the rows of a case to the facts the policy decides on. Pure; every fact errs towards holding."""

from __future__ import annotations

from dataclasses import dataclass

from gatepost_gatekeeper.case import Case
from gatepost_gatekeeper.signs import (
    has_placeholder,
    link_hosts,
    mail_hosts,
    outside_hosts,
    tries_to_steer,
    unsupported,
)
from gatepost_oversight.evidence import is_sampled
from gatepost_oversight.mode import Mode, effective, strictest
from gatepost_oversight.policy import FACT_NAMES, Facts

SYSTEM_MAILBOX = "mbx_system"
INJECTION_FLAGS = frozenset({"suspected_injection", "hidden_text"})


@dataclass(frozen=True)
class Limits:
    """What counts as too much, and where we live."""

    hourly: int = 0  # 0: no limit
    per_thread: int = 10
    per_correspondent: int = 20
    home_hosts: tuple[str, ...] = ()  # hosts of our own pages, which footers link to
    sample_key: bytes = b""
    sample_rate: float = 0.0  # of every category and mailbox that a person loosened: what stays reviewed for ever


def facts_of(case: Case, limits: Limits, *, renders_alike: bool) -> Facts:
    """All facts about the draft of this case."""
    message, draft = case.message, case.draft
    is_system = message["mailbox_id"] == SYSTEM_MAILBOX
    return Facts(
        mode=effective_mode(case),
        suppressed=bool(case.suppressed),
        blocked=bool(message["policy_block"] or message["mailbox_block"]),
        loop=_answers_ourselves(case),
        draft_failed=draft is None or draft["kind"] == "failed",
        placeholder=_has_placeholder(case),
        render_mismatch=not renders_alike,
        unsupported_commitment=bool(unsupported_promises(case)),
        foreign_content=bool(case.owners - {address.lower() for address in case.recipients}),
        new_link=bool(new_links(case, limits)),
        new_recipient=bool(new_recipients(case)),
        newcomer=_is_newcomer(case),
        suspected_injection=_is_injection_suspected(case),
        loop_risk=_may_be_a_loop(case, limits),
        rate_limited=0 < limits.hourly <= case.sent_in_hour,
        paused=bool(case.stops) and not is_system,
        possible_duplicate=case.is_duplicate,
        system_template=is_system and bool(message["system_template"]),
        first_contact=not case.is_reply and bool(case.strangers),
        sampled=_is_sampled(case, limits),
    )


def true_names(facts: Facts) -> list[str]:
    """The facts that hold, for the record: a later dry run asks other policies about them."""
    return [name for name in FACT_NAMES if getattr(facts, name)]


def effective_mode(case: Case) -> Mode:
    """The strictest of what a person granted, the mailbox's ceiling and what the caller asked for."""
    message = case.message
    grant = case.grant
    asked = case.draft["ask"] if case.draft is not None else None
    if Mode.READ_ONLY in {message["mode"], message["ceiling"]}:
        return Mode.READ_ONLY  # whatever was granted
    asks = [Mode(ask) for ask in (asked, message["ask"]) if ask]
    return effective(
        Mode(message["mode"]), ceiling=Mode(message["ceiling"]), ask=strictest(*asks) if asks else None,
        granted=grant.mode if grant is not None else None,
        covers_ask=grant.covers_ask if grant is not None else bool(message["mailbox_covers_ask"]),
    )  # fmt: skip


def unsupported_promises(case: Case) -> tuple[str, ...]:
    """What the draft promises and no text of the thread or the knowledge says."""
    if case.draft is None:
        return ()
    said = [str(row["text"] or "") + "\n" + str(row["subject"] or "") for row in case.thread]
    if case.original is not None:
        said.append(f"{case.original['subject'] or ''}\n{case.original['text'] or ''}")
    text = case.draft["subject"] + "\n" + case.draft["markdown"]
    return tuple(promise.words for promise in unsupported(text, [*said, *case.knowledge]))


def new_links(case: Case, limits: Limits) -> frozenset[str]:
    """Hosts that the draft links to and nobody here has named."""
    if case.draft is None:
        return frozenset()
    texts = (case.draft["markdown"], case.draft["subject"], str(case.content.get("html") or ""),
             str(case.content.get("text") or ""))  # fmt: skip
    own = _domain(case.message["address"])
    named = link_hosts(*(str(row["text"] or "") for row in case.thread), *case.knowledge)
    if case.original is not None:
        named |= link_hosts(str(case.original["text"] or ""))
    known = [own, *limits.home_hosts, *named]
    written = [*known, *(_domain(address) for address in people(case))]
    return outside_hosts(link_hosts(*texts), known) | outside_hosts(mail_hosts(*texts), written)


def new_recipients(case: Case) -> frozenset[str]:
    """Addresses of a reply that nobody on the thread wrote from or was addressed at."""
    if not case.is_reply:
        return frozenset()
    return frozenset(address.lower() for address in case.recipients) - people(case)


def people(case: Case) -> frozenset[str]:
    """Everyone who wrote on the thread or was addressed on it, and whom the mailbox always copies."""
    message = case.message
    found: list[str | None] = [message["address"], message["auto_cc"], message["auto_bcc"], *message["participants"]]
    for row in case.thread:
        found += [row["header_from"], *row["to_addresses"], *row["cc_addresses"], *row["recipients"]]
    if case.original is not None:
        found += [case.original["header_from"], *case.original["to_addresses"], *case.original["cc_addresses"]]
    return frozenset(address.lower() for address in found if address)


def _is_newcomer(case: Case) -> bool:
    """Whom it answers joined because others addressed them, and nothing of ours has gone to them on this thread yet.

    Whoever wants an answer that is not theirs need only be copied in; so the first one is looked at by a person.
    """
    if case.original is None:
        return False
    author = (case.original["header_from"] or "").lower()
    mails = [case.original, *(row for row in case.thread if row["direction"] == "inbound")]
    joined = any("new_on_thread" in mail["flags"] and (mail["header_from"] or "").lower() == author for mail in mails)
    sent_to = {a.lower() for row in case.thread if row["direction"] == "outbound" for a in row["recipients"]}
    return joined and author not in sent_to


def _has_placeholder(case: Case) -> bool:
    if case.draft is None:
        return False
    content = (str(case.content.get("text") or ""), str(case.content.get("html") or ""))
    return bool(case.draft["placeholder"]) or has_placeholder(case.draft["markdown"], case.draft["subject"], *content)


def _answers_ourselves(case: Case) -> bool:
    return case.original is not None and (case.original["header_from"] or "").lower() == case.message["address"].lower()


def _may_be_a_loop(case: Case, limits: Limits) -> bool:
    """The last wall: a machine that opens a new thread with each of its answers is stopped by its address."""
    return (
        _answers_a_machine(case)
        or case.answered_in_hour >= limits.per_thread
        or (case.is_reply and case.written_in_hour >= limits.per_correspondent)
    )


def _answers_a_machine(case: Case) -> bool:
    return case.original is not None and bool(case.original["automatic"])


def _is_injection_suspected(case: Case) -> bool:
    mails = [row for row in case.thread if row["direction"] == "inbound"]
    if case.original is not None:
        mails.append(case.original)
    flagged = any(INJECTION_FLAGS & set(mail["flags"]) for mail in mails)
    return flagged or tries_to_steer(*(f"{mail['subject'] or ''}\n{mail['text'] or ''}" for mail in mails))


def _is_sampled(case: Case, limits: Limits) -> bool:
    """By the mail it answers, so that an author who withdraws a draft and writes another draws no new lot."""
    grant = case.grant
    if grant is None:
        is_loosened = case.message["loosened_at"] is not None  # a person raised the mailbox's own mode
    else:
        is_loosened = grant.kind == "category" and grant.mode.level > Mode.GATED_SEND.level
    if not is_loosened:
        return False
    return is_sampled(limits.sample_key, case.message["answers"] or case.message["id"], limits.sample_rate)


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
