"""How an article becomes the pieces that full-text search finds: one piece a section, cut when it grows long."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 1200
"""Characters of one chunk; longer sections are cut at paragraph ends."""


@dataclass(frozen=True)
class Chunk:
    """A section of an article: its heading path and its text, in markdown."""

    heading: str
    text: str


def title_of(markdown: str, name: str) -> str:
    """The first top heading, else the file's name."""
    found = re.search(r"^#\s+(.+)$", markdown, re.MULTILINE)
    return found.group(1).strip() if found else name.removesuffix(".md").replace("-", " ").capitalize()


def chunks_of(markdown: str, title: str) -> list[Chunk]:
    """Split at headings of the second level and below; a heading stands before its text for the search."""
    chunks: list[Chunk] = []
    heading, lines = title, list[str]()

    def close() -> None:
        text = "\n".join(lines).strip()
        lines.clear()
        part = ""
        for paragraph in re.split(r"\n{2,}", text):
            if part and len(part) + len(paragraph) > LONGEST:
                chunks.append(Chunk(heading, part))
                part = ""
            part = f"{part}\n\n{paragraph}" if part else paragraph
        if part.strip():
            chunks.append(Chunk(heading, part))

    for line in markdown.splitlines():
        if found := re.match(r"^(#{1,6})\s+(.+)$", line):
            close()
            heading = found.group(2).strip() if len(found.group(1)) > 1 else title
        else:
            lines.append(line)
    close()
    return chunks
