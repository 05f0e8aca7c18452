"""HTML to markdown, in one walk over well-formed tags. A hidden element hides all that is in it.

Colours are followed down the tree, so that white words on a white ground are hidden and white words on a blue button
are not. Quotes become `> ` lines, so that the reply is told from its history in the same way as in plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from gatepost_mail.invisible import HIDING, WHITE, Colour, colour, is_same

SKIPPED = {"script", "style", "head", "title", "template", "noscript", "svg", "math"}
_VOID = {"br", "hr", "img", "meta", "link", "input", "area", "base", "col", "wbr"}
_BLOCKS = {"p", "div", "tr", "table", "ul", "ol", "dl", "dt", "dd", "caption", "center", "blockquote", "pre", "li",
           "h1", "h2", "h3", "h4", "h5", "h6"}  # fmt: skip
_SPACED = {"p", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol"}
_MARKS = {"b": "**", "strong": "**", "em": "_", "i": "_", "code": "`", "del": "~~", "s": "~~"}
_UNCLOSED = frozenset(_MARKS.values())
_DECLARED = re.compile(r"(?i)(?:^|;)\s*(color|background(?:-color)?)\s*:\s*([^;]{1,80})")
_SPACES = " \t\r\n\xa0\u200b\u200c"
DEEPEST_QUOTE = 20
_INLINE_WIDTH = 64


@dataclass
class _Open:
    tag: str
    hides: str
    colour: Colour
    ground: Colour | None


class Writer(HTMLParser):
    """Feed it what nh3 made well-formed; `markdown()` is what a reader sees, `hidden` how text was kept from them."""

    def __init__(self, hiding: frozenset[str], *, has_styles: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.hidden: set[str] = set()
        self._hiding = hiding
        self._has_styles = has_styles
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quote = 0
        self._open: list[_Open] = []
        self._veils: list[str] = []
        self._links: list[tuple[str, int]] = []
        self._lists: list[int] = []
        self._pre = 0

    def markdown(self) -> str:
        """The text, blank lines folded."""
        self._break()
        text = "\n".join(self._lines).replace("\xa0", " ")
        text = re.sub(r"[ \t]+\n", "\n", text)
        return re.sub(r"(\n(?:> ?)*){3,}", lambda m: "\n" + m[1], text).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        values = {name: value or "" for name, value in attrs}
        if tag in _VOID:
            self._void(tag, values)
            return
        above = self._open[-1] if self._open else _Open("", "", (0, 0, 0), WHITE)
        opened = self._look(tag, values, above)
        self._open.append(opened)
        if opened.hides:
            self._veils.append(opened.hides)
        if self._veils:
            return
        if tag in _BLOCKS:
            self._break(blank=tag in _SPACED)
        if tag == "blockquote":
            self._quote = min(self._quote + 1, DEEPEST_QUOTE)
        elif tag in {"ul", "ol"}:
            start = values.get("start", "1")[:6]
            self._lists.append(0 if tag == "ul" else int(start) if start.isascii() and start.isdigit() else 1)
        elif tag == "li":
            self._line.append("  " * min(len(self._lists) - 1, 6) + self._bullet())
        elif tag == "a":
            self._links.append((values.get("href", ""), len(self._line)))
        elif tag in _MARKS and not self._pre:
            self._line.append(_MARKS[tag])
        elif tag == "pre":
            self._pre += 1
        elif len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self._line.append("#" * int(tag[1]) + " ")

    def handle_endtag(self, tag: str) -> None:
        """Close it, and what was left open inside."""
        for place in range(len(self._open) - 1, max(-1, len(self._open) - _INLINE_WIDTH), -1):
            if self._open[place].tag == tag:
                self._shut(self._open[place:])
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        """Words."""
        if self._veils:
            if data.strip(_SPACES) and self._veils[0] not in SKIPPED:
                self.hidden.update(self._veils[:1])
            return
        here = self._open[-1] if self._open else None
        if here is not None and here.ground is not None and is_same(here.colour, here.ground):
            if data.strip(_SPACES):
                self.hidden.add("colour")
            return
        if self._pre:
            first, *rest = data.split("\n")
            self._line.append(first)
            for line in rest:
                self._break(forced=True)
                self._line.append(line)
            return
        words = re.sub(r"[ \t\r\n\f]+", " ", data)
        if words == " " and (not self._line or self._line[-1].endswith(" ")):
            return
        self._line.append(words.lstrip(" ") if not self._line else words)

    def _look(self, tag: str, values: dict[str, str], above: _Open) -> _Open:
        style = values.get("style", "")
        hides = ""
        if tag in SKIPPED:
            hides = tag
        elif "hidden" in values or (style and HIDING.search(style)) or self._is_hidden_by_sheet(values):
            hides = "invisible_style"
        here, ground = above.colour, above.ground
        if said := colour(values.get("color", "")):
            here = said
        if values.get("bgcolor") or values.get("background"):
            ground = colour(values.get("bgcolor", ""))
        for name, value in _DECLARED.findall(style):
            if name.lower() == "color":
                if value.strip().lower().startswith("transparent"):
                    hides = hides or "colour"
                here = colour(value) or here
            elif not value.strip().lower().startswith(("transparent", "inherit", "none", "initial")):
                ground = colour(value)  # a picture, or a name that we do not know: no judgement
        if self._has_styles and (values.get("class") or values.get("id")) and "color" not in style.lower():
            ground = None if ground == WHITE and here != above.colour else ground
        return _Open(tag, hides, here, ground)

    def _is_hidden_by_sheet(self, values: dict[str, str]) -> bool:
        if not self._hiding:
            return False
        names = [f".{name}" for name in values.get("class", "").split()]
        return not self._hiding.isdisjoint([*names, f"#{values.get('id', '')}"])

    def _void(self, tag: str, values: dict[str, str]) -> None:
        if self._veils:
            return
        if tag == "br":
            self._break(forced=True)
        elif tag == "hr":
            self._break(blank=True)
            self._line.append("---")
            self._break(blank=True)
        elif tag == "img" and values.get("alt", "").strip():
            self._line.append(f"[{' '.join(values['alt'].split())[:200]}]")

    def _shut(self, closing: list[_Open]) -> None:
        for element in reversed(closing):
            if not self._veils:
                self._after(element.tag)
            if element.hides:
                self._veils.pop()

    def _after(self, tag: str) -> None:
        if tag in _MARKS and not self._pre:
            self._close_mark(_MARKS[tag])
        elif tag == "a" and self._links:
            target, start = self._links.pop()
            self._close_link(target, start)
        elif tag in {"td", "th"}:
            self._line.append(" ")
        if tag == "blockquote":
            self._break()
            self._quote = max(0, self._quote - 1)
        if tag in _BLOCKS:
            self._break(blank=tag in _SPACED)
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)

    def _close_mark(self, mark: str) -> None:
        """Nothing between the marks: no marks. Spaces stand outside them."""
        for place in range(len(self._line) - 1, max(-1, len(self._line) - _INLINE_WIDTH), -1):
            if self._line[place] == mark:
                inner = "".join(self._line[place + 1 :])
                words = inner.strip()
                self._line[place:] = [f"{inner[: len(inner) - len(inner.lstrip())]}{mark}{words}{mark}"
                                      f"{inner[len(inner.rstrip()) :]}" if words else inner]  # fmt: skip
                return

    def _close_link(self, target: str, start: int) -> None:
        words = " ".join("".join(self._line[start:]).split())
        if not target.startswith(("http://", "https://", "mailto:")) or len(target) > 2_000:
            return
        bare = target.removeprefix("mailto:")
        if not words or words in {target, bare} or start > len(self._line):
            shown = words or (bare if target.startswith("mailto:") else f"<{target}>")
        else:
            shown = f"[{words.replace('[', '(').replace(']', ')')}]({target})"
        lead = " " if "".join(self._line[start : start + 1]).startswith(" ") else ""
        self._line[start:] = [lead + shown]

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] == 0:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1] - 1}. "

    def _break(self, *, blank: bool = False, forced: bool = False) -> None:
        """End the line; `blank`: and leave one free; `forced`: also when nothing stands on it."""
        mark = "> " * self._quote
        line = "".join(piece for piece in self._line if piece not in _UNCLOSED or self._pre)
        line = line.rstrip() if self._pre or line.lstrip().startswith(("- ", *"123456789")) else line.strip(" ")
        if line or forced:
            self._lines.append((mark + line).rstrip(" "))
        if blank and self._lines and self._lines[-1].strip("> "):
            self._lines.append(mark.rstrip())
        self._line = []
        self._links = [(target, 0) for target, _ in self._links]
