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
_STYLE = re.compile(r"(?is)<style[^>]{0,300}>(.{0,100000}?)</style")


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
    html = _bounded(html)
    css = "\n".join(found[1] for found in _STYLE.finditer(html[:400_000])) if "<style" in html.lower() else ""
    writer = Writer(hiding_selectors(css) if css else frozenset(), has_styles=bool(css))
    try:
        writer.feed(_well_formed(html))
        writer.close()
    except Exception:
        writer.hidden.add("unreadable")
    text = writer.markdown()
    return Reading(visible(text), tuple(sorted(writer.hidden | set(tricks(text)))))


def to_text(html: str) -> str:
    """The markdown alone."""
    return read_html(html).text


def _bounded(html: str) -> str:
    """Without NUL, cut after LONGEST characters and MOST_TAGS tags."""
    html = html[:LONGEST].replace("\x00", "")
    if html.count("<") <= MOST_TAGS:
        return html
    return "<".join(html.split("<", MOST_TAGS)[:MOST_TAGS])


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
