"""Shares of counted samples, with their exact intervals."""

import math

MANY = 500  # samples, from which on an interval is written with one decimal


def exact_interval(hits: int, samples: int) -> tuple[float, float]:
    """The 95 % interval of a share after Clopper and Pearson."""
    from scipy.stats import binomtest  # slow to import, and not all that count need it

    found = binomtest(hits, samples).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def share_text(hits: int, samples: int) -> str:
    """A share as counts and its exact interval, such as '13 of 13 (75–100 %)'."""
    if not samples:
        return "none"
    low, high = exact_interval(hits, samples)
    digits = 0 if samples < MANY else 1
    return f"{hits:,} of {samples:,} ({100 * low:.{digits}f}–{100 * high:.{digits}f} %)"


def count_hits(share: float, samples: int) -> int:
    """The number of samples behind a share of them."""
    return 0 if math.isnan(share) else round(share * samples)
