"""From bytes to text: by the label if it fits, else by what the bytes look like. Only text codecs can be named.

Python finds codecs by any name, and some of them inflate, rotate or build names (`zlib`, `rot13`, `idna`): a label of
a stranger chooses from the list below and from nothing else. Where a label is narrower than what mail programs write
under it, the wider one is used, as browsers do (WHATWG Encoding).
"""

from __future__ import annotations

import re

_WIDER = {
    "iso-8859-1": "cp1252", "latin1": "cp1252", "iso-8859-9": "cp1254", "iso-8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "cp936": "gb18030", "euc-cn": "gb18030", "gb-2312-80": "gb18030",
    "gb18030": "gb18030", "hz-gb-2312": "hz", "big5": "big5hkscs", "big5-hkscs": "big5hkscs", "cp950": "cp950",
    "shift-jis": "cp932", "sjis": "cp932", "ms-kanji": "cp932", "windows-31j": "cp932", "cp932": "cp932",
    "euc-jp": "euc_jp", "iso-2022-jp": "iso2022_jp_ext", "iso-2022-jp-1": "iso2022_jp_ext",
    "iso-2022-jp-2": "iso2022_jp_2", "iso-2022-jp-3": "iso2022_jp_3", "iso-2022-jp-2004": "iso2022_jp_2004",
    "euc-kr": "cp949", "ks-c-5601-1987": "cp949", "ksc5601": "cp949", "cp949": "cp949", "uhc": "cp949",
    "iso-2022-kr": "iso2022_kr", "johab": "johab", "utf-8": "utf-8", "utf8": "utf-8", "utf-7": "utf-7",
    "utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "utf-32": "utf-32",
    "utf-32le": "utf-32-le", "utf-32be": "utf-32-be", "koi8-r": "koi8_r", "koi8-u": "koi8_u", "koi8-t": "koi8_t",
    "macintosh": "mac_roman", "mac": "mac_roman", "mac-cyrillic": "mac_cyrillic", "mac-ce": "mac_latin2",
    "iso-8859-8-i": "iso8859_8", "iso-8859-6-i": "iso8859_6", "latin2": "iso8859_2", "latin9": "iso8859_15",
    "cyrillic": "iso8859_5", "greek": "iso8859_7", "hebrew": "iso8859_8", "arabic": "iso8859_6",
} | {f"iso-8859-{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)} | {
    f"{name}{n}": f"cp{n}" for name in ("cp", "windows-", "ibm") for n in (*range(1250, 1259), 437, 737, 775, 850,
    852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874)
}  # fmt: skip
_SAYS_NOTHING = frozenset({"", "us-ascii", "ascii", "ansi-x3.4-1968", "unknown-8bit", "8bit", "7bit", "binary"})
_SINGLE_BYTE = re.compile(r"^(cp12|cp4|cp7|cp85|cp86|cp874|iso8859|koi8|mac)")
_MULTIBYTE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
_GUESSED = ("cp932", "euc_jp", "gb18030", "cp949", "big5hkscs")
_CYRILLIC = ("cp1251", "koi8_r")


def codec_for(label: str | None) -> str | None:
    """The codec that a label may choose; None when it says nothing or is not one of ours."""
    name = (label or "").strip(" \"'\t<>").lower().replace("_", "-").replace(" ", "-").removeprefix("x-")
    name = re.sub(r"^(iso|cp|windows)-?(\d)", lambda m: f"{m[1]}{'-' if m[1] != 'cp' else ''}{m[2]}", name)
    name = re.sub(r"^iso-8859(\d)", r"iso-8859-\1", name).removeprefix("cs")
    return None if name in _SAYS_NOTHING else _WIDER.get(name)


def decode(raw: bytes, label: str | None) -> tuple[str, bool]:
    """The text, and whether the label held. Never raises, never loses more than single characters."""
    codec = codec_for(label)
    if raw.isascii() and codec not in {"iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004",
                                       "iso2022_kr", "hz", "utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
                                       "utf-32-le", "utf-32-be"} and b"\x1b$" not in raw:  # fmt: skip
        return raw.decode("ascii"), label is None or codec is not None or _is_silent(label)
    is_utf8 = codec != "utf-8" and _MULTIBYTE.search(raw) is not None and _try(raw, "utf-8") is not None
    if is_utf8 and (codec is None or _SINGLE_BYTE.match(codec)):
        return raw.decode("utf-8"), False
    if codec is not None and (text := _try(raw, codec)) is not None:
        return text, True
    return _guess(raw, codec), False


def _is_silent(label: str) -> bool:
    return label.strip(" \"'\t").lower().replace("_", "-") in _SAYS_NOTHING


def _try(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except (UnicodeError, ValueError):
        return None


def _guess(raw: bytes, codec: str | None) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark) and (text := _try(raw, name)) is not None:
            return text
    if (text := _try(raw, "utf-8")) is not None:
        return text
    if b"\x1b$" in raw and (text := _try(raw, "iso2022_jp_ext")) is not None:
        return text
    if codec is not None and not _SINGLE_BYTE.match(codec):
        return raw.decode(codec, "replace")  # a good label with a few broken bytes: the rest is right
    if _mostly_words(raw.decode("utf-8", "replace")):
        return raw.decode("utf-8", "replace")
    return _by_script(raw) or raw.decode("cp1252", "replace")


def _mostly_words(text: str) -> bool:
    """UTF-8 with a few broken bytes: far more good multibyte characters than bad ones."""
    bad = text.count("\ufffd")
    good = sum(1 for char in text[:20_000] if char > "\x7f" and char != "\ufffd")
    return good > 4 * bad


def _by_script(raw: bytes) -> str | None:
    """Text in another script and no label: which old encoding makes letters of the high bytes?"""
    sample = raw[:4096]
    high = sum(1 for byte in sample if byte > 0x7F)
    if high < 4 or (high * 4 < len(sample) and high < 40):  # one or two are more often an accent
        return None
    best: tuple[float, str] = (0.8, "")
    for codec in (*_CYRILLIC, *_GUESSED):
        text = sample.decode(codec, "replace")
        foreign = [char for char in text if char > "\x7f"]
        if codec in _CYRILLIC:
            likely = sum(1 for char in foreign if "а" <= char <= "я" or char == "ё")
        else:
            likely = sum(1 for char in foreign if "\u3040" <= char <= "\u30ff" or char in _COMMON
                         or ("\uac00" <= char <= "\ud7a3" and codec == "cp949"))  # fmt: skip
        if foreign and likely / len(foreign) > best[0] * (0.6 if codec in _GUESSED else 1):
            best = (likely / len(foreign), codec)
    return raw.decode(best[1], "replace") if best[1] else None


_COMMON = frozenset(  # signs that most Chinese text holds
    "的一是不了人我在有他这这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气病母古这您谢感寄订单客服退款"
)
