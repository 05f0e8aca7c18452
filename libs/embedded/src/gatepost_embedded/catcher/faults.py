"""How the catcher shall misbehave, for tests of whoever sends to it.

POST /api/faults with {"stage": "connect|rcpt|data|dot", "reply": "451 4.3.0 try later" | "close" | "silence",
"count": 1, "match": "part of a recipient", "keep": false}. `count` null is for ever. `keep` is for the stage `dot`: the mail
is kept although the sender is not told so, which is what a lost 250 looks like. The first fault that fits is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

STAGES = ("connect", "rcpt", "data", "dot")
REPLY = re.compile(r"[2-5]\d\d [\x20-\x7e]{1,400}")


class BadFaultError(ValueError):
    """The text says what is wrong with the order."""


@dataclass
class Fault:
    """One way to misbehave, so many times."""

    stage: str
    reply: str
    count: int | None = 1
    match: str = ""
    keep: bool = False
    used: int = 0

    @classmethod
    def read(cls, order: Any) -> Fault:
        """From JSON, strictly."""
        if not isinstance(order, Mapping) or set(order) - {"stage", "reply", "count", "match", "keep"}:
            raise BadFaultError("a fault is an object with stage, reply, count, match and keep")
        stage, reply, count = order.get("stage"), order.get("reply"), order.get("count", 1)
        match, keep = order.get("match", ""), order.get("keep", False)
        if stage not in STAGES:
            raise BadFaultError(f"stage is one of {', '.join(STAGES)}")
        if not isinstance(reply, str) or (reply not in {"close", "silence"} and not REPLY.fullmatch(reply)):
            raise BadFaultError('reply is "close", "silence" or a line like "451 4.3.0 try later"')
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise BadFaultError("count is a whole number above 0, or null for ever")
        if not isinstance(match, str) or not isinstance(keep, bool):
            raise BadFaultError("match is text, keep is true or false")
        if stage == "connect" and match:
            raise BadFaultError("at connect no recipient is known yet, so match must be empty")
        return cls(stage, reply, count, match.lower(), keep)


class Faults:
    """The orders given, and what is left of them."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Obey this one too."""
        self._orders.append(fault)

    def clear(self) -> None:
        """Behave again."""
        self._orders.clear()

    def listed(self) -> list[dict[str, Any]]:
        """All orders, with how often each was used."""
        return [asdict(fault) for fault in self._orders]

    def take(self, stage: str, recipients: Iterable[str] = ()) -> Fault | None:
        """The fault to commit now, counted; None: behave."""
        addresses = [recipient.lower() for recipient in recipients]
        for fault in self._orders:
            is_left = fault.count is None or fault.used < fault.count
            fits = not fault.match or any(fault.match in address for address in addresses)
            if fault.stage == stage and is_left and fits:
                fault.used += 1
                return fault
        return None
