"""How far an agent may go alone: five modes, from the strictest to the loosest."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Oversight mode of a mailbox; the order of the members is the order of strictness."""

    READ_ONLY = "read_only"     # nothing is sent
    GATED_ALL = "gated_all"     # a person sees inbound mail first, and everything that leaves
    GATED_SEND = "gated_send"   # a person sees everything that leaves
    MONITORED = "monitored"     # policy lets routine mail go, first contacts wait
    AUTONOMOUS = "autonomous"   # policy alone decides


LEVELS: dict[str, int] = {mode.value: level for level, mode in enumerate(Mode)}


def level(mode: Mode | str) -> int:
    """0 for the strictest; raises KeyError for what is no mode."""
    return LEVELS[str(mode)]


def strictest(*modes: Mode | str) -> Mode:
    """The strictest of these modes."""
    return Mode(min(modes, key=level))


def is_gated(mode: Mode | str) -> bool:
    """True where nothing leaves without a person."""
    return level(mode) <= level(Mode.GATED_SEND)


def effective(
    mode: Mode | str,
    *,
    ceiling: Mode | str = Mode.AUTONOMOUS,
    granted: Mode | str | None = None,
    ask: Mode | str | None = None,
    covers_ask: bool = False,
) -> Mode:
    """The mode that counts for one send: the strictest of what a person gave, the ceiling and what the caller asked.

    The words are those of `terms.EFFECTIVE`, which the steps run on; a test holds the two together.
    """
    base = granted if granted is not None else mode
    covered = ask is None or (covers_ask and ask == Mode.GATED_SEND)
    asked = base if covered or ask is None else ask
    return strictest(base, ceiling, asked)
