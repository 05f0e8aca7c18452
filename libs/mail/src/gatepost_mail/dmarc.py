"""Does the author's domain stand behind this mail, and what does it ask for where not? (DMARC, RFC 9989)

The record is found by walking up the tree of names, at most eight look-ups, and the organizational domain is where the
tree says it is: `psd=n`, one label below `psd=y`, or the shortest name with a record. No list of public suffixes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gatepost_mail.lookups import Dialogue, Question, host

Result = Literal["pass", "fail", "none", "temperror", "permerror"]
Policy = Literal["none", "quarantine", "reject"]
MOST_LOOKUPS = 8
_WEAKER: dict[Policy, Policy] = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@dataclass(frozen=True)
class Record:
    """A policy record and where it stands."""

    domain: str
    tags: dict[str, str]

    def says(self, tag: str) -> Policy | None:
        """The policy of a tag, if it is one."""
        value = self.tags.get(tag, "").lower()
        return value if value in {"none", "quarantine", "reject"} else None  # type: ignore[return-value]


@dataclass(frozen=True)
class Walk:
    """What the tree above a domain holds, from the domain upwards."""

    domain: str
    records: tuple[Record, ...]
    is_known: bool = True

    @property
    def organization(self) -> str:
        """Section 4.10.2; a domain without any record is its own."""
        for record in self.records:
            psd = record.tags.get("psd", "u").lower()
            if psd == "n":
                return record.domain
            if psd == "y" and record.domain != self.domain:
                below = self.domain.split(".")
                return ".".join(below[-(record.domain.count(".") + 2) :])
        return self.records[-1].domain if self.records else self.domain

    @property
    def record(self) -> Record | None:
        """The record that governs the author's domain (4.10.1): its own, its organization's, the suffix's."""
        by_domain = {record.domain: record for record in self.records}
        found = by_domain.get(self.domain) or by_domain.get(self.organization)
        return found or next((r for r in self.records if r.tags.get("psd", "").lower() == "y"), None)


@dataclass(frozen=True)
class Verdict:
    """The result, the policy that holds, and by what the domain was proven: `dkim`, `spf` or nothing."""

    result: Result
    policy: Policy = "none"
    domain: str = ""
    aligned: tuple[str, ...] = ()


def walk(domain: str) -> Dialogue[Walk]:
    """Ask for the records of a domain and above (4.10). More than eight labels: only the last seven are asked above."""
    labels = domain.split(".")
    names = [labels]
    above = labels[1:] if len(labels) <= MOST_LOOKUPS else labels[-(MOST_LOOKUPS - 1) :]
    names += [above[n:] for n in range(len(above))]
    records: list[Record] = []
    for parts in names:
        name = ".".join(parts)
        (answer,) = yield (Question(f"_dmarc.{name}"),)
        if answer.status == "temperror":
            return Walk(domain, tuple(records), is_known=False)
        found = [tags for record in answer.records if (tags := _tags(record)) is not None]
        if len(found) == 1:
            records.append(Record(name, found[0]))
            if found[0].get("psd", "").lower() in {"y", "n"} and (name != domain or found[0]["psd"].lower() == "n"):
                break
    return Walk(domain, tuple(records))


def evaluate(
    author: str, spf: tuple[str, str], dkim: tuple[tuple[str, str], ...], *, is_temporary: bool = False
) -> Dialogue[Verdict]:
    """Judge by what was proven. `spf` is (result, domain), `dkim` are (result, domain) of every signature."""
    domain = host(author)
    if not domain or "." not in domain:
        return Verdict("permerror")
    tree = yield from walk(domain)
    record = tree.record
    aligned = []
    proven = [("spf", spf[1])] if spf[0] == "pass" else []
    proven += [("dkim", signer) for result, signer in dkim if result == "pass"]
    for how, other in dict.fromkeys(proven):
        mode = record.tags.get(f"a{how}", "r").lower() if record is not None else "r"
        if (yield from _is_aligned(tree, host(other), is_strict=mode == "s")):
            aligned.append(how)
    how_proven = tuple(dict.fromkeys(aligned))
    if record is None:
        return Verdict("none" if tree.is_known else "temperror", aligned=how_proven)
    policy = yield from _policy(tree, record)
    if how_proven:
        return Verdict("pass", policy, record.domain, how_proven)
    unsure = is_temporary or spf[0] == "temperror" or any(result == "temperror" for result, _ in dkim)
    return Verdict("temperror" if unsure or not tree.is_known else "fail", policy, record.domain)


def _is_aligned(tree: Walk, other: str, *, is_strict: bool) -> Dialogue[bool]:
    """Relaxed: of the same organization (4.4). Only names that share more than a top-level domain are walked."""
    if other == tree.domain:
        return True
    if is_strict or not other or other.split(".")[-2:] != tree.domain.split(".")[-2:]:
        return False
    theirs = yield from walk(other)
    return theirs.is_known and tree.is_known and bool(theirs.records) and theirs.organization == tree.organization


def _policy(tree: Walk, record: Record) -> Dialogue[Policy]:
    """p, sp for names below, np for names that do not exist; `t=y` asks for one step less (4.7)."""
    policy = record.says("p") or "none"
    if record.domain != tree.domain:
        below = record.says("sp") or policy
        if (absent := record.says("np")) is not None and absent != below:
            names = (Question(tree.domain, "A"), Question(tree.domain, "AAAA"), Question(tree.domain, "MX"))
            answers = yield names
            below = absent if all(answer.status in {"nxdomain", "none"} for answer in answers) else below
        policy = below
    return _WEAKER[policy] if record.tags.get("t", "").lower() == "y" else policy


def _tags(text: str) -> dict[str, str] | None:
    if not re.match(r"v\s*=\s*DMARC1\s*(;|$)", text):
        return None
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
