"""Statistics by donor: donors are independent of each other, samples of one donor are not."""

from collections.abc import Sequence

import numpy as np


def bootstrap_weights(donors: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Number of draws of each sample (resamples × samples), donors being drawn with replacement.

    All samples of a donor are drawn together, since they are not independent.
    """
    n = int(donors.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    return drawn[:, donors].astype(float)


def donor_quantile(scores: np.ndarray, donors: Sequence[str] | np.ndarray, level: float) -> float:
    """The score that a new donor's sample does not exceed, with probability `level` at least.

    Each donor weighs 1 / (donors + 1), shared among its samples; the rest lies at infinity, so
    that with too few donors the result is infinite.
    """
    _, numbers, sizes = np.unique(np.asarray(donors), return_inverse=True, return_counts=True)
    weights = 1 / (len(sizes) + 1) / sizes[numbers]
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights[order]) >= level - 1e-12
    return float(scores[order][np.argmax(reached)]) if reached.any() else float("inf")
