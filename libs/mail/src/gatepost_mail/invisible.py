"""Characters and styles by which text is in a mail and yet not before a reader's eyes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ZERO_WIDTH = "\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u180e"
_OVERRIDES = "\u202d\u202e"
_DIRECTIONS = "\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
INVISIBLE = re.compile(f"[{_ZERO_WIDTH}{_OVERRIDES}{_DIRECTIONS}\U000e0000-\U000e007f]")
_TAGS = re.compile("[\U000e0020-\U000e007e]")
_FLAG_OF_A_REGION = re.compile("\U0001f3f4[\U000e0020-\U000e007f]{1,8}")
_SPLIT_WORD = re.compile(f"[^\\W\\d_][{_ZERO_WIDTH}]+[^\\W\\d_]")

HIDING = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|opacity\s*:\s*0?(\.0+)?\s*(;|!|$)|mso-hide\s*:\s*all"
    r"|font(-size)?\s*:\s*0(\.0+)?\s*(px|pt|em|rem|%|vw)?\s*(;|!|/|\s|$)|font-size\s*:\s*(0\.\d+|1)\s*(px|pt)"
    r"|(max-)?(height|width)\s*:\s*0(px|pt|em|%)?\s*(;|!|$)|text-indent\s*:\s*-\d{3,}"
    r"|(left|top|right|bottom|margin(-left|-top)?)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(50|100)%"
    r"|transform\s*:\s*scale\(\s*0\s*\)"
)
_SIMPLE = re.compile(r"^[a-z0-9]*([.#][A-Za-z0-9_-]{1,80})$")
_COLOUR = re.compile(
    r"(?i)^\s*(?:#([0-9a-f]{3,8})|rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})(?:[\s,/]+([\d.]+%?))?\s*\)|([a-z]+))"
)
_NAMES = {"white": (255, 255, 255), "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240),
          "whitesmoke": (245, 245, 245), "ghostwhite": (248, 248, 255), "red": (255, 0, 0), "blue": (0, 0, 255),
          "green": (0, 128, 0), "gray": (128, 128, 128), "grey": (128, 128, 128), "yellow": (255, 255, 0),
          "navy": (0, 0, 128), "silver": (192, 192, 192), "maroon": (128, 0, 0)}  # fmt: skip
Colour = tuple[int, int, int]
LONGEST_SHEET = 100_000
WHITE: Colour = (255, 255, 255)


def tricks(text: str) -> tuple[str, ...]:
    """Which tricks with invisible characters this text plays. Joiners inside emoji and other scripts are none."""
    if text.isascii():
        return ()
    found = []
    if any(char in text for char in _OVERRIDES):
        found.append("bidi")
    if _TAGS.search(_FLAG_OF_A_REGION.sub("", text)):
        found.append("tag_characters")
    if len(_SPLIT_WORD.findall(text[:200_000])) >= 2:
        found.append("zero_width")
    return tuple(found)


def visible(text: str) -> str:
    """Without the characters that nobody sees; words stay whole."""
    return text if text.isascii() else INVISIBLE.sub("", text)


def hiding_selectors(css: str) -> frozenset[str]:
    """The classes and ids that a style sheet hides, media queries apart: those hide on some screens only."""
    found: set[str] = set()
    for selectors, declared in _rules(_without_comments(css[:LONGEST_SHEET])):
        if HIDING.search(declared):
            found.update(m[1] for part in selectors.split(",")[:50] if (m := _SIMPLE.match(part.strip())))
    return frozenset(found)


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations outside of any at-rule, in one walk over the braces."""
    open_: list[str] = []
    start = 0
    for brace in re.finditer("[{}]", css):
        between = css[start : brace.start()]
        start = brace.end()
        if brace[0] == "{":
            open_.append(between.strip()[-300:])
        elif open_:
            selectors = open_.pop()
            if not selectors.startswith("@") and not any(above.startswith("@") for above in open_[:3]):
                yield selectors, between[:2_000]


def _without_comments(css: str) -> str:
    kept = []
    place = 0
    while (at := css.find("/*", place)) >= 0:
        kept.append(css[place:at])
        end = css.find("*/", at + 2)
        if end < 0:
            return "".join(kept)
        place = end + 2
    return "".join(kept) + css[place:]


def colour(value: str) -> Colour | None:
    """A CSS colour; None when it is not one of the usual spellings. Transparent text has the colour of nothing."""
    if not (found := _COLOUR.match(value)):
        return None
    if found[1]:
        digits = found[1]
        if len(digits) < 6:
            digits = "".join(digit * 2 for digit in digits[:3])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if found[2]:
        return min(int(found[2]), 255), min(int(found[3]), 255), min(int(found[4]), 255)
    return _NAMES.get(found[6].lower())


def is_same(one: Colour, other: Colour) -> bool:
    """Too near to be told apart by eye."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) <= 24
