"""What a handler may raise to say whether trying again can help."""

from __future__ import annotations


class Transient(Exception):
    """Not now: try again later, with a growing delay or after `retry_after_s`."""

    def __init__(self, reason: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Hopeless(Exception):
    """Never: it becomes a dead letter at once, for a person to look at."""


class Unavailable(Exception):
    """The service that was asked did not answer; whether it did what was asked is unknown."""


class Fatal(Exception):
    """The process is set up wrongly and must end; the text says what an operator has to do."""
