"""Which words of a question carry it, and how much of it another text holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_JOINED = re.compile(
    r"(?i)[,;]?\s+(?:and|or)\s+(?=(?:where|how|what|when|why|which|who|can|could|do|does|did|is|are|will|may)\b)"
)
_EMPTY = frozenset(
    """a about all also am an and any are as at be been but by can could did do does dear else for from get had has have
    hello her here hi him his how i if im in into is it its just kindly may me mine might more must my no not now of off
    on one or our out please regards she should so some such tell than thank thanks that the their them then there these
    they this those to too up us very was we were what when where which who why will with would yes you your yours
    """.split()  # noqa: SIM905 (a list of words reads best as words)
)


def _stem(word: str) -> str:
    """Crude and the same for both sides: returns and returning meet return."""
    for ending in ("'s", "’s", "ings", "ing", "ies", "ied", "ers", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


_WEAK = frozenset(
    _stem(word)
    for word in "add ask come find give go know like long look make many mention much need say see take use want".split()  # noqa: SIM905
)
WEAK_WEIGHT = 0.3


@dataclass(frozen=True)
class Weighed:
    """A question and its words; those that stand in every second question weigh less."""

    text: str
    weights: dict[str, float]

    @classmethod
    def of(cls, text: str) -> Weighed:
        """Read a question."""
        return cls(text.strip(), {word: WEAK_WEIGHT if word in _WEAK else 1.0 for word in weigh(text)})

    def share_in(self, words: frozenset[str]) -> float:
        """How much of the question these words hold, 0 to 1."""
        whole = sum(self.weights.values())
        return sum(w for word, w in self.weights.items() if word in words) / whole if whole else 0.0

    def strong_in(self, words: frozenset[str]) -> int:
        """How many of its telling words are among these."""
        return sum(1 for word, weight in self.weights.items() if weight > WEAK_WEIGHT and word in words)


def weigh(text: str) -> frozenset[str]:
    """The stems of the words that mean something."""
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()) if word not in _EMPTY and len(word) > 1)


def asks_in(text: str) -> list[Weighed]:
    """The questions of a mail; without a question mark, its sentences that say something, as one."""
    sentences = sentences_of(text)
    asked = [part for s in sentences if "?" in s for part in _JOINED.split(s)]
    if not asked:
        asked = [" ".join(sentences)]
    return [ask for ask in map(Weighed.of, asked[:8]) if ask.weights]


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, roughly; lines that were wrapped are joined first."""
    paragraphs = re.split(r"\n{2,}", text.strip())
    joined = "\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
    return [s.strip() for s in _SENTENCE.split(joined) if s.strip()]
