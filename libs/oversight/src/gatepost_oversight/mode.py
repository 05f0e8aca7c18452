"""How much a mailbox may do by itself: five modes, from the strictest."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Oversight modes, the strictest first."""

    READ_ONLY = "read_only"
    GATED_ALL = "gated_all"
    GATED_SEND = "gated_send"
    MONITORED = "monitored"
    AUTONOMOUS = "autonomous"

    @property
    def level(self) -> int:
        """0 for the strictest."""
        return LEVELS[self]


LEVELS: dict[str, int] = {mode.value: level for level, mode in enumerate(Mode)}


def strictest(*modes: Mode) -> Mode:
    """The strictest of them."""
    return min(modes, key=lambda mode: mode.level)


def effective(
    mailbox: Mode, ceiling: Mode, ask: Mode | None, *, granted: Mode | None = None, covers_ask: bool = False
) -> Mode:
    """What holds for one send: the strictest of base, ceiling and what the caller asked for.

    Base is the mode a person granted for its category or recipients, else the mailbox's.
    A caller only tightens; `covers_ask` lets the bare word gated_send pass below such a grant.
    """
    base = granted or mailbox
    asked = base if ask is None or (covers_ask and ask is Mode.GATED_SEND) else ask
    return strictest(base, ceiling, asked)
