"""How good the drafts of a category are, as far as people's reviews prove it.

A review is clean when the draft was approved without a meaningful edit. The lower bound is the exact one of Clopper and
Pearson (Biometrika 26, 1934), one-sided at 95 %: were quality any lower, so many clean reviews would be a chance below 5 %.
Nothing here raises autonomy; numbers are shown to a person. What lowers it is Page's test (Biometrika 41, 1954): each review
of the lasting sample adds its log likelihood ratio of bad against good quality, never below zero, so that a long good past
does not hide a bad present; at the limit the category is demoted.
"""

from __future__ import annotations

import hmac
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

DOUBT = 0.05
TARGETS = (0.95, 0.98, 0.99)
_STEPS = 60  # halvings: the bound is exact to the last bits of a float


@dataclass(frozen=True)
class Quality:
    """What a demotion test takes for good and for bad: shares of drafts that are not clean, and how sure it must be."""

    good: float = 0.02
    bad: float = 0.15
    limit: float = math.log(20)

    def step(self, *, is_clean: bool) -> float:
        """What one review adds."""
        if is_clean:
            return math.log((1 - self.bad) / (1 - self.good))
        return math.log(self.bad / self.good)


def at_least(clean: int, reviewed: int, share: float) -> float:
    """The chance of this many clean reviews or more, were this share of all drafts clean."""
    if clean <= 0:
        return 1.0
    if share <= 0.0:
        return 0.0
    if share >= 1.0:
        return 1.0
    good, bad, choose = math.log(share), math.log1p(-share), math.lgamma(reviewed + 1)
    terms = (
        math.exp(
            choose - math.lgamma(k + 1) - math.lgamma(reviewed - k + 1) + (reviewed - k) * good + k * bad
        )
        for k in range(reviewed - clean + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(terms))


def lower_bound(clean: int, reviewed: int, *, doubt: float = DOUBT) -> float:
    """The largest share that these reviews rule out everything below; 0 without a clean one."""
    _counted(clean, reviewed)
    if clean == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if at_least(clean, reviewed, middle) > doubt:
            high = middle
        else:
            low = middle
    return low


def reviews_still_needed(clean: int, reviewed: int, target: float, *, doubt: float = DOUBT) -> int:
    """How many further reviews, all clean, until the lower bound is at the target."""
    _counted(clean, reviewed)
    most = 1

    def is_enough(more: int) -> bool:
        return clean + more > 0 and at_least(clean + more, reviewed + more, target) <= doubt

    if is_enough(0):
        return 0
    while not is_enough(most):
        most *= 2
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if is_enough(middle) else (middle, most)
    return most


def page_test(reviews: Iterable[bool], quality: Quality | None = None) -> tuple[float, bool]:
    """(the sum after the last review, was the limit reached at any); reviews oldest first, True for clean."""
    quality = quality or Quality()
    total, is_reached = 0.0, False
    for is_clean in reviews:
        total = max(0.0, total + quality.step(is_clean=is_clean))
        is_reached = is_reached or total >= quality.limit
    return total, is_reached


def is_sampled(key: bytes, subject: str, rate: float) -> bool:
    """Whether this one stays reviewed. The key is ours alone, so nobody can choose what will not be looked at."""
    drawn = int.from_bytes(hmac.digest(key, b"gatepost sample\x00" + subject.encode(), "sha256")[:8], "big")
    return drawn < rate * 2**64


def words_changed(before: str, after: str) -> int:
    """How many words an edit took out or put in; punctuation, case and line breaks are no words."""
    old, new = _words(before), _words(after)
    if old == new:
        return 0
    out, into = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return max(1, out.total(), into.total())  # at least one: the same words in another order say something else


def is_meaningful(edit_words: int | None) -> bool:
    """An edit that changed a word is: which words matter is not for us to guess."""
    return bool(edit_words)


def is_clean(approved: bool | None, rejected: bool | None, edit_words: int | None) -> bool:
    """Approved without a meaningful edit, and never rejected on the way."""
    return bool(approved) and not rejected and not is_meaningful(edit_words)


def _words(text: str) -> Sequence[str]:
    return re.findall(r"[^\W_]+(?:[.,:/@%-][^\W_]+)*|[$€£¥%]", unicodedata.normalize("NFKC", text).casefold())


def _counted(clean: int, reviewed: int) -> None:
    if not 0 <= clean <= reviewed:
        raise ValueError(f"{clean} of {reviewed} reviews cannot be clean")
