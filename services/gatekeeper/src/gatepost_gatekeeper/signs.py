"""What a draft's own words give away: marks for a reviewer, links to outside, promises that nothing supports.

All of it is judged on text alone, so it errs towards holding: a reviewer who sees one mail too many loses a minute,
a customer who is promised a refund that nobody can pay loses more.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

PLACEHOLDER = "[REVIEWER:"

_URL = re.compile(r"""(?i)\b(?:https?|ftp)://[^\s<>"'\]}]+""")
_PROTOCOL_RELATIVE = re.compile(r"""(?i)(?:href|src)\s*=\s*["']?\s*//([^\s<>"'/]+)""")
_BARE_WWW = re.compile(r"(?i)(?<![\w/.@-])www\.[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_MAILTO = re.compile(r"""(?i)mailto:[^\s<>"'?]*@([a-z0-9.-]+)""")
_MARKDOWN_TARGET = re.compile(r"""\]\(\s*<?//([^\s)<>/]+)""")

_NUMBER = r"\d{1,3}(?:[ ,.'’]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
_CURRENCY = r"[$€£¥₹]|usd|eur|gbp|chf|jpy|dollars?|euros?|pounds?|cents?|francs?"
_AMOUNTS = (
    re.compile(rf"(?i)(?:[$€£¥₹]|\b(?:usd|eur|gbp|chf|jpy)\b)\s?({_NUMBER})"),
    re.compile(rf"(?i)(?<![\w.,])({_NUMBER})\s?(?:{_CURRENCY})(?!\w)"),
    re.compile(rf"(?i)(?<![\w.,])({_NUMBER})\s?(?:%|percent\b|per cent\b)"),
)
_UNITS = {"minute": "minute", "hour": "hour", "day": "day", "week": "week", "month": "month", "year": "year"}
_WORDS_FOR_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "fourteen": 14, "twenty": 20, "thirty": 30, "sixty": 60, "ninety": 90,
}  # fmt: skip
_COUNT = r"(\d{1,3}|" + "|".join(_WORDS_FOR_NUMBERS) + ")"
_RANGE = _COUNT + r"(?:\s*(?:-|–|to)\s*" + _COUNT + ")?"
_UNIT = r"(?:business\s+|working\s+|calendar\s+)?(minute|hour|day|week|month|year)s?\b"
_SPAN = re.compile(
    r"(?i)\b(?:with)?(?:in|after|by|for|takes?|up to|under|over|than)\s+(?:the\s+(?:next|coming)\s+)?"
    + _RANGE
    + r"\s+"
    + _UNIT
)
_ANY_SPAN = re.compile(r"(?i)\b" + _RANGE + r"[\s-]+" + _UNIT)
_DEADLINE = re.compile(
    r"(?i)\b(?:by|before|no later than|until)\s+"
    r"((?:to(?:day|morrow|night)|(?:next\s+)?(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:the\s+)?end of (?:the\s+)?"
    r"(?:day|week|month|year)|noon|midnight))\b"
)
_REFUND = re.compile(
    r"(?i)\b(refund|reimburs|money[- ]back|chargeback|store credit|compensat|credit(?:ed)? (?:your|to your))\w*"
)
_LEGAL = re.compile(
    r"(?i)\b(guarante|warrant(?:y|ies)\b|liab(?:le|ility)|legally|lawsuit|lawyer|attorney|sue\b|indemnif|settlement\b"
    r"|breach of|admit(?:s|ted)? fault|at our expense|free of charge|binding)\w*"
)

_STEERING = re.compile(
    r"(?i)\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|these\s+|previous\s+|prior\s+|above\s+|earlier\s+)+"
    r"(?:instructions?|prompts?|rules|guidelines|messages?|context)"
    r"|\bsystem\s+prompt\b|\byou\s+are\s+now\s+(?:a|an|in)\b|\bdeveloper\s+mode\b|\bact\s+as\s+(?:an?\s+)?(?:ai|system|admin)"
    r"|\bas\s+an?\s+(?:ai|language\s+model)\b|<\/?(?:system|assistant|instructions?)>|\bnew\s+instructions?\s*:"
    r"|\[\s*(?:system|inst)\s*\]|\bdo\s+not\s+(?:tell|inform|mention\s+(?:this\s+)?to)\s+(?:the\s+)?(?:user|reviewer|human)"
)


@dataclass(frozen=True, order=True)
class Promise:
    """One thing a text commits to: its kind, what is compared, and the words as they stand."""

    kind: str  # amount, deadline, refund, legal
    value: str  # normalised
    words: str


def has_placeholder(*texts: str) -> bool:
    """True when the author left something for a reviewer to fill in."""
    return any(PLACEHOLDER in _folded(text).upper() for text in texts)


