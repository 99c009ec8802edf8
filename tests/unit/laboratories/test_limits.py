"""Limits of answers: computed by hand on small tables, and kept on the samples that fitted them."""

import numpy as np
import pandas as pd
import pytest
from tissuestate.laboratories.limits import (
    ENOUGH,
    FALSE_TUMOURS,
    NEW_ANSWERED,
    RIGHT,
    adjacent_limits,
    even_weights,
    tissue_limits,
    tissue_margins,
    tumour_limits,
)

ALONE = pd.Series(["A"] * 10)


def test_margins_are_those_over_none_and_over_the_second_tissue():
    over_none, over_second = tissue_margins(np.array([[0.9, 0.2, 0.3], [0.1, 0.4, 0.8]]))
    np.testing.assert_allclose(over_none, [0.6, -0.4])
    np.testing.assert_allclose(over_second, [0.7, 0.3])
    assert (tissue_margins(np.array([[0.9, 0.3]]))[1] == np.inf).all(), "one tissue has no second"


def test_each_laboratory_weighs_the_same():
    assert even_weights(["A", "B", "B", "B", "B"]).tolist() == [0.5, *[0.125] * 4]
    assert even_weights([]).tolist() == []


def test_the_tissue_limits_separate_the_new_and_the_wrong():
    """New samples exceed none by at most .2, a wrong one the second tissue by .1."""
    scores = np.array(
        [
            [1.0, 0.0, 0.0],
            [0.9, 0.0, 0.1],
            [0.0, 0.8, 0.2],
            [0.6, 0.5, 0.0],  # of the second tissue: wrong
            [0.6, 0.0, 0.4],  # new
            [0.5, 0.0, 0.4],  # new
        ]
    )
    codes, known = np.array([0, 0, 1, 1, -1, -1]), np.array([True] * 4 + [False] * 2)
    margin, gap = tissue_limits(scores, codes, known, pd.Series(list("ABABAB")))
    over_none, over_second = tissue_margins(scores)
    passed = (over_none >= margin) & (over_second >= gap)
    assert passed.tolist() == [True] * 3 + [False] * 3, "all that are right are answered"


def simulated_tissues(seed: int, noise: float):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-1, 4, 600)
    scores = np.eye(5)[codes] + rng.normal(0, noise, (600, 5))
    laboratories = pd.Series(rng.choice(list("ABCDEFG"), 600, p=[0.4, *[0.1] * 6]))
    return scores, codes, codes >= 0, laboratories


@pytest.mark.parametrize("seed", range(3))
def test_the_promise_for_tissues_is_kept_on_the_samples_that_fitted_it(seed):
    scores, codes, known, laboratories = simulated_tissues(seed, 0.3)
    margin, gap = tissue_limits(scores, codes, known, laboratories)
    over_none, over_second = tissue_margins(scores)
    passed = (over_none >= margin) & (over_second >= gap)
    right = scores[:, :4].argmax(axis=1) == codes
    weights = even_weights(laboratories[known])
    answered = weights @ passed[known]
    assert weights @ (passed & right)[known] / answered >= RIGHT["tissue"]
    assert even_weights(laboratories[~known]) @ passed[~known] <= NEW_ANSWERED
    assert answered > 0.5


def test_a_promise_that_cannot_be_kept_falls_back_to_the_most_accurate():
    scores, codes, known, laboratories = simulated_tissues(0, 1.5)
    margin, gap = tissue_limits(scores, codes, known, laboratories)
    over_none, over_second = tissue_margins(scores)
    right = (scores[:, :4].argmax(axis=1) == codes) & known
    weights = np.zeros(len(known))
    weights[known] = even_weights(laboratories[known])

    def accuracy(passed: np.ndarray) -> float:
        return weights @ (passed & right) / (weights @ passed)

    chosen = accuracy((over_none >= margin) & (over_second >= gap))
    assert chosen > accuracy(known) and chosen >= accuracy(over_second >= np.quantile(gap, 0.9))


def test_tumour_limits_are_as_narrow_as_the_promise_allows():
    probability = np.array([0.01, 0.02, 0.03, 0.3, 0.45, 0.55, 0.7, 0.97, 0.98, 0.99])
    truth = probability > 0.5
    assert tumour_limits(probability, truth, ALONE) == (0.5, 0.5), "all right: all answered"
    truth[[4, 5]] = True, False  # both sides wrong near one half
    low, high = tumour_limits(probability, truth, ALONE)
    assert 0.3 <= low < 0.45 and 0.55 < high <= 0.7


@pytest.mark.parametrize("seed", range(3))
def test_the_promise_for_tumours_is_kept_on_the_samples_that_fitted_it(seed):
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.3, 0.3, 500)
    truth = rng.random(500) < probability
    laboratories = pd.Series(rng.choice(list("ABC"), 500, p=[0.8, 0.1, 0.1]))
    low, high = tumour_limits(probability, truth, laboratories)
    weights = even_weights(laboratories)
    passed, called = (probability <= low) | (probability >= high), probability >= high
    assert low <= 0.5 <= high and weights @ passed > 0.3
    assert weights @ (passed & (called == truth)) / (weights @ passed) >= RIGHT["tumour"]
    assert weights @ (passed & called & ~truth) / (weights @ ~truth) <= FALSE_TUMOURS


def test_hopeless_tumour_limits_pass_only_the_clearest():
    probability = np.linspace(0.05, 0.95, 10)
    assert tumour_limits(probability, probability < 0.5, ALONE) == (0.05, 0.95)
    empty = np.zeros(0)
    assert tumour_limits(empty, empty > 0, ALONE[:0]) == (0.5, 0.5)


def test_adjacent_tissue_is_called_if_laboratories_can_tell_it():
    n = 3 * ENOUGH
    laboratories = pd.Series(list("ABC") * (2 * n // 3))
    probability = np.concatenate([np.linspace(0.01, 0.2, n), np.linspace(0.8, 0.99, n)])
    truth = probability > 0.5
    assert adjacent_limits(probability, truth, laboratories) == (0.5, 0.5)
    two = laboratories.replace("C", "B")
    assert adjacent_limits(probability, truth, two) is None, "without one, one is left"
    one_answer = pd.Series(np.where(truth, "A", laboratories))
    assert adjacent_limits(probability, truth, one_answer) is None, "one laboratory shows nothing"
    mixed = np.random.default_rng(0).permutation(truth)
    assert adjacent_limits(probability, mixed, laboratories) is None, "not told apart"
    few = np.r_[: ENOUGH - 1, n : 2 * n]
    assert adjacent_limits(probability[few], truth[few], laboratories[few]) is None, "too few"


def test_adjacent_tissue_is_not_called_if_one_laboratory_in_three_is_always_wrong():
    n = 3 * ENOUGH
    laboratories = pd.Series(list("ABC") * (2 * n // 3))
    probability = np.concatenate([np.linspace(0.01, 0.2, n), np.linspace(0.8, 0.99, n)])
    truth = (probability > 0.5) ^ (laboratories == "C").to_numpy()
    assert adjacent_limits(probability, truth, laboratories) is None
