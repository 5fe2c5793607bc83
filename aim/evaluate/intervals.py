"""Wilson score intervals of success rates, for trials that are independent or clustered; McNemar's test of two rates;
Fisher's interval of a correlation.

The plain interval p ± z·sqrt(p(1-p)/n) has no width at 0 of n and n of n, which is where robots often
are. Wilson's inverts the score test instead: it keeps every rate that n trials could not reject.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atanh, comb, sqrt, tanh

import numpy as np

NORMAL_QUANTILE_975 = 1.959963984540054  # the 0.975 quantile of the normal distribution

Interval = tuple[float, float]


def wilson_interval(successes: float, trials: float, z: float = NORMAL_QUANTILE_975) -> Interval:
    """Wilson score interval of a success probability (Wilson, 1927), within [0, 1]; (0, 1) without trials."""
    assert 0 <= successes <= trials, (successes, trials)
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    shrink = 1.0 / (1.0 + z * z / trials)
    centre = (rate + z * z / (2 * trials)) * shrink
    half = z * sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials)) * shrink
    # at the ends the formula is exact only up to rounding, and a bound may not pass the rate itself
    low = 0.0 if successes == 0 else min(max(centre - half, 0.0), rate)
    high = 1.0 if successes == trials else max(min(centre + half, 1.0), rate)
    return low, high


def clustered_wilson_interval(successes: Sequence[bool], groups: Sequence[int]) -> Interval:
    """Wilson interval for clustered trials, such as frames of one episode, by their effective sample size.

    It is Wilson's interval of as many independent trials as would leave the rate as unsure (Kish, Survey Sampling,
    1965): the variance is that of a ratio of sums over groups. Where no trial differs the groups are counted.
    """
    trials = len(successes)
    if not trials:
        return wilson_interval(0, 0)
    _, group_index = np.unique(groups, return_inverse=True)
    counts, successes_by_group = np.bincount(group_index), np.bincount(group_index, np.asarray(successes, float))
    rate, num_groups = successes_by_group.sum() / trials, len(counts)
    if rate in (0.0, 1.0) or num_groups == 1:
        return wilson_interval(rate * num_groups, num_groups)
    variance = num_groups / (num_groups - 1) * np.square(successes_by_group - rate * counts).sum() / trials**2
    effective = trials if variance == 0 else min(float(trials), rate * (1 - rate) / variance)
    return wilson_interval(rate * effective, effective)


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test (1947): whether two policies succeed alike on the same trials.

    Only trials where one of the two alone succeeds tell them apart: if they are alike, each is a toss of a fair coin.
    """
    assert min(only_first, only_second) >= 0, (only_first, only_second)
    apart = only_first + only_second
    tail = sum(comb(apart, count) for count in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**apart)


def fisher_interval(correlation: float, pairs: int, z: float = NORMAL_QUANTILE_975) -> Interval:
    """Interval of Pearson's correlation over independent pairs (Fisher, 1921); (-1, 1) of three pairs or fewer."""
    assert -1.0 <= correlation <= 1.0, correlation
    if pairs <= 3:
        return -1.0, 1.0
    if abs(correlation) == 1.0:
        return correlation, correlation
    half = z / sqrt(pairs - 3)
    return tanh(atanh(correlation) - half), tanh(atanh(correlation) + half)