def tries_to_steer(*texts: str) -> bool:
    """True when a text speaks to the agent that reads it rather than to a person. A hint to look, and no defence."""
    return any(_STEERING.search(_folded(text)) for text in texts)


def link_hosts(*texts: str) -> frozenset[str]:
    """The hosts that these texts or HTML link to, lower case, without `www.`."""
    found: set[str] = set()
    for text in texts:
        folded = unicodedata.normalize("NFKC", text)
        found.update(_host_of(url) for url in _URL.findall(folded))
        found.update(_host_of("http://" + host) for host in _PROTOCOL_RELATIVE.findall(folded))
        found.update(_host_of("http://" + host) for host in _MARKDOWN_TARGET.findall(folded))
        found.update(_host_of("http://" + host) for host in _BARE_WWW.findall(folded))
    return frozenset(found - {""})


def mail_hosts(*texts: str) -> frozenset[str]:
    """The hosts of addresses that these texts invite to write to."""
    return frozenset(_host_of("http://" + host) for text in texts for host in _MAILTO.findall(text)) - {""}


def outside_hosts(hosts: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Those hosts that are neither a known host nor below one."""
    homes = {home.lower().removeprefix("www.") for home in known if home}
    return frozenset(host for host in hosts if not any(host == home or host.endswith("." + home) for home in homes))


@lru_cache(maxsize=512)
def promises(text: str) -> frozenset[Promise]:
    """Amounts, spans and deadlines, refunds and legal words that the text commits to."""
    folded = _folded(text)
    found = {Promise("amount", _amount(m.group(1)), m.group(0)) for p in _AMOUNTS for m in p.finditer(folded)}
    for match in _SPAN.finditer(folded):
        found.add(Promise("deadline", _span(match), match.group(0)))
    for match in _DEADLINE.finditer(folded):
        found.add(Promise("deadline", " ".join(match.group(1).lower().split()), match.group(0)))
    found.update(Promise("refund", "refund", m.group(0)) for m in _REFUND.finditer(folded))
    found.update(Promise("legal", m.group(1).lower(), m.group(0)) for m in _LEGAL.finditer(folded))
    return frozenset(found)


def supported(promise: Promise, texts: Iterable[str]) -> bool:
    """True when one of these texts says the same."""
    return any(promise.value in _said(promise.kind, text) for text in texts)


def unsupported(text: str, support: Iterable[str]) -> tuple[Promise, ...]:
    """The promises of the text that none of the others contains, in a stable order."""
    others = tuple(support)
    return tuple(sorted(p for p in promises(text) if not supported(p, others)))


def needles(found: Iterable[Promise]) -> list[str]:
    """Patterns for ILIKE that any text supporting one of these promises must match."""
    patterns: set[str] = set()
    for promise in found:
        if promise.kind == "amount":
            patterns.add(f"%{promise.value.split('.')[0][:1]}%")
        elif promise.kind == "deadline":
            patterns.add(f"%{promise.value.split()[-1]}%")
        elif promise.kind == "refund":
            patterns.update(("%refund%", "%reimburs%", "%money%back%", "%chargeback%", "%credit%", "%compensat%"))
        else:
            patterns.add(f"%{promise.value}%")
    return sorted(patterns)


@lru_cache(maxsize=512)  # the same articles and thread support draft after draft
def _said(kind: str, text: str) -> frozenset[str]:
    """What a text says of one kind; of deadlines also those that it only mentions."""
    said = frozenset(p.value for p in promises(text) if p.kind == kind)
    if kind == "deadline":
        said |= {_span(m) for m in _ANY_SPAN.finditer(_folded(text))}
    return said


def _span(match: re.Match[str]) -> str:
    longest = match.group(2) or match.group(1)
    number = _WORDS_FOR_NUMBERS.get(longest.lower()) or int(longest)
    return f"{number} {_UNITS[match.group(3).lower()]}"


def _amount(text: str) -> str:
    """`1,200.00`, `1.200,00` and `1200` are one amount."""
    digits = re.sub(r"[ '’]", "", text)
    cents = re.search(r"[.,](\d{1,2})$", digits)
    whole = re.sub(r"\D", "", digits[: cents.start()] if cents else digits)
    fraction = cents.group(1).ljust(2, "0") if cents else "00"
    return f"{int(whole or 0)}.{fraction}"


def _host_of(url: str) -> str:
    try:
        host = urlsplit(url.replace("\\", "/")).hostname or ""
    except ValueError:
        return "invalid"  # what no parser can read is certainly not known
    return host.rstrip(".").lower().removeprefix("www.")


def _folded(text: str) -> str:
    """Compatibility forms folded and invisible characters out, so that nothing hides from the patterns."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text)
    return plain.translate({ord(c): None for c in set(plain) if unicodedata.category(c) == "Cf"})
