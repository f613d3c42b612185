"""Whether the split that was observed is the one that was asked for: Pearson's chi-squared test of goodness of fit.

A split that is off says that somebody is lost on the way (redirects, bots, a variant that fails), and that what the
experiment seems to show cannot be trusted.
"""

import math
from collections.abc import Sequence

from fastedge.limits import experiment_srm_expected_min, experiment_srm_exposures_min


def sample_ratio_p(observed: Sequence[int], expected: Sequence[float]) -> float | None:
    """How likely a split at least as far off is by accident; None as long as there is too little to say so.

    Variants of which nothing is expected are left out.
    """
    cells = [(seen, asked) for seen, asked in zip(observed, expected, strict=True) if asked > 0]
    if len(cells) < 2 or sum(seen for seen, _ in cells) < experiment_srm_exposures_min:
        return None
    if min(asked for _, asked in cells) < experiment_srm_expected_min:
        return None
    return chi_squared_sf(sum((seen - asked) ** 2 / asked for seen, asked in cells), len(cells) - 1)


def chi_squared_sf(x: float, degrees: int) -> float:
    """P(X > x) of a chi-squared distribution: Q(degrees / 2, x / 2), the regularised incomplete gamma function."""
    if degrees < 1 or not x >= 0:
        raise ValueError("a chi-squared value is 0 or more, with 1 degree of freedom or more")
    a, half = degrees / 2, x / 2
    if half == 0:
        return 1.0
    front = math.exp(a * math.log(half) - half - math.lgamma(a))
    return 1 - front * _series(a, half) if half < a + 1 else front * _fraction(a, half)


def _series(a: float, x: float) -> float:
    """P(a, x) without its front, by its series (NIST DLMF 8.7.1); converges fast for x < a + 1."""
    term = total = 1 / a
    n = a
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    """Q(a, x) without its front, by its continued fraction (NIST DLMF 8.9.2), for x ≥ a + 1; by Lentz's method."""
    b = x + 1 - a
    c, d = math.inf, 1 / b
    value = d
    for i in range(1, 1000):
        step = -i * (i - a)
        b += 2
        d = 1 / (b + step * d)
        c = b + step / c
        value *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return value
