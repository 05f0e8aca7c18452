"""What the mailbox knows about a mail: full-text search over its articles, in Postgres."""

from __future__ import annotations

from collections.abc import Iterable

from gatepost_drafter.prompt import visible
from gatepost_drafter.provider import Passage
from gatepost_store import Store

LONGEST_SEARCH = 4000
"""Characters of a mail that are searched for; what a customer asks stands at its beginning."""


async def search(
    store: Store, mailbox_id: str, texts: Iterable[str], *, least: float, most: int
) -> tuple[Passage, ...]:
    """The passages that share words with any of these texts, the closest first."""
    wanted = " ".join(visible(text)[:LONGEST_SEARCH] for text in texts)
    if not wanted.strip() or most == 0:
        return ()
    rows = await store.fetch("knowledge", mailbox_id, wanted, least, most)
    return tuple(Passage(r["id"], r["article_id"], r["title"], r["heading"], r["text"], float(r["rank"])) for r in rows)
