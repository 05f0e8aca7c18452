"""The addresses of MAIL and RCPT, read strictly, and line ends made one kind.

The library would take NUL and other scripts in a recipient and raises on some odd ones; here odd means refused.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_LOCAL = 64
LONGEST_DOMAIN = 255
NULL_SENDER = "<>"

_ROUTE = re.compile(r"^@[^:<>\s]+:")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"^(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*\")$")
_DOMAIN = re.compile(r"^(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?|\[[0-9A-Za-z:.]+\])$")
_ANGLE = re.compile(r'^<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(.*)$', re.DOTALL)
_OTHER = re.compile(r"[^\x00-\x7f]")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def read_path(argument: str, *, is_utf8: bool = False) -> tuple[str | None, str | None]:
    """(address, the parameters after it); (None, None) when it is no path, (`<>`, ...) for the null sender.

    Other scripts are taken where the peer said SMTPUTF8 (RFC 6531); lengths count in bytes.
    """
    text = argument.strip()
    if found := _ANGLE.match(text):
        address, rest = found.group(1).strip(), found.group(2)
        if rest and not rest[0].isspace():
            return None, None
    else:
        address, _, rest = text.partition(" ")
        if not address:
            return "", ""
    address = _ROUTE.sub("", address)
    if not address:
        return (NULL_SENDER, rest.strip()) if found else (None, None)
    return (address, rest.strip()) if is_address(address, is_utf8=is_utf8) else (None, None)


def is_address(address: str, *, is_utf8: bool = False) -> bool:
    """True for an address that can be a mailbox: no NUL, within the lengths of RFC 5321, ASCII unless `is_utf8`."""
    if not (address.isascii() or (is_utf8 and address.isprintable())):
        return False
    local, at, domain = address.rpartition("@")
    if not (at and 0 < len(local.encode()) <= LONGEST_LOCAL and 0 < len(domain.encode()) <= LONGEST_DOMAIN):
        return False
    if is_utf8:
        local, domain = _OTHER.sub("x", local), _OTHER.sub("x", domain)
    return _LOCAL.match(local) is not None and _DOMAIN.match(domain) is not None


def folded(address: str) -> str:
    """The form in which mailboxes are stored: lower case, composed (NFC), no dot at the end."""
    return unicodedata.normalize("NFC", address.lower().rstrip("."))


def without_tag(address: str) -> str:
    """`support+anything@x` is `support@x`."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def domain_of(address: str) -> str:
    """The part behind the last at sign."""
    return address.rpartition("@")[2]


def one_line_end(raw: bytes) -> tuple[bytes, bool]:
    """The mail with CRLF everywhere, and whether anything else stood in it.

    Bare CR and LF are how one mail is smuggled as two past servers that disagree about line ends (CVE-2023-51764).
    Only CRLF.CRLF ended the mail here, and after this no other reader can see another end in it.
    """
    if raw.count(b"\r\n") == raw.count(b"\r") == raw.count(b"\n"):  # as good as every mail
        return raw, False
    return _BARE.sub(b"\r\n", raw), True
