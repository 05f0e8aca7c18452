"""Which category an inbound mail is of, and which mode a person granted for what answers it.

A rule's conditions all hold on the mail or the rule does not apply; the first rule in the order of priority decides.
Only such a rule may loosen: what the model or an agent calls its draft can make it stricter and nothing else, because an
author who chose the label would choose its own freedom.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatepost_oversight.mode import Mode

_DOMAIN = r"^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$"


class Conditions(BaseModel):
    """What must hold of an inbound mail, all of it; at least one thing is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plus_address: str | None = Field(None, max_length=64, description="`orders`: it was written to us+orders@...")
    sender_domain: str | None = Field(
        None, pattern=_DOMAIN, description="The domain of its From header, proven by a DMARC pass."
    )
    tag: str | None = Field(None, max_length=200, description="A tag, `key` or `key=value`, that a person set.")
    words: tuple[str, ...] = Field((), max_length=50, description="Any of these, in its subject or its own text.")
    no_attachment: bool = Field(False, description="It carries no attachment.")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not any((self.plus_address, self.sender_domain, self.tag, self.words, self.no_attachment)):
            raise ValueError("a rule without a condition would match every mail")
        if any(not _folded(word).strip() or len(word) > 200 for word in self.words):
            raise ValueError("each word has 1 to 200 characters")
        return self

    def hold(self, mail: Inbound) -> bool:
        """All of them hold of this mail."""
        return (
            (self.plus_address is None or self.plus_address.lower() in {_plus(a) for a in mail.to})
            and (self.sender_domain is None or (mail.is_proven and _domain(mail.sender) == self.sender_domain))
            and (self.tag is None or self.tag in mail.tags)
            and (not self.words or _says(mail, self.words))
            and not (self.no_attachment and mail.has_attachments)
        )


@dataclass(frozen=True)
class Inbound:
    """What a rule may look at. `tags` are those a person set: `key`, and `key=value`."""

    sender: str = ""
    to: tuple[str, ...] = ()
    is_proven: bool = False  # DMARC passed for the From domain
    tags: frozenset[str] = frozenset()
    subject: str = ""
    text: str = ""  # what the sender wrote; quoted text apart
    has_attachments: bool = False

    @cached_property
    def said(self) -> str:
        """Subject and text in one spelling, once for all rules."""
        return _folded(f"{self.subject}\n{self.text}")


@dataclass(frozen=True)
class CategoryRule:
    """One rule as it stands; its revision is stored with every match."""

    name: str
    revision: int
    priority: int
    conditions: Conditions


@dataclass(frozen=True)
class ModeGrant:
    """The mode that a person granted by name: a category's, or listed recipients'."""

    id: str
    kind: str  # category or allowlist
    name: str  # of the category, or an address pattern: a@b.c, *@b.c
    mode: Mode
    covers_ask: bool = False


def inbound_of(mail: Any, tags: Iterable[str]) -> Inbound:
    """From the row of an inbound mail (values by column name) and the tags that people set on its thread."""
    to = [mail["envelope_to"] or "", *mail["to_addresses"]]
    return Inbound(
        sender=mail["header_from"] or "", to=tuple(to), is_proven=(mail["auth"] or {}).get("dmarc") == "pass",
        tags=frozenset(tags), subject=mail["subject"] or "", text=mail["reply_text"] or mail["text"] or "",
        has_attachments=bool(mail["has_attachments"]),
    )  # fmt: skip


def first_match(rules: Iterable[CategoryRule], mail: Inbound) -> CategoryRule | None:
    """The first rule that holds: the highest priority first, then by name."""
    ordered = sorted(rules, key=lambda rule: (-rule.priority, rule.name))
    return next((rule for rule in ordered if rule.conditions.hold(mail)), None)


def rules_of(rows: Iterable[Any]) -> tuple[CategoryRule, ...]:
    """Rules from their rows; conditions that this release does not know loosen nothing, so their rule is left out."""
    found = []
    for row in rows:
        try:
            conditions = Conditions.model_validate(row["conditions"])
        except ValidationError:
            continue
        found.append(CategoryRule(row["name"], row["revision"], row["priority"], conditions))
    return tuple(found)


def grants_of(rows: Iterable[Any]) -> tuple[ModeGrant, ...]:
    """Grants from their rows."""
    return tuple(
        ModeGrant(row["id"], row["kind"], row["name"], Mode(row["mode"]), bool(row["covers_ask"]))
        for row in rows if row["mode"]
    )  # fmt: skip


def granted(
    grants: Sequence[ModeGrant],
    *,
    category: str | None,
    labels: Iterable[str],
    recipients: Sequence[str],
    mailbox: Mode,
) -> ModeGrant | None:
    """The one grant that holds for a draft, or none: then the mailbox's mode does.

    Of the category's and the recipients' the stricter; a label of an author's only where it is stricter than all of that.
    """
    by_name = {grant.name: grant for grant in grants if grant.kind == "category"}
    found = [by_name[category]] if category is not None and category in by_name else []
    found += _listed([grant for grant in grants if grant.kind == "allowlist"], recipients)
    chosen = min(found, key=lambda grant: grant.mode.level, default=None)
    base = chosen.mode if chosen is not None else mailbox
    labelled = [by_name[label] for label in labels if label in by_name and by_name[label].mode.level < base.level]
    return min(labelled, key=lambda grant: grant.mode.level, default=chosen)


def matches(address: str, pattern: str) -> bool:
    """`a@b.c` is that address, `*@b.c` any of that domain and of no domain below it."""
    address, pattern = address.lower(), pattern.lower()
    return address == pattern or (pattern.startswith(("@", "*@")) and address.endswith(pattern.lstrip("*")))


def _listed(grants: Sequence[ModeGrant], recipients: Sequence[str]) -> list[ModeGrant]:
    """What the list says of these recipients; nothing unless each of them is listed."""
    found = []
    for recipient in recipients:
        for_this = [grant for grant in grants if matches(recipient, grant.name)]
        if not for_this:
            return []
        found.append(max(for_this, key=lambda grant: grant.mode.level))
    return found


def _says(mail: Inbound, words: Sequence[str]) -> bool:
    wanted = (_folded(word).strip() for word in words)
    return any(word in mail.said and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", mail.said) for word in wanted)


def _folded(text: str) -> str:
    """One spelling: compatibility forms, no invisible characters, one space, no case."""
    plain = unicodedata.normalize("NFKC", text)
    if not plain.isascii():
        plain = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return " ".join(plain.casefold().split())


def _plus(address: str) -> str:
    local = address.rpartition("@")[0]
    return local.partition("+")[2].lower()


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower().rstrip(".")
