"""A sample of `make kills`: the sender dies between every two steps, and the accounting of it can fail."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator

import pytest
from bench import sender_kills

from support.mortal_sender import POINTS


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the run puts into the environment is taken out again."""
    with monkeypatch.context() as context:
        for name in list(os.environ):
            context.setenv(name, os.environ[name])
        yield


def options(**changes: object) -> Namespace:
    return Namespace(**({"kills": 20, "senders": 2, "limit": 45.0, "seed": 11, "fault": "", "points": ""} | changes))


async def test_a_death_between_any_two_steps_loses_and_doubles_nothing() -> None:
    """The full count, 1,000 kills, is `make kills`."""
    told, is_broken = await sender_kills.run(options())

    assert told["kills"] >= 5
    assert told["recipients delivered"] > 0
    assert (0, 0, 0) == (told["lost"], told["left unapproved"], told["second copies"])
    assert not is_broken


@pytest.mark.check
@pytest.mark.parametrize(
    ("fault", "found"), [("no_intent", "second copies that nothing shows"), ("no_grant", "left unapproved")]
)
async def test_the_accounting_finds_a_sender_that_breaks_its_promise(fault: str, found: str) -> None:
    """A check that cannot fail guards nothing."""
    told, is_broken = await sender_kills.run(options(kills=8, fault=fault, points="answer.after,end.before"))

    assert told[found] > 0
    assert is_broken


def test_every_point_lies_before_or_after_a_step() -> None:
    assert {"before", "after"} == {point.split(".")[1] for point in POINTS}
    assert set(sender_kills.WINDOW) < set(POINTS)
