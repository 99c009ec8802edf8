"""Conformal sets: the usual quantile if each donor has one sample, and the coverage."""

import numpy as np
from tissuestate.evaluation.sets import ConformalSets


def test_with_too_few_donors_nothing_can_be_left_out():
    sets = ConformalSets().fit(
        {"tissue": np.full((8, 2), 0.5)}, {"tissue": np.zeros(8, int)}, list("abcdefgh")
    )
    assert sets.members("tissue", np.array([[0.999, 0.001]])).all()


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


def test_classes_without_probability_are_in_no_set_and_count_as_missed():
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
