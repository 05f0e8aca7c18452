"""The writer that needs no key and no network: it answers from the mailbox's knowledge, word for word.

For each question in the customer's mail it takes the passage that shares most of the question's words, and says where
it stands. Where no passage fits it leaves a mark for a reviewer; it never guesses. It is the default, so that the
product runs on a fresh machine, and honest: what it writes is what the operator wrote.
"""

from __future__ import annotations

import re

from gatepost_drafter.answer import placeholders_in
from gatepost_drafter.provider import Correction, DraftRequest, DraftResult, Passage, Support, Usage
from gatepost_drafter.providers.words import Weighed, asks_in, sentences_of, weigh

ENOUGH = 0.5
"""Share of a question's words that a passage must hold to count as its answer."""

_TOLD = re.compile(r"(?is)^\s*(?:please\s+)?(?:add|say|write|append|include)(?:\s+this)?\s*:\s*[\"“']?(.+?)[\"”']?\s*$")
_NAME = re.compile(r"^[^\W\d_](?:[^\W\d_]|[ .'’-]){0,59}$")


class Scripted:
    """Answers from the knowledge by the words it shares with the question."""

    name = "scripted"
    prompt_version = "scripted-1"

    async def draft(self, request: DraftRequest) -> DraftResult:
        """Write one draft; it cannot fail."""
        return compose(request)

    async def close(self) -> None:
        """Nothing to let go of."""


def compose(request: DraftRequest) -> DraftResult:
    """The draft for a request: greeting, the passages that answer, marks for what none answers, sources."""
    answered: list[Passage] = []
    missing: list[str] = []
    asks = asks_in(request.question.text) or asks_in(request.question.subject)
    for ask in asks:
        found = _best(ask, request.passages)
        if found is None:
            missing.append(ask.text)
        elif found not in answered:
            answered.append(found)
    if not asks:
        missing.append(" ".join(request.question.text.split()) or "an empty mail")
    marks = [f'[REVIEWER: the knowledge of this mailbox does not answer: "{_quoted(text)}"]' for text in missing]
    added: list[str] = []
    if request.correction is not None:
        _correct(request.correction, request.passages, answered, added, marks)
    return _written(request, answered, added, marks)


def _written(request: DraftRequest, answered: list[Passage], added: list[str], marks: list[str]) -> DraftResult:
    greeting = f"Hello {request.customer_name}," if _NAME.match(request.customer_name) else "Hello,"
    parts = [greeting, "thank you for your mail.", *(p.text.strip() for p in answered), *added, *marks]
    titles = list(dict.fromkeys(passage.title for passage in answered))
    if titles:
        parts.append("\n".join(f"Source: {title}  " for title in titles).rstrip())
    body = "\n\n".join(parts)
    return DraftResult(
        markdown=body,
        category=None,
        evidence=tuple(Support(s, (p.id,)) for p in answered for s in sentences_of(p.text)),
        placeholders=placeholders_in(body),
        usage=Usage(model="scripted"),
    )


def _correct(
    correction: Correction, passages: tuple[Passage, ...], answered: list[Passage], added: list[str], marks: list[str]
) -> None:
    """Follow a reviewer's note: words they dictate are taken, knowledge they ask for is added, the rest is marked."""
    if told := _TOLD.match(correction.note):
        added.append(told.group(1).strip())
        return
    found = _best(Weighed.of(correction.note), passages)
    if found is None:
        marks.append(f'[REVIEWER: your note could not be followed from the knowledge: "{_quoted(correction.note)}"]')
        return
    if found in answered:
        answered.remove(found)
    answered.insert(0, found)


def _best(ask: Weighed, passages: tuple[Passage, ...]) -> Passage | None:
    """The passage that holds most of the question; of equals the one that the search ranked higher."""
    best: tuple[float, Passage] | None = None
    for passage in passages:
        heading, text = weigh(passage.heading), weigh(f"{passage.title} {passage.text}")
        coverage = ask.share_in(heading | text)
        if coverage < ENOUGH or (ask.strong_in(heading | text) < 2 and not ask.strong_in(heading)):
            continue
        score = coverage + 0.5 * ask.share_in(heading)
        if best is None or score > best[0]:
            best = score, passage
    return best[1] if best else None


def _quoted(text: str) -> str:
    """Other people's words inside a mark: one short line, no brackets, no links."""
    plain = re.sub(r"\S*(?:://|www\.)\S*", "(link)", " ".join(text.split()))
    return re.sub(r'[\[\]()<>"`*_]', "", plain)[:160]
