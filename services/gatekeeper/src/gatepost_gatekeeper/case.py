"""Everything that is known about one mail at the moment it is judged, read in a handful of statements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

from gatepost_gatekeeper.signs import link_hosts, needles, promises
from gatepost_oversight.category import CategoryRule, ModeGrant, first_match, granted, grants_of, inbound_of, rules_of
from gatepost_oversight.mode import Mode

Row = Any  # a row of the store, or a mapping with the same names
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Reader(Protocol):
    """The reading half of the store."""

    async def fetch(self, name: str, *args: Any) -> list[Any]:
        """All rows of a named statement."""

    async def fetchrow(self, name: str, *args: Any) -> Any:
        """Its first row."""

    async def fetchval(self, name: str, *args: Any) -> Any:
        """The first value of its first row."""


@dataclass(frozen=True)
class Case:
    """One mail, the draft in question, and what surrounds them."""

    message: Row  # with the live facts of its mailbox, tenant and thread
    draft: Row | None  # the revision to judge
    original: Row | None = None  # the mail it answers
    thread: tuple[Row, ...] = ()  # what was said and left before, newest first
    knowledge: tuple[str, ...] = ()
    stops: frozenset[str] = frozenset()  # scopes of the pauses in force
    suppressed: frozenset[str] = frozenset()
    rules: tuple[CategoryRule, ...] = ()
    grants: tuple[ModeGrant, ...] = ()
    tags: frozenset[str] = frozenset()  # that people set on the thread
    strangers: frozenset[str] = frozenset()  # recipients of a new thread whom nobody here has written to
    owners: frozenset[str] = frozenset()  # whose content from other threads the draft carries
    sent_in_hour: int = 0
    answered_in_hour: int = 0
    written_in_hour: int = 0  # to the recipient who got most, on whatever thread
    is_duplicate: bool = False
    content: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_reply(self) -> bool:
        """It goes to a thread on which somebody has written to us."""
        return self.original is not None or any(m["direction"] == "inbound" for m in self.thread)

    @cached_property
    def category(self) -> CategoryRule | None:
        """The rule of ours that the answered mail is first matched by."""
        if self.original is None or not self.rules:
            return None
        return first_match(self.rules, inbound_of(self.original, self.tags))

    @cached_property
    def grant(self) -> ModeGrant | None:
        """What a person granted for this draft. Only the newest mail of a thread loosens: an author chooses what it answers."""
        message, rule = self.message, self.category
        is_newest = self.original is not None and self.original["id"] == message["head"]
        labels = [message["category"], self.draft["category"] if self.draft is not None else None]
        if rule is not None and not is_newest:
            labels.append(rule.name)
        return granted(
            self.grants, category=rule.name if rule is not None and is_newest else None,
            labels=[label for label in labels if label], recipients=self.recipients, mailbox=Mode(message["mode"]),
        )  # fmt: skip

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everyone the draft goes to."""
        return tuple(self.draft["recipients"]) if self.draft is not None else ()


