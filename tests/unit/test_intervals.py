"""The Wilson interval obeys its laws and agrees with published values and with its own definition."""

from math import comb, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aim.evaluate.intervals import (
    NORMAL_QUANTILE_975,
    clustered_wilson_interval,
    fisher_interval,
    mcnemar_p_value,
    wilson_interval,
)

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_bounds_hold_the_rate_and_stay_in_the_unit_interval(count: tuple[int, int]) -> None:
    successes, trials = count
    low, high = wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials <= high <= 1.0
    assert low < high


@given(counts, st.integers(2, 20))
def test_more_trials_at_the_same_rate_are_surer(count: tuple[int, int], times: int) -> None:
    successes, trials = count
    few, many = wilson_interval(successes, trials), wilson_interval(times * successes, times * trials)
    assert many[1] - many[0] < few[1] - few[0]


@given(counts)
def test_success_and_failure_are_mirror_images(count: tuple[int, int]) -> None:
    successes, trials = count
    low, high = wilson_interval(successes, trials)
    assert wilson_interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(counts)
def test_an_inner_bound_is_where_the_score_test_just_rejects(count: tuple[int, int]) -> None:
    successes, trials = count
    rate = successes / trials
    for bound in wilson_interval(successes, trials):
        if 0 < bound < 1:
            assert abs(rate - bound) == pytest.approx(
                NORMAL_QUANTILE_975 * sqrt(bound * (1 - bound) / trials), abs=1e-9
            )


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [(0, 10, (0.0, 0.27753)), (10, 10, (0.72247, 1.0)), (95, 100, (0.88825, 0.97846)), (0, 0, (0.0, 1.0))],
)
def test_known_values(successes: int, trials: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(expected, abs=1e-5)


def test_trials_on_their_own_have_wilsons_interval() -> None:
    hits = [True] * 30 + [False] * 10
    assert clustered_wilson_interval(hits, range(40)) == pytest.approx(
        wilson_interval(30, 40), abs=5e-3
    )  # n - 1 for n in the variance


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(2, 9))
def test_repeating_a_trial_tells_nothing_new(hits: list[bool], times: int) -> None:
    groups = list(range(len(hits)))
    assert clustered_wilson_interval(hits * times, groups * times) == pytest.approx(
        clustered_wilson_interval(hits, groups), abs=1e-9
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=60))
def test_the_bounds_of_groups_hold_the_rate(rows: list[tuple[bool, int]]) -> None:
    hits, groups = [hit for hit, _ in rows], [group for _, group in rows]
    low, high = clustered_wilson_interval(hits, groups)
    rate = sum(hits) / len(hits) if hits else 0.5
    assert 0.0 <= low <= rate + 1e-12 and rate - 1e-12 <= high <= 1.0


def test_an_interval_of_groups_is_wilsons_of_the_effective_trials() -> None:
    """Three groups of two, hits 2, 0, 1: a variance of 3/2 (1 + 1 + 0) / 36 = 1/12 leaves 1/4 over 1/12 trials."""
    hits, groups = [True, True, False, False, True, False], [4, 4, 9, 9, 7, 7]
    assert clustered_wilson_interval(hits, groups) == pytest.approx(wilson_interval(1.5, 3.0))


def test_trials_that_vary_less_than_chance_count_no_more_than_they_are() -> None:
    """Four groups of two, hits 1, 1, 1, 2: a variance of 1/64 would make 15 trials of eight."""
    hits, groups = [True, False] * 3 + [True, True], [0, 0, 1, 1, 2, 2, 3, 3]
    assert clustered_wilson_interval(hits, groups) == pytest.approx(wilson_interval(5, 8))
    assert clustered_wilson_interval([True, False] * 4, groups) == pytest.approx(wilson_interval(4, 8))


@pytest.mark.parametrize(("first", "second", "expected"), [
    (0, 0, 1.0), (1, 0, 1.0), (3, 3, 1.0),
    (5, 0, 2 / 32), (10, 0, 2 / 1024),
    (8, 2, 2 * (1 + 10 + 45) / 1024),
    (4, 6, 2 * (1 + 10 + 45 + 120 + 210) / 1024),
    (12, 3, 2 * (1 + 15 + 105 + 455) / 2**15),
])  # fmt: skip
def test_mcnemars_p_values_by_hand(first: int, second: int, expected: float) -> None:
    assert mcnemar_p_value(first, second) == pytest.approx(expected, rel=1e-12)
    assert mcnemar_p_value(second, first) == mcnemar_p_value(first, second)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemars_p_value_falls_with_what_sets_two_policies_apart(first: int, second: int) -> None:
    p = mcnemar_p_value(first, second)
    assert 0.0 <= p <= 1.0
    if first > second:
        assert mcnemar_p_value(first + 1, second) <= p


@pytest.mark.parametrize("apart", [1, 2, 7, 12])
def test_policies_that_are_alike_are_told_apart_no_more_often_than_the_p_value_says(apart: int) -> None:
    """Over all tosses of a fair coin, the share with a p-value of at most p is at most p."""
    tosses = [mcnemar_p_value(heads, apart - heads) for heads in range(apart + 1)]
    for p in tosses:
        share = sum(comb(apart, heads) for heads, other in enumerate(tosses) if other <= p) / 2**apart
        assert share == pytest.approx(p)


def test_fishers_interval_of_a_correlation() -> None:
    """By hand: z of 0.5 is 0.5493, of 28 pairs its standard error is 1/5."""
    assert fisher_interval(0.5, 28) == pytest.approx((0.156, 0.736), abs=5e-4)
    assert fisher_interval(-0.5, 28) == pytest.approx((-0.736, -0.156), abs=5e-4)
    assert fisher_interval(0.9, 3) == (-1.0, 1.0) and fisher_interval(1.0, 9) == (1.0, 1.0)
    low, high = fisher_interval(-0.47, 60)
    assert low < -0.47 < high < 0.0
