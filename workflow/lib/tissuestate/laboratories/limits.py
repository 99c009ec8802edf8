"""Limits between answers and none, from samples whose laboratory was left out.

Each limit answers as many samples as it can while enough of the answers are right, all laboratories
weighing the same.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

RIGHT = {"tissue": 0.985, "tumour": 0.985, "adjacent": 0.95}  # share of answers, at least
HELD = 0.92  # of the answers on adjacent tissue in laboratories that set no limit, at least
NEW_ANSWERED = 0.05  # share of samples of no class that get an answer, at most
FALSE_TUMOURS = 0.01  # share of samples that are none and are called tumours, at most
ENOUGH = 20  # samples of each of two classes between which limits are sought, at least
STEPS = 41  # of each limit that is tried


def tissue_margins(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much the first tissue's score exceeds that of none, and that of the second tissue.

    scores: samples × (tissues, none).
    """
    ordered = np.sort(scores[:, :-1], axis=1)
    second = ordered[:, -2] if ordered.shape[1] > 1 else np.full(len(ordered), -np.inf)
    return ordered[:, -1] - scores[:, -1], ordered[:, -1] - second


def even_weights(laboratories: pd.Series | np.ndarray) -> np.ndarray:
    """Weights of samples with which each laboratory has the same sum, all together 1."""
    names = pd.Series(np.asarray(laboratories, dtype=str))
    weights = 1 / names.map(names.value_counts()).to_numpy(float)
    return weights / max(weights.sum(), 1e-300)


def tissue_limits(
    scores: np.ndarray, codes: np.ndarray, known: np.ndarray, laboratories: pd.Series
) -> tuple[float, float]:
    """The margins over none and over the second tissue from which on there is an answer.

    Of the pairs with which enough answers are right and few samples of no class are answered, the
    one that answers most; if there is none, the one whose answers are right most often. Of equal
    ones, that which answers fewest samples of no class.
    """
    over_none, over_second = tissue_margins(scores)
    right = (scores[:, :-1].argmax(axis=1) == codes) & known
    known_weights, new_weights = np.zeros(len(known)), np.zeros(len(known))
    known_weights[known] = even_weights(laboratories[known])
    if (~known).any():
        new_weights[~known] = even_weights(laboratories[~known])
    best: tuple[tuple[bool, float, float], tuple[float, float]] | None = None
    levels = np.linspace(0, 1, STEPS)
    for first in np.quantile(over_none, levels):
        for second in np.quantile(over_second, levels):
            passed = (over_none >= first) & (over_second >= second)
            answered = float(known_weights @ passed)
            if answered <= 0:
                continue
            accuracy = float(known_weights @ (passed & right)) / answered
            new = float(new_weights @ passed)
            allowed = accuracy >= RIGHT["tissue"] and new <= NEW_ANSWERED
            rank = (allowed, answered if allowed else accuracy, -new)
            if best is None or rank > best[0]:
                best = rank, (float(first), float(second))
    return best[1] if best else (0.0, 0.0)


def tumour_limits(
    probability: np.ndarray, positive: np.ndarray, laboratories: pd.Series
) -> tuple[float, float]:
    """The probabilities of a tumour between which there is no answer: as few as are needed."""
    weights = even_weights(laboratories)

    def allowed(passed: np.ndarray, called: np.ndarray) -> bool:
        false = weights @ (passed & called & ~positive) / max(weights @ ~positive, 1e-12)
        return _accuracy(weights, passed, called == positive) >= RIGHT["tumour"] and (
            false <= FALSE_TUMOURS
        )

    return _interval(probability, weights, allowed) or _widest(probability)


def adjacent_limits(
    probability: np.ndarray, positive: np.ndarray, laboratories: pd.Series
) -> tuple[float, float] | None:
    """The same for adjacent tissue among samples called no tumour; None: no answer is good enough.

    Both kinds of answer must be right often enough, in samples of at least two laboratories each,
    and the limits that the others set must hold in each laboratory, on average.
    """
    if min(positive.sum(), (~positive).sum()) < ENOUGH:
        return None
    names = laboratories.to_numpy(str)
    held = []
    for name in np.unique(names):
        own = names == name
        limits = _adjacent_limits(probability[~own], positive[~own], names[~own])
        low, high = limits or (-np.inf, np.inf)
        answered = own & ((probability <= low) | (probability >= high))
        if answered.any():
            held.append(float(((probability >= high) == positive)[answered].mean()))
    if not held or np.mean(held) < HELD:
        return None
    return _adjacent_limits(probability, positive, names)


def _adjacent_limits(
    probability: np.ndarray, positive: np.ndarray, names: np.ndarray
) -> tuple[float, float] | None:
    """Limits on adjacent tissue that hold on the samples given; names: of their laboratories."""
    weights = even_weights(names)

    def allowed(passed: np.ndarray, called: np.ndarray) -> bool:
        for answer in (True, False):
            rows = passed & (called == answer)
            if len(set(names[rows])) < 2:
                return False
            if _accuracy(weights, rows, called == positive) < RIGHT["adjacent"]:
                return False
        return True

    return _interval(probability, weights, allowed)


def _accuracy(weights: np.ndarray, passed: np.ndarray, right: np.ndarray) -> float:
    total = float(weights @ passed)
    return float(weights @ (passed & right)) / total if total > 0 else 0.0


def _interval(
    probability: np.ndarray,
    weights: np.ndarray,
    allowed: Callable[[np.ndarray, np.ndarray], bool],
) -> tuple[float, float] | None:
    """The limits around one half with which most samples are answered and that are allowed."""
    best: tuple[float, tuple[float, float]] | None = None
    lows, highs = (np.concatenate([[0.5], side]) for side in _sides(probability))
    for low in lows:
        for high in highs:
            passed, called = (probability <= low) | (probability >= high), probability >= high
            answered = float(weights @ passed)
            if answered > (best[0] if best else 0) and allowed(passed, called):
                best = answered, (float(low), float(high))
    return best[1] if best else None


def _sides(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Candidates for the lower and the upper limit: values of samples on either side."""

    def values(side: np.ndarray) -> np.ndarray:
        return np.quantile(side, np.linspace(0, 1, STEPS)) if len(side) else side

    return values(probability[probability < 0.5]), values(probability[probability > 0.5])


def _widest(probability: np.ndarray) -> tuple[float, float]:
    """Limits that only the clearest samples pass."""
    return float(probability.min(initial=0.5)), float(probability.max(initial=0.5))
