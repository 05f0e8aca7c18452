"""HTML from strangers: made safe to show, turned into markdown to read, and searched for text that hides."""

from __future__ import annotations

import re
from dataclasses import dataclass

import nh3

from gatepost_mail.invisible import hiding_selectors, tricks, visible
from gatepost_mail.markdown import SKIPPED, Writer

_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "img": {"alt"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}
_READ = {
    "*": {"style", "hidden", "class", "id", "color", "bgcolor", "background", "aria-hidden"}, "a": {"href"},
    "img": {"alt"}, "ol": {"start"}, "font": {"color", "size"},
}  # fmt: skip
MOST_TAGS = 20_000
"""Tags that are read; deeply nested ones cost more than linear time in every parser."""
LONGEST = 2_000_000
MOST_NESTED = 300
"""Elements within one another; real newsletters nest a few dozen tables."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
_NOT_COUNTED = frozenset({
    "br", "hr", "img", "meta", "link", "input", "area", "base", "col", "wbr", "p", "li", "td", "tr", "th", "dt", "dd",
    "tbody", "thead", "tfoot", "option",
})  # fmt: skip
"""Empty ones, and those whose end may be left out."""


@dataclass(frozen=True)
class Reading:
    """What a reader of this HTML sees, in markdown, and by which tricks text was kept from them."""

    text: str
    hidden: tuple[str, ...] = ()


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


def read_html(html: str) -> Reading:
    """What a reader sees; what hides from readers is left out and named."""
    given = html.count("<")
    html = _bounded(html)
    css = _style_sheets(html)
    writer = Writer(hiding_selectors(css) if css else frozenset(), has_styles=bool(css))
    try:
        writer.feed(_well_formed(html))
        writer.close()
    except Exception:
        writer.hidden.add("unreadable")
    if MOST_TAGS >= given != html.count("<"):
        writer.hidden.add("nesting")  # a veil may have been among what was left out
    text = writer.markdown()
    return Reading(visible(text), tuple(sorted(writer.hidden | set(tricks(text)))))


def to_text(html: str) -> str:
    """The markdown alone."""
    return read_html(html).text


def _bounded(html: str) -> str:
    """Without NUL, cut after LONGEST characters and MOST_TAGS tags."""
    html = html[:LONGEST].replace("\x00", "")
    tags = html.count("<")
    if tags > MOST_TAGS:
        html = "<".join(html.split("<", MOST_TAGS)[:MOST_TAGS])
    return _flattened(html) if tags > MOST_NESTED else html


def _flattened(html: str) -> str:
    """Without the tags that stand deeper than MOST_NESTED: building a tree of them takes quadratic time."""
    depth = 0

    def kept(found: re.Match[str]) -> str:
        nonlocal depth
        if found[2].lower() in _NOT_COUNTED:
            return found[0]
        depth += -1 if found[1] else 1
        depth = max(depth, 0)
        return "" if depth > MOST_NESTED or (depth == MOST_NESTED and found[1]) else found[0]

    return _TAG.sub(kept, html)


def _style_sheets(html: str) -> str:
    """What stands in the style elements, at most 100,000 characters; linear also where none of them ends."""
    lower = html[:400_000].lower()
    found: list[str] = []
    place = lower.find("<style")
    while place >= 0 and len(found) < 20:
        start = lower.find(">", place) + 1
        end = lower.find("</style", start)
        if start <= 0 or end < 0:
            break
        found.append(html[start:end])
        place = lower.find("<style", end)
    return "\n".join(found)[:100_000]


def _well_formed(html: str) -> str:
    """As a browser reads it, styles kept: the standard library's parser takes quadratic time on broken markup."""
    return nh3.clean(
        html,
        tags=_TAGS | {"font", "center"},
        attributes=_READ,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
        clean_content_tags=SKIPPED - {"head", "noscript"},
    )
