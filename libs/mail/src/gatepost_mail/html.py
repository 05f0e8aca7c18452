"""HTML from strangers: made safe to show, turned into text to read, and searched for text that hides."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3

_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "img": {"alt"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
_BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "ul",
    "ol",
    "blockquote",
    "hr",
    "pre",
}
_SKIPPED = {"script", "style", "head", "title", "template", "noscript", "svg", "math"}
_VOID = {"br", "hr", "img", "meta", "link", "input", "area", "base", "col", "wbr"}
HIDING = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(\.0+)?\s*(;|!|$)"
    r"|font-size\s*:\s*0(\.0+)?\s*(px|pt|em|rem|%)?\s*(;|!|$)|max-height\s*:\s*0(px)?\s*(;|!|$)|text-indent\s*:\s*-\d{3,}"
)
MOST_TAGS = 20_000
"""Tags that are read; deeply nested ones cost more than linear time in every parser."""
INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


def clean_html(html: str) -> str:
    """Safe to show: no scripts, styles, forms, frames; images keep their words and lose their source."""
    return nh3.clean(
        _bounded(html),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style"},
    )


def to_text(html: str) -> str:
    """What a reader sees, as text; what hides from readers is left out."""
    reader = _Reader()
    try:
        reader.feed(_well_formed(html))
        reader.close()
    except Exception:
        reader.parts.append(" ")
    text = INVISIBLE.sub("", "".join(reader.parts)).replace("\xa0", " ")
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def hides_text(html: str) -> bool:
    """Is there text that a reader would not see?"""
    reader = _Reader()
    try:
        reader.feed(_well_formed(html))
        reader.close()
    except Exception:
        return True
    return reader.hid_text or INVISIBLE.search("".join(reader.parts)) is not None


def _bounded(html: str) -> str:
    """Without NUL, cut after MOST_TAGS tags."""
    html = html.replace("\x00", "")
    if html.count("<") <= MOST_TAGS:
        return html
    return "<".join(html.split("<", MOST_TAGS)[:MOST_TAGS])


def _well_formed(html: str) -> str:
    """As a browser reads it, styles kept: the standard library's parser takes quadratic time on broken markup."""
    return nh3.clean(
        _bounded(html),
        tags=_TAGS | {"font", "center"},
        attributes={"*": {"style", "hidden"}, "a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        clean_content_tags={"script", "style", "title", "template", "svg", "math"},
    )


class _Reader(HTMLParser):
    """Walks the tags once; a hidden element hides all that is in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hid_text = False
        self._open: list[tuple[str, bool]] = []
        self._hidden = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag in _BREAKS and not self._hidden:
            self.parts.append("\n" + ("- " if tag == "li" else ""))
        if tag in _VOID:
            return
        hides = tag in _SKIPPED or "hidden" in values or HIDING.search(values.get("style", "")) is not None
        self._open.append((tag, hides))
        self._hidden += hides
        if tag == "a":
            self._links.append(values.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, max(-1, len(self._open) - 64), -1):
            if self._open[place][0] == tag:
                self._hidden -= sum(hides for _, hides in self._open[place:])
                del self._open[place:]
                break
        if tag == "a" and self._links:
            target = self._links.pop()
            if (
                target.startswith(("http://", "https://"))
                and not self._hidden
                and not "".join(self.parts[-1:]).endswith(target)
            ):
                self.parts.append(f" <{target}>")
        if tag in _BREAKS and not self._hidden:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data if any(tag == "pre" for tag, _ in self._open[-4:]) else re.sub(r"\s+", " ", data))
        elif data.strip() and not any(tag in _SKIPPED for tag, _ in self._open[-8:]):
            self.hid_text = True
