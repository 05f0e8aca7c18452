"""Who a mail is really from: SPF, every DKIM signature, ARC and DMARC put together, with nothing believed unproven.

Results of other servers (Authentication-Results, RFC 8601) are never taken for ours: whoever writes a mail can write
them. Lines that carry our own id are left out of what is shown; the raw bytes keep them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatepost_mail import arc, dkim_verify, dmarc, spf
from gatepost_mail.dkim_verify import Letter
from gatepost_mail.lookups import Answer, Dialogue, Question, host


@dataclass(frozen=True)
class Envelope:
    """What the connection said: the peer's address, its name, the return path. Empty: it came another way."""

    ip: str = ""
    helo: str = ""
    mail_from: str = ""


@dataclass(frozen=True)
class Signed:
    """The signatures and the chain on a mail, checked."""

    dkim: tuple[dkim_verify.Checked, ...] = ()
    arc: arc.Checked = field(default_factory=lambda: arc.Checked("none"))


@dataclass(frozen=True)
class Identity:
    """The outcome. `verified_domain` is the author's domain where something aligned proves it, else None."""

    header_from: str = ""
    envelope_from: str = ""
    verified_domain: str | None = None
    spf: str = "none"
    spf_domain: str = ""
    dkim: tuple[dkim_verify.Checked, ...] = ()
    dmarc: dmarc.Verdict = field(default_factory=lambda: dmarc.Verdict("none"))
    arc: arc.Checked = field(default_factory=lambda: arc.Checked("none"))
    foreign: tuple[str, ...] = ()

    def as_object(self) -> dict[str, Any]:
        """The `authentication` object of the API; the three short words first, as programs know them."""
        return {
            "spf": self.spf,
            "dkim": _best(self.dkim),
            "dmarc": self.dmarc.result,
            "arc": self.arc.result,
            "header_from": self.header_from or None,
            "envelope_from": self.envelope_from or None,
            "verified_domain": self.verified_domain,
            "policy": self.dmarc.policy,
            "policy_domain": self.dmarc.domain or None,
            "aligned": list(self.dmarc.aligned),
            "spf_domain": self.spf_domain or None,
            "signatures": [
                {"domain": s.domain, "selector": s.selector, "algorithm": s.algorithm, "result": s.result,
                 "detail": s.detail} for s in self.dkim
            ],
            "arc_sealers": list(self.arc.sealers[:10]),
            "foreign_results": list(self.foreign),
        }  # fmt: skip


def signed_questions(letter: Letter) -> tuple[Question, ...]:
    """The keys to look up for signatures and seals."""
    asked = [signature.question for signature in dkim_verify.signatures(letter)]
    return tuple(dict.fromkeys([q for q in asked if q is not None] + list(arc.chain(letter).questions())))


def check_signed(letter: Letter, keys: Mapping[Question, Answer], now: float) -> Signed:
    """Verify signatures and seals: pure computing, some ms for a large mail."""
    found = dkim_verify.signatures(letter)
    return Signed(tuple(dkim_verify.verify(letter, found, keys, now)), arc.verify(letter, arc.chain(letter), keys))


def judge(
    authors: Sequence[str], envelope: Envelope, spf_result: tuple[str, str], signed: Signed, foreign: tuple[str, ...]
) -> Dialogue[Identity]:
    """DMARC on what was proven. Several authors, or none, have no one domain that could stand behind the mail."""
    domains = list(dict.fromkeys(host(author.rpartition("@")[2]) for author in authors))
    verdict = dmarc.Verdict("permerror")
    if len(authors) == 1 and domains[0]:
        marks = tuple((s.result, s.domain) for s in signed.dkim)
        verdict = yield from dmarc.evaluate(domains[0], spf_result, marks)
    return Identity(
        header_from=authors[0] if authors else "",
        envelope_from=envelope.mail_from,
        verified_domain=domains[0] if verdict.aligned else None,
        spf=spf_result[0], spf_domain=spf_result[1], dkim=signed.dkim, dmarc=verdict, arc=signed.arc, foreign=foreign,
    )  # fmt: skip


def check_spf(envelope: Envelope) -> Dialogue[tuple[str, str]]:
    """SPF for the envelope; `none` where there was no connection."""
    if not envelope.ip:
        return "none", ""
    return (yield from spf.check(envelope.ip, envelope.mail_from, envelope.helo))


def foreign_results(lines: Sequence[str], own_id: str) -> tuple[str, ...]:
    """What other servers claim, at most ten lines; a line with our id is a forgery and is left out (RFC 8601 5)."""
    claims = []
    for value in lines:
        claimed_by = value.partition(";")[0].strip().split(" ")[0].lower()
        if claimed_by != own_id.lower():
            claims.append(" ".join(value.split())[:500])
    return tuple(claims[:10])


def _best(found: Sequence[dkim_verify.Checked]) -> str:
    """One word for all signatures: a good one counts, else the most telling."""
    results = [signature.result for signature in found]
    order = ("pass", "temperror", "fail", "policy", "neutral", "permerror")
    return next((word for word in order if word in results), "none")
