"""How sure a success rate is: the Wilson score interval.

The plain interval p ± z·sqrt(p(1-p)/n) has no width at 0 of n and n of n, which is where robots often
are. Wilson's inverts the score test instead: it keeps every rate that n trials could not reject.
"""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054  # the 0.975 quantile of the normal distribution

Interval = tuple[float, float]


def wilson(successes: int, trials: int, z: float = Z95) -> Interval:
    """Return the bounds in [0, 1] of a success probability (Wilson, 1927); no trials give (0, 1)."""
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
