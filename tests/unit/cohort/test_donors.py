"""Donors as the unit of chance: resampled whole, and each with the same weight."""

import numpy as np
import pytest
from tissuestate.cohort.donors import bootstrap_weights, donor_quantile


def test_all_samples_of_a_donor_are_drawn_together():
    donors = np.array([0, 0, 1, 2, 2, 2])
    weights = bootstrap_weights(donors, 200, seed=0)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 5]).all()
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)
    assert (weights == bootstrap_weights(donors, 200, seed=0)).all()


@pytest.mark.parametrize("n", [9, 10, 57, 200])
def test_with_one_sample_per_donor_it_is_the_usual_quantile(n):
    scores = np.random.default_rng(n).normal(size=n)
    rank = int(np.ceil(0.9 * (n + 1)))  # Vovk, Gammerman & Shafer 2005
    assert donor_quantile(scores, np.arange(n), 0.9) == np.sort(scores)[rank - 1]


def test_a_donor_with_many_samples_has_the_weight_of_one():
    # 19 donors: one with nine samples at 5, eighteen at 0 … 17 weigh 1/20 each.
    scores = np.r_[np.full(9, 5.0), np.arange(18.0)]
    donors = np.r_[np.zeros(9), np.arange(1, 19)]
    # up to 5 lie seven donors of 20, up to 16 eighteen: the level of .9 is reached there
    assert donor_quantile(scores, donors, 0.9) == 16
    assert donor_quantile(scores, donors, 0.35) == 5


def test_with_too_few_donors_the_quantile_is_infinite():
    assert donor_quantile(np.zeros(8), np.arange(8), 0.9) == np.inf
    assert donor_quantile(np.zeros(800), np.arange(800) % 8, 0.9) == np.inf
