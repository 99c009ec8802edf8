"""Differences between laboratories: recovered if they are known, and none if there are none."""

import numpy as np
from laboratory_samples import FEATURES, features, labels
from tissuestate.laboratories.scatter import laboratory_shifts, principal_shifts


def test_the_shift_of_one_laboratory_is_recovered():
    obs = labels(each=40)
    shift = np.zeros(FEATURES)
    shift[10:14] = 3
    shifts = laboratory_shifts(features(obs, {"B": shift}), obs)
    assert shifts.shape == (5 * 2 * 3, FEATURES), "a row for each laboratory, tissue and state"
    # the fit of tissue and tumour takes the mean over five laboratories
    expected = shift * np.sqrt(40 / 42)
    own = np.delete(shifts[6:12], 3, axis=1)  # healthy and adjacent differ along 3, in each
    expected = np.delete(expected, 3) * 4 / 5
    np.testing.assert_allclose(own, np.tile(expected, (6, 1)), atol=0.25)
    directions, spreads = principal_shifts(shifts)
    cosine = abs(directions[0] @ shift) / np.linalg.norm(shift)
    assert cosine > 0.99
    assert spreads[0] > 0.8 * spreads.sum()
    np.testing.assert_allclose(spreads.sum(), len(shifts))
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-9)


def test_the_scatter_is_that_of_the_directions_and_spreads():
    shifts = np.random.default_rng(0).normal(size=(6, 9))
    directions, spreads = principal_shifts(shifts)
    scatter = shifts.T @ shifts / (shifts**2).sum(axis=1).mean()
    np.testing.assert_allclose(directions.T * spreads @ directions, scatter, atol=1e-12)


def test_laboratories_that_do_not_differ_have_no_shifts():
    obs = labels(each=40)
    x = features(obs, {})
    shifts = laboratory_shifts(x, obs)
    assert abs(shifts[:, [0, 2, *range(5, FEATURES)]]).max() < 0.3  # noise / √40, and the penalty
    none = (obs["tissue"] == "other").to_numpy()
    assert (laboratory_shifts(np.where(none[:, None], 99, x), obs) == shifts).all()


def test_a_cell_of_few_samples_counts_less():
    obs = labels("AB", each=40, none=0)
    shift = np.full(FEATURES, 1.0)
    x = features(obs, {"B": shift})
    few = obs[(obs["laboratory"] == "A") | (obs.groupby("laboratory").cumcount() % 20 == 0)]
    rows = obs.index.get_indexer(few.index)
    whole, part = laboratory_shifts(x, obs), laboratory_shifts(x[rows], few)
    assert abs(whole[6:]).mean() > 0.3
    assert abs(part[:6]).mean() < 0.6 * abs(whole[:6]).mean(), "A decides what is expected"


def test_no_sample_with_a_class_gives_no_shift():
    obs = labels("A", each=0, none=3)
    shifts = laboratory_shifts(features(obs, {}), obs)
    directions, spreads = principal_shifts(shifts)
    assert shifts.shape[1] == directions.shape[1] == FEATURES and not spreads.any()
