"""What a domain must publish so that its mail is believed, and what is wrong with what it does publish, in words. Pure.

Each record is judged alone: a verdict (ok, missing, wrong, unknown), and a sentence that says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

_TAG = re.compile(r"\s*([A-Za-z]+)\s*=\s*([^;]*?)\s*(?:;|$)")


@dataclass(frozen=True)
class Check:
    """One record: what it is for, what should stand there, and what was found."""

    purpose: str  # dkim, spf, dmarc, mx, return_path, mta_sts
    name: str
    type: str
    value: str
    status: str = "unknown"
    words: str = "Nobody has looked yet."
    required: bool = True

    def view(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


def tags(text: str) -> dict[str, str]:
    """The tags of a DKIM, DMARC or MTA-STS record; the first of each counts."""
    found: dict[str, str] = {}
    for name, value in _TAG.findall(text):
        found.setdefault(name.lower(), value)
    return found


def dkim(name: str, wanted: str, found: Sequence[str] | None) -> Check:
    """RFC 6376 3.6.1: one record, with our key."""
    check = Check("dkim", name, "TXT", wanted)
    if found is None:
        return _unknown(check)
    keys = [text for text in found if "p=" in text.replace(" ", "")]
    if not keys:
        return _bad(check, "missing", "There is no such record: publish the value.")
    if len(keys) > 1:
        return _bad(check, "wrong", "There are several records under this name; receivers may read either. Keep ours.")
    its, ours = tags(keys[0]), tags(wanted)
    key = re.sub(r"\s", "", its.get("p", ""))
    if not key:
        return _bad(check, "wrong", "The key is empty, which says that it was revoked. Publish the value.")
    if key != ours["p"]:
        cut = ours["p"].startswith(key)
        why = "The key is cut off; split it into strings of at most 255 characters." if cut else "It is another key."
        return _bad(check, "wrong", f"{why} Publish the value.")
    if its.get("k", "rsa") != ours.get("k", "rsa"):
        return _bad(check, "wrong", f"The key type should be k={ours.get('k', 'rsa')}.")
    if "y" in its.get("t", "").split(":"):
        return _good(check, "The key is right; t=y says that it is only tested, so receivers may ignore failures.")
    return _good(check, "The key is there.")


def spf(domain: str, mechanism: str, found: Sequence[str] | None) -> Check:
    """RFC 7208: one record, that names us."""
    check = Check("spf", domain, "TXT", f"v=spf1 {mechanism} ~all")
    if found is None:
        return _unknown(check)
    records = [text for text in found if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)]
    if not records:
        return _bad(check, "missing", "There is no SPF record: publish the value.")
    if len(records) > 1:
        return _bad(
            check, "wrong", "There are two SPF records, which receivers treat as an error (RFC 7208 3.2): join them."
        )
    terms = records[0].lower().split()[1:]
    if "+all" in terms or "all" in terms:
        return _bad(check, "wrong", "+all lets anybody send in this name: use ~all or -all.")
    if not any(term.lstrip("+") == mechanism.lower() for term in terms):
        told = f"It does not name this sender: add {mechanism} before the last term."
        return _bad(check, "wrong", told)
    if sum(term.lstrip("+-~?").split(":")[0].split("=")[0] in _LOOKUPS for term in terms) > 10:
        return _bad(
            check, "wrong", "It needs more than ten look-ups, which receivers treat as an error (RFC 7208 4.6.4)."
        )
    return _good(check, "It names this sender.")


_LOOKUPS = {"include", "a", "mx", "ptr", "exists", "redirect"}


def dmarc(domain: str, found: Sequence[str] | None) -> Check:
    """RFC 7489 6.3."""
    check = Check("dmarc", f"_dmarc.{domain}", "TXT", "v=DMARC1; p=quarantine")
    if found is None:
        return _unknown(check)
    records = [text for text in found if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if not records:
        return _bad(check, "missing", "There is no DMARC policy: large receivers ask for one. Publish the value.")
    if len(records) > 1:
        return _bad(check, "wrong", "There are two DMARC records, so neither counts (RFC 7489 6.6.3): keep one.")
    policy = tags(records[0]).get("p", "").lower()
    if policy not in {"none", "quarantine", "reject"}:
        return _bad(check, "wrong", "Its p= is none of none, quarantine and reject.")
    if policy == "none":
        return _good(check, "It is there; p=none only watches. Use quarantine or reject once reports are clean.")
    return _good(check, f"It is there, with p={policy}.")


def mx(domain: str, host: str, found: Sequence[str] | None) -> tuple[Check, Check]:
    """Where answers come in, and with them reports on our own mail (the return path is of the same domain)."""
    exchanger = Check("mx", domain, "MX", f"10 {host}.")
    back = Check("return_path", domain, "MX", f"10 {host}.")
    if found is None:
        return _unknown(exchanger), _unknown(back)
    if not found:
        return (
            _bad(
                exchanger, "missing", "Nobody takes mail for this domain: answers would not arrive. Publish the value."
            ),
            _bad(back, "missing", "Reports on failed mail would be lost with the answers."),
        )
    if host.lower() in found:
        return _good(exchanger, "Answers arrive here."), _good(back, "Reports on failed mail arrive here.")
    others = "Mail for this domain goes to another host. That is right only where it forwards to this one."
    return _bad(exchanger, "wrong", others), _bad(back, "wrong", "Reports on failed mail go to another host.")


def mta_sts(domain: str, found: Sequence[str] | None) -> Check:
    """RFC 8461, for mail that comes in; a wish, not a duty."""
    check = Check("mta_sts", f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1", required=False)
    if found is None:
        return _unknown(check)
    records = [text for text in found if text.startswith("v=STSv1")]
    if not records:
        return _bad(check, "missing", "Optional: with a policy, senders insist on encryption towards this domain.")
    if len(records) > 1 or "id" not in tags(records[0]):
        return _bad(check, "wrong", "It must be one record with an id (RFC 8461 3.1).")
    return _good(check, "It is there.")


def is_active(checks: Sequence[Check | Mapping[str, Any]]) -> bool:
    """Mail of this domain will be believed: the keys and SPF are right."""
    views = [check.view() if isinstance(check, Check) else check for check in checks]
    needed = [view for view in views if view["purpose"] in {"dkim", "spf"}]
    return bool(needed) and all(view["status"] == "ok" for view in needed)


def _good(check: Check, words: str) -> Check:
    return Check(check.purpose, check.name, check.type, check.value, "ok", words, check.required)


def _bad(check: Check, status: str, words: str) -> Check:
    return Check(check.purpose, check.name, check.type, check.value, status, words, check.required)


def _unknown(check: Check) -> Check:
    return _bad(check, "unknown", "The DNS could not be asked; try again later.")
