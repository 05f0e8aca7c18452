"""When an endpoint is tried, and when only probed."""

from __future__ import annotations

from gatepost_notifier.breaker import Breaker


def opened() -> Breaker:
    breaker = Breaker(threshold=3, pause_s=10, longest_s=35)
    for _ in range(3):
        breaker.failed("e", 100)
    return breaker


def test_a_few_failures_change_nothing() -> None:
    """A restart of the receiver is no outage."""
    breaker = Breaker(threshold=3, pause_s=10, longest_s=35)
    breaker.failed("e", 0)
    breaker.failed("e", 0)

    assert breaker.places("e", busy=2, most=8, now=0) == 6
    assert not breaker.is_open("e")


def test_then_one_probe_at_a_time_ever_further_apart() -> None:
    """10, 20, then 35 seconds, and never two at once."""
    breaker = opened()
    asked = [(109, 0), (110, 1)]
    for at, expected in asked:
        assert expected == breaker.places("e", busy=0, most=8, now=at)
    assert breaker.places("e", busy=1, most=8, now=110) == 0
    breaker.failed("e", 110)
    assert breaker.places("e", busy=0, most=8, now=129) == 0
    assert breaker.places("e", busy=0, most=8, now=130) == 1
    breaker.failed("e", 130)
    assert breaker.places("e", busy=0, most=8, now=164) == 0
    assert breaker.places("e", busy=0, most=8, now=165) == 1


def test_what_was_on_the_wire_when_it_opened_does_not_count_again() -> None:
    """Seven more failures of the same moment do not push the first probe away."""
    breaker = opened()
    for _ in range(7):
        breaker.failed("e", 101)

    assert breaker.places("e", busy=0, most=8, now=110) == 1


def test_another_replica_probes_as_well() -> None:
    """The row says that it rests: this process has seen no failure, tries one, and its failure is no first one."""
    breaker = Breaker(threshold=3, pause_s=10, longest_s=35)
    assert breaker.places("e", busy=0, most=8, now=0, is_resting=True) == 1
    assert breaker.places("e", busy=1, most=8, now=0, is_resting=True) == 0

    assert breaker.failed("e", 0, is_resting=True) == 10
    assert breaker.places("e", busy=0, most=8, now=9, is_resting=True) == 0


def test_only_what_moves_the_next_probe_says_how_far() -> None:
    """The row is written then and at no other failure."""
    breaker = Breaker(threshold=3, pause_s=10, longest_s=35)

    assert [None, None, 10, None, None] == [breaker.failed("e", at) for at in (0, 1, 2, 3, 4)]
    assert breaker.failed("e", 12) == 20


def test_one_success_opens_the_line() -> None:
    """And another endpoint never noticed."""
    breaker = opened()

    assert breaker.places("other", busy=0, most=8, now=100) == 8
    breaker.succeeded("e")
    assert breaker.places("e", busy=0, most=8, now=100) == 8
