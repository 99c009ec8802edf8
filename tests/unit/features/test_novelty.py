"""Novelty: a class left out, noise and shuffled genes are distinguished from known classes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tissuestate.features.novelty import Novelty

CLASSES = 6


def drawn(seed: int, each: int = 60):
    """Classes that differ in some features of a correlated cloud: (values, class of each)."""
    truth = np.random.default_rng(0)
    means = truth.normal(size=(CLASSES, 80)) * 1.2
    mixing = truth.normal(size=(80, 80)) / 6
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(CLASSES), each)
    values = 6 + means[codes] + rng.normal(size=(len(codes), 80)) @ mixing
    return values, codes


@pytest.fixture(scope="module")
def fitted():
    """Fitted without the last class: (novelty, new samples, their classes)."""
    values, codes = drawn(1)
    known = codes < CLASSES - 1
    novelty = Novelty().fit(values[known], codes[known])
    checked, classes = drawn(2, 50)
    checked = checked[classes < CLASSES - 1]
    novelty.calibrate(checked, np.arange(len(checked)))
    return novelty, *drawn(3)


def test_a_class_left_out_is_recognised_as_new(fitted):
    novelty, values, codes = fitted
    scores = novelty.score(values)
    assert roc_auc_score(codes == CLASSES - 1, scores) > 0.99
    assert novelty.is_new(values[codes == CLASSES - 1]).mean() > 0.9
    assert novelty.is_new(values[codes < CLASSES - 1]).mean() < 0.06


def test_noise_shuffled_features_and_equal_ones_are_new(fitted):
    novelty, values, _ = fitted
    rng = np.random.default_rng(4)
    shuffled = rng.permuted(values[:50], axis=1)
    assert novelty.is_new(shuffled).all()
    assert novelty.is_new(rng.uniform(values.min(), values.max(), (50, 80))).all()
    assert novelty.is_new(np.full((3, 80), [[0.0], [6.0], [12.0]])).all()


def test_the_distances_are_in_units_of_the_spread_within_classes():
    rng = np.random.default_rng(5)
    codes = np.repeat([0, 1], 5000)
    values = rng.normal(size=(10000, 2)) * [1.0, 3.0] + np.outer(codes, [10.0, 0.0])
    novelty = Novelty().fit(values, codes)
    novelty.limits_ = np.array([2.0, 5.0])
    # the classes differ along the first feature alone, with a spread of 1; it is 3 along the
    # other: 4 to the right are two limits, 30 upwards as well
    points = np.array([[0.0, 0.0], [14.0, 0.0], [10.0, 30.0], [10.0, 6.0]])
    np.testing.assert_allclose(novelty.score(points), [0, 2, 2, 0.4], atol=0.1)


def test_with_a_single_class_noise_is_still_new():
    values = np.random.default_rng(7).normal(size=(90, 20)) * 0.3 + 5
    novelty = Novelty().fit(values[:60], np.zeros(60)).calibrate(values[60:], np.arange(30))
    assert not novelty.is_new(values[60:]).any()
    assert novelty.is_new(np.random.default_rng(8).uniform(0, 10, (20, 20))).all()


def test_results_do_not_depend_on_other_samples_or_their_order(fitted):
    novelty, values, _ = fitted
    together = novelty.score(values)
    np.testing.assert_allclose(novelty.score(values[::-1])[::-1], together, atol=1e-9)
    for row in (0, 200):
        np.testing.assert_allclose(
            novelty.score(values[row : row + 1])[0], together[row], atol=1e-9
        )


def test_the_threshold_leaves_out_few_and_with_few_donors_none(fitted):
    values, codes = drawn(6)
    novelty = Novelty().fit(values, codes)
    few = values[::40]
    novelty.calibrate(few, np.arange(len(few)))
    assert 0.99 < novelty.score(few).max() < 1
    again = Novelty.from_arrays(novelty.to_arrays())
    np.testing.assert_array_equal(again.score(values), novelty.score(values))


def test_novelty_is_the_distance_to_the_nearest_class():
    rng = np.random.default_rng(5)
    centres = rng.normal(0, 4, (3, 12))
    names = np.repeat(["brain|neoplastic", "kidney|neoplastic", "liver|neoplastic"], 30)
    X = np.repeat(centres, 30, axis=0) + rng.normal(0, 1, (90, 12))
    novelty = Novelty().fit(X, names).calibrate(X, np.arange(90))
    distances = novelty.distances(X)
    assert novelty.classes_[distances.argmin(axis=1)].tolist() == names.tolist()
    np.testing.assert_array_equal(distances.min(axis=1), novelty.score(X))
    again = Novelty.from_arrays(novelty.to_arrays())
    np.testing.assert_array_equal(again.distances(X), distances)
    earlier = {key: value for key, value in novelty.to_arrays().items() if key != "classes"}
    assert Novelty.from_arrays(earlier).classes_.tolist() == ["", "", ""]
