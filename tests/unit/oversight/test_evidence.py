"""The numbers that a person raises autonomy by, and the test that lowers it: known answers, and the definition itself."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise

import pytest

from gatepost_oversight.evidence import (
    Quality,
    is_meaningful,
    is_sampled,
    lower_bound,
    page_test,
    reviews_still_needed,
    words_changed,
)  # fmt: skip


def _tail(clean: int, reviewed: int, share: Fraction) -> Fraction:
    """The chance of this many clean reviews or more, in exact arithmetic."""
    return sum(
        (math.comb(reviewed, k) * share**k * (1 - share) ** (reviewed - k) for k in range(clean, reviewed + 1)),
        Fraction(0),
    )


@pytest.mark.parametrize("reviewed", [1, 2, 10, 59, 300, 5000])
def test_with_no_failure_the_bound_is_the_root_of_the_doubt(reviewed: int) -> None:
    """Clopper and Pearson: for n of n the bound is 0.05 ** (1 / n)."""
    assert 0.05 ** (1 / reviewed) == pytest.approx(lower_bound(reviewed, reviewed), abs=1e-12)


@pytest.mark.parametrize(
    ("clean", "reviewed", "bound"),
    [
        # the lower ends of the usual two-sided 95 % intervals, which leave 2.5 % on each side
        (5, 10, 0.1871), (8, 10, 0.4439), (9, 10, 0.5550), (95, 100, 0.8872), (0, 10, 0.0),
    ],
)  # fmt: skip
def test_known_bounds(clean: int, reviewed: int, bound: float) -> None:
    assert bound == pytest.approx(lower_bound(clean, reviewed, doubt=0.025), abs=1e-4)


@pytest.mark.parametrize(("clean", "reviewed"), [(1, 1), (3, 7), (19, 20), (45, 50), (57, 60), (99, 100), (140, 200)])
def test_at_the_bound_so_much_luck_is_one_in_twenty(clean: int, reviewed: int) -> None:
    """The definition, in fractions."""
    tail = _tail(clean, reviewed, Fraction(lower_bound(clean, reviewed)))

    assert 0.05 == pytest.approx(float(tail), abs=1e-9)


@pytest.mark.parametrize(("target", "needed"), [(0.95, 59), (0.98, 149), (0.99, 299)])
def test_from_nothing_the_rule_of_three_answers(target: float, needed: int) -> None:
    assert needed == reviews_still_needed(0, 0, target)
    assert 0 == reviews_still_needed(needed, needed, target)
    assert 1 == reviews_still_needed(needed - 1, needed - 1, target)


@pytest.mark.parametrize(("clean", "reviewed"), [(0, 1), (9, 10), (50, 55), (700, 720)])
@pytest.mark.parametrize("target", [0.95, 0.98, 0.99])
def test_so_many_more_are_enough_and_one_fewer_is_not(clean: int, reviewed: int, target: float) -> None:
    more = reviews_still_needed(clean, reviewed, target)

    assert lower_bound(clean + more, reviewed + more) >= target - 1e-12
    assert more == 0 or lower_bound(clean + more - 1, reviewed + more - 1) < target


def test_more_clean_reviews_prove_more_and_a_failure_less() -> None:
    bounds = [lower_bound(n, n) for n in range(1, 80)]

    assert all(a < b for a, b in pairwise(bounds))
    assert lower_bound(59, 60) < lower_bound(59, 59)


@pytest.mark.parametrize(("clean", "reviewed"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(clean: int, reviewed: int) -> None:
    with pytest.raises(ValueError, match="cannot be clean"):
        lower_bound(clean, reviewed)


# -- the test that demotes -----------------------------------------------------------------------------------------


def test_each_review_adds_its_log_likelihood_ratio() -> None:
    """By hand, for 2 % against 15 %: 2.0149 for a bad one, -0.1423 for a clean one, demoted at ln 20 = 2.9957."""
    assert 2.0149 == pytest.approx(page_test([False])[0], abs=1e-4)
    assert 2.0149 - 0.1423 == pytest.approx(page_test([False, True])[0], abs=1e-4)
    assert 0.0 == page_test([True] * 50)[0]


def test_one_bad_draft_is_chance_and_two_in_a_row_are_not() -> None:
    assert (False, True) == (page_test([True] * 20 + [False])[1], page_test([True] * 20 + [False, False])[1])


def test_a_long_good_past_does_not_hide_a_bad_present() -> None:
    """A running average would still stand at 99.8 % here."""
    assert page_test([True] * 1000 + [False, False])[1]


def test_two_bad_ones_far_apart_are_forgiven() -> None:
    assert not page_test([False, *[True] * 20, False])[1]


def test_good_quality_seldom_alarms_and_bad_quality_soon() -> None:
    """With a fixed seed: 1 % bad over 100 reviews, and 40 % bad over 20."""
    generator = random.Random(3)

    def share(bad: float, count: int) -> float:
        return sum(page_test([generator.random() > bad for _ in range(count)])[1] for _ in range(300)) / 300

    assert share(0.01, 100) < 0.1
    assert share(0.4, 20) > 0.95


def test_stricter_limits_are_the_callers_to_choose() -> None:
    assert page_test([False], Quality(limit=1.0))[1]


# -- the lasting sample --------------------------------------------------------------------------------------------


def test_the_sample_is_fair_and_keyed() -> None:
    """Near its rate, the same for the same mail, another one under another key."""
    ids = [f"msg_{n:026}" for n in range(4000)]
    chosen = {i for i in ids if is_sampled(b"a" * 32, i, 0.05)}

    assert 0.04 < len(chosen) / len(ids) < 0.06
    assert chosen == {i for i in ids if is_sampled(b"a" * 32, i, 0.05)}
    assert chosen != {i for i in ids if is_sampled(b"b" * 32, i, 0.05)}
    assert chosen < {i for i in ids if is_sampled(b"a" * 32, i, 0.2)}
    assert not any(is_sampled(b"a" * 32, i, 0.0) for i in ids)
    assert all(is_sampled(b"a" * 32, i, 1.0) for i in ids)


# -- edits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("It is on its way.", "It is on its way!", 0),
        ("It is on its way.", "it is  on its\nway", 0),
        ("It is on its way.", "It is not on its way.", 1),
        ("It costs $20.", "It costs $25.", 1),
        ("It costs 20 $.", "It costs 20 €.", 1),
        ("Ann pays Bob", "Bob pays Ann", 1),
        ("Hello", "Hello, it will be there on Monday", 6),
        ("", "", 0),
    ],
)
def test_an_edit_is_measured_in_words(before: str, after: str, words: int) -> None:
    """A comma is no other promise; a number, a name or a not is."""
    assert words == words_changed(before, after)
    assert bool(words) == is_meaningful(words)


def test_a_huge_edit_is_measured_in_linear_time() -> None:
    """The same word over and over is the worst case of a longest common subsequence."""
    assert 100_000 == words_changed("a " * 100_000, "b " * 100_000)
