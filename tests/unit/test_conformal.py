"""Conformal sets: the usual quantile where donors are single, and coverage that holds."""

import numpy as np
import pytest
from tissuestate.conformal import ConformalSets, donor_quantile


@pytest.mark.parametrize("n", [9, 10, 57, 200])
def test_with_a_sample_a_donor_it_is_the_usual_quantile(n):
    scores = np.random.default_rng(n).normal(size=n)
    rank = int(np.ceil(0.9 * (n + 1)))  # Vovk, Gammerman & Shafer 2005
    assert donor_quantile(scores, np.arange(n), 0.9) == np.sort(scores)[rank - 1]


def test_with_too_few_donors_nothing_can_be_left_out():
    assert donor_quantile(np.zeros(8), np.arange(8), 0.9) == np.inf
    assert donor_quantile(np.zeros(800), np.arange(800) % 8, 0.9) == np.inf
    sets = ConformalSets().fit(
        {"tissue": np.full((8, 2), 0.5)}, {"tissue": np.zeros(8, int)}, list("abcdefgh")
    )
    assert sets.members("tissue", np.array([[0.999, 0.001]])).all()


def test_by_hand_a_donor_with_many_samples_weighs_as_one():
    # 19 donors: one with nine samples at 5, eighteen at 0 … 17 weigh 1/20 each.
    scores = np.r_[np.full(9, 5.0), np.arange(18.0)]
    donors = np.r_[np.zeros(9), np.arange(1, 19)]
    # up to 5 lie seven donors of 20, up to 16 eighteen: the level of .9 is reached there
    assert donor_quantile(scores, donors, 0.9) == 16
    assert donor_quantile(scores, donors, 0.35) == 5


def drawn(rng, donors: int, most: int):
    """Samples of donors that differ in how hard they are: probabilities, truth, donor."""
    sizes = rng.integers(1, most + 1, donors)
    donor = np.repeat(np.arange(donors), sizes)
    hard = np.repeat(rng.uniform(0, 4, donors) * (sizes > 1), sizes)
    logits = rng.normal(size=(len(donor), 4))
    truth = rng.integers(0, 4, len(donor))
    logits[np.arange(len(donor)), truth] += 4 - hard
    shares = np.exp(logits)
    return shares / shares.sum(axis=1, keepdims=True), truth, donor


def test_nine_of_ten_samples_of_new_donors_are_covered():
    rng = np.random.default_rng(3)
    covered, sizes = [], []
    for _ in range(200):
        shares, truth, donor = drawn(rng, 60, 6)
        sets = ConformalSets().fit({"tissue": shares}, {"tissue": truth}, donor)
        shares, truth, donor = drawn(rng, 300, 6)
        one = np.unique(donor, return_index=True)[1]  # a sample of each new donor
        members = sets.members("tissue", shares[one])
        covered.append(members[np.arange(len(one)), truth[one]].mean())
        sizes.append(members.sum(axis=1).mean())
    assert 0.89 < np.mean(covered) < 0.93
    assert np.mean(sizes) < 2.5


def test_what_is_not_asked_or_ruled_out_is_in_no_set_and_counts_as_missed():
    shares = np.tile([0.7, 0.3, 0.0], (40, 1))
    shares[:4] = np.nan
    sets = ConformalSets().fit(
        {"subtype": shares}, {"subtype": np.r_[np.zeros(36, int), np.full(4, 2)]}, np.arange(40)
    )
    # 8 of 40 true subtypes were out of reach: 9 of 10 cannot be covered, all that is left is in
    assert sets.thresholds_["subtype"] == 0
    members = sets.members("subtype", np.array([[0.7, 0.3, 0.0], [np.nan] * 3]))
    np.testing.assert_array_equal(members, [[True, True, False], [False] * 3])


def test_the_fitted_state_survives_json():
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 50)
    sets = ConformalSets().fit({"tissue": shares}, {"tissue": np.zeros(50, int)}, np.arange(50))
    again = ConformalSets.from_dict(sets.to_dict())
    np.testing.assert_array_equal(again.members("tissue", shares), sets.members("tissue", shares))