async def gather(store: Reader, message_id: str, revision: int | None = None, *, hourly_limit: int = 0) -> Case | None:
    """The case of this mail's newest draft, or of the revision named; none when there is no such mail."""
    message = await store.fetchrow("case", message_id)
    if message is None:
        return None
    if revision is None:
        draft = await store.fetchrow("newest_draft", message_id)
    else:
        draft = await store.fetchrow("revision", message_id, revision)
    if draft is None:
        return Case(message, None)
    tenant, recipients, thread_id = message["tenant_id"], list(draft["recipients"]), message["thread_id"]
    content = _content(draft)
    thread = tuple(await store.fetch("thread_texts", thread_id))
    original = next((mail for mail in thread if mail["id"] == message["answers"]), None)
    if original is None and message["answers"]:
        original = await store.fetchrow("original", message["answers"])
    since = first_id_at(datetime.now(UTC) - timedelta(hours=1))
    around = await store.fetchrow(
        "surroundings", tenant, message["mailbox_id"], recipients, message["author"] or "", since,
        hourly_limit, thread_id, message_id, message["answers"] or "",
    )  # fmt: skip
    if around["rules"] and original is not None:
        original = await store.fetchrow("original", original["id"])
    is_reply = original is not None or any(m["direction"] == "inbound" for m in thread)
    case = Case(
        message=message, draft=draft, original=original, thread=thread, content=content,
        knowledge=await _knowledge(store, message["mailbox_id"], draft),
        stops=frozenset(around["stops"]),
        rules=rules_of(around["rules"]),
        grants=grants_of(around["grants"]),
        tags=frozenset(around["tags"]),
        suppressed=frozenset(around["suppressed"]),
        strangers=frozenset() if is_reply else await _strangers(store, tenant, recipients, message_id),
        owners=await _owners(store, message, draft, content),
        sent_in_hour=around["sent_in_hour"],
        answered_in_hour=around["answered_in_hour"],
        written_in_hour=around["written_in_hour"],
        is_duplicate=around["is_duplicate"],
    )  # fmt: skip
    return replace(case, stops=case.stops | _stopped_categories(case, around["stopped_categories"]))


def _stopped_categories(case: Case, stopped: Sequence[str]) -> frozenset[str]:
    """A stop of a category holds for what our rules put there and for what its author calls so."""
    names = {case.message["category"], case.draft["category"] if case.draft is not None else None}
    names.add(case.category.name if case.category is not None else None)
    return frozenset({"category"}) if names & set(stopped) else frozenset()


def _content(draft: Row) -> Mapping[str, Any]:
    found = json.loads(draft["content"] or "{}")
    return found if isinstance(found, dict) else {}


async def _knowledge(store: Reader, mailbox: str, draft: Row) -> tuple[str, ...]:
    wanted = needles(promises(draft["subject"] + "\n" + draft["markdown"]))
    wanted += [f"%{host}%" for host in sorted(link_hosts(draft["markdown"]))]
    if not wanted:
        return ()
    return tuple(row["text"] for row in await store.fetch("chunks_saying", mailbox, wanted))


async def _strangers(store: Reader, tenant: str, recipients: list[str], message_id: str) -> frozenset[str]:
    known = {row["recipient"] for row in await store.fetch("written_to", tenant, recipients, message_id)}
    return frozenset(recipients) - known


async def _owners(store: Reader, message: Row, draft: Row, content: Mapping[str, Any]) -> frozenset[str]:
    owners: set[str] = set()
    if files := [str(a["sha256"]) for a in content.get("attachments") or () if isinstance(a, dict) and a.get("sha256")]:
        rows = await store.fetch("owners_of_attachments", message["mailbox_id"], files, message["thread_id"])
        owners.update(row["owner"] for row in rows if row["owner"])
    if cited := sorted(_mails_cited(draft["evidence"])):
        rows = await store.fetch("owners_of_mails", message["tenant_id"], cited, message["thread_id"])
        owners.update(row["owner"] for row in rows if row["owner"])
    return frozenset(owners)


def _mails_cited(evidence: Any) -> set[str]:
    """Every mail id anywhere in the evidence, which has whatever shape its author chose."""
    if isinstance(evidence, str):
        return {evidence} if evidence.startswith("msg_") and len(evidence) == 30 else set()
    if isinstance(evidence, Mapping):
        return set().union(*(_mails_cited(value) for value in evidence.values()))
    if isinstance(evidence, list | tuple):
        return set().union(*(_mails_cited(value) for value in evidence))
    return set()


def first_id_at(at: datetime) -> str:
    """The smallest mail id of that millisecond."""
    value = int(at.timestamp() * 1000) << 80
    return "msg_" + "".join(_ULID[value >> shift & 31] for shift in range(125, -1, -5))
