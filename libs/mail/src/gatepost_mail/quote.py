"""What somebody wrote now, without the quoted history and the signature below it. Linear in the length of the text."""

from __future__ import annotations

import re

_ATTRIBUTION = re.compile(
    r"(?i)^\s*>?\s*(on\b.{5,200}\bwrote|am\b.{5,200}\bschrieb\b.{0,100}|le\b.{5,200}\ba écrit|el\b.{5,200}\bescribió"
    r"|op\b.{5,200}\bschreef\b.{0,100}|il\b.{5,200}\bha scritto|em\b.{5,200}\bescreveu|.{3,120}\s<\S+@\S+>\s+(wrote|schrieb))\s*:\s*$"
)
_RULE = re.compile(
    r"(?i)^\s*(-{2,}\s*(original message|ursprüngliche nachricht|message d'origine|mensaje original|oorspronkelijk bericht"
    r"|messaggio originale|mensagem original|forwarded message)\s*-{2,}|_{20,}|-{20,})\s*$"
)
_FROM = re.compile(r"(?i)^\s*\*?(from|von|de|van|da)\*?\s*:\s.{3,}")
_NEXT = re.compile(
    r"(?i)^\s*\*?(sent|date|to|subject|gesendet|datum|an|betreff|envoyé|à|objet|enviado|para|asunto|assunto"
    r"|verzonden|aan|inviato|a|oggetto)\*?\s*:"
)
_PHONE = re.compile(
    r"(?i)^\s*(sent from my \w+|von meinem \w+ gesendet|envoyé de mon \w+|enviado desde mi \w+|get outlook for \w+)"
)


def reply_text(text: str) -> str:
    """The new words, also those written below or between quotes. Where that would be nothing, the whole text."""
    kept: list[str] = []
    lines = text.splitlines()
    place = 0
    while place < len(lines):
        line = lines[place]
        short = line[:400]
        after = [further[:200] for further in lines[place + 1 : place + 4]]
        if short.lstrip().startswith(">"):
            place += 1
            continue
        if _begins_history(short, after):
            quoted = next((n for n, further in enumerate(after) if further.lstrip().startswith(">")), None)
            if quoted is None and any(part.strip() for part in kept):
                break  # the history stands unquoted below: all the rest is it
            if quoted is not None:
                place += 1 + quoted
                continue
        elif _FROM.match(short) and any(map(_NEXT.match, after)) and any(part.strip() for part in kept):
            break
        if short.rstrip() == "--" or _PHONE.match(short[:80]):
            break
        kept.append(line)
        place += 1
    return "\n".join(kept).strip() or text.strip()


def _begins_history(line: str, after: list[str]) -> bool:
    """An attribution may be broken over two lines."""
    if _RULE.match(line) or _ATTRIBUTION.match(line):
        return True
    return line.lower().startswith(_STARTS) and bool(after) and _ATTRIBUTION.match(f"{line} {after[0]}") is not None


_STARTS = ("on ", "am ", "le ", "el ", "op ", "il ", "em ")
