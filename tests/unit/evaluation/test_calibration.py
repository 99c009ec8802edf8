"""Calibration: a known temperature is found, and the error is that of a hand calculation."""

import numpy as np
import pytest
from scipy.special import softmax
from tissuestate.evaluation.calibration import (
    calibrate_heads,
    calibration_error,
    chance_calibration_error,
    expected_calibration_error,
    fit_temperature,
)

CLASSES = {
    "tissue": ["kidney", "lung", "skin", "brain"],
    "subtype": ["kirc", "kirp", "luad", "lusc"],
    "subtypes_of": {"kidney": ["kirc", "kirp"], "lung": ["luad", "lusc"]},
}


def drawn(n: int, seed: int):
    """Logits, and classes drawn from their softmax: calibrated at temperature 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 4)) * 2
    uniform = rng.random((n, 1))
    return logits, (uniform > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    logits, codes = drawn(20000, 0)
    assert fit_temperature(logits * temperature, codes) == pytest.approx(temperature, rel=0.05)


def test_samples_without_a_label_do_not_count():
    logits, codes = drawn(500, 0)
    unlabelled = np.r_[codes, np.full(100, -1)]
    more = np.r_[logits, np.full((100, 4), 50.0)]
    assert fit_temperature(more, unlabelled) == fit_temperature(logits, codes)


def test_without_samples_to_fit_the_temperature_is_one():
    logits, _ = drawn(50, 0)
    assert fit_temperature(logits, np.full(50, -1)) == 1
    assert fit_temperature(logits[:, :1], np.zeros(50, int)) == 1


def test_a_head_that_is_always_right_keeps_a_finite_confidence():
    _, codes = drawn(50, 0)
    for scale in (0.5, 30.0):
        logits = np.eye(4)[codes] * scale
        p = softmax(logits / fit_temperature(logits, codes), axis=1)
        assert 0.9 < p.max() < 0.999


def test_few_samples_leave_the_temperature_near_one():
    for wrong, low, high in ((4, 2, 3.6), (1 / 4, 0.35, 0.7)):
        found = [
            fit_temperature(z * wrong, codes) for z, codes in (drawn(12, s) for s in range(50))
        ]
        assert low < np.median(found) < high


def test_calibration_error_by_hand():
    p = np.array([[0.9, 0.1], [0.92, 0.08], [0.4, 0.6], [1.0, 0.0], [0.5, 0.5]])
    codes = np.array([0, 1, 1, 0, -1])
    # Bins of width 1/15: {0.9, 0.92} half right, {0.6} right, {1.0} right.
    expected = (2 * abs(0.5 - 0.91) + abs(1 - 0.6) + 0) / 4
    assert expected_calibration_error(p, codes) == pytest.approx(expected)
    assert np.isnan(expected_calibration_error(p, np.full(5, -1)))


@pytest.mark.parametrize("n", [50, 2000])
def test_chance_alone_makes_the_error_that_calibrated_samples_have(n):
    found = [
        expected_calibration_error(softmax(logits, axis=1), codes)
        for logits, codes in (drawn(n, seed) for seed in range(20))
    ]
    chance = chance_calibration_error(softmax(drawn(n, 99)[0], axis=1))
    assert chance == pytest.approx(np.mean(found), rel=0.25)
    assert np.isnan(chance_calibration_error(np.zeros((0, 3))))


def test_overconfidence_is_corrected_on_samples_outside_the_fit():
    logits, codes = drawn(8000, 1)
    split = np.repeat(["validation", "test"], 4000)
    z = {"tissue": logits * 4, "subtype": logits}
    labels = {"tissue": codes, "subtype": np.where(split == "test", -1, codes)}
    p, report = calibrate_heads(z, labels, split, CLASSES)
    assert report["ece"]["tissue"]["test"]["before"] > 0.1
    assert report["ece"]["tissue"]["test"]["after"] < 0.03
    assert report["ece"]["subtype"]["test"] == {"before": None, "after": None, "chance": None}
    assert report["ece"]["tissue"]["test"]["chance"] < report["ece"]["tissue"]["test"]["before"]
    assert report["temperatures"]["tissue"] == pytest.approx(4, rel=0.1)
    np.testing.assert_array_equal(p["tissue"].argmax(1), logits.argmax(1))


def test_subtypes_are_calibrated_among_those_of_their_tissue():
    rng = np.random.default_rng(2)
    kidney = rng.random(8000) < 0.5
    pair = rng.normal(size=(8000, 2)) * 2
    second = rng.random(8000) > softmax(pair, axis=1)[:, 0]
    # overconfident within a tissue, and by far too sure that the other one is out of question
    logits = np.where(
        kidney[:, None], np.c_[pair * 3, pair * 0 - 99], np.c_[pair * 0 - 99, pair * 3]
    )
    tissue = np.where(kidney[:, None], [[9, 0, 0, 0]], [[0, 9, 0, 0]]).astype(float)
    labels = {"tissue": np.where(kidney, 0, 1), "subtype": second + np.where(kidney, 0, 2)}
    split = np.repeat(["validation", "test"], 4000)
    _, report = calibrate_heads({"tissue": tissue, "subtype": logits}, labels, split, CLASSES)
    assert report["temperatures"]["subtype"] == pytest.approx(3, rel=0.1)
    assert report["ece"]["subtype"]["test"]["before"] > 0.05
    assert report["ece"]["subtype"]["test"]["after"] < 0.03


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_debiased_error_is_on_average_that_of_many_samples(power):
    squares, inside = [], []
    logits, _ = drawn(20000, 0)
    p, truth = softmax(logits, axis=1), softmax(logits * power, axis=1)
    first = np.arange(len(p)), p.argmax(axis=1)
    expected = ((p[first] - truth[first]) ** 2).mean()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        rows = rng.integers(len(p), size=200)
        codes = (rng.random((200, 1)) > truth[rows].cumsum(axis=1)).sum(axis=1)
        found = calibration_error(p[rows], codes, np.arange(200), resamples=200)
        assert found.low <= found.debiased <= found.high
        squares.append(found.debiased**2)
        inside.append(found.low**2 <= expected <= found.high**2)
    assert np.mean(inside) > 0.85
    if power == 1:  # the estimate of the square is cut off at 0 in about half of the draws
        assert np.mean(np.array(squares) == 0) > 0.3
    else:
        assert np.mean(squares) == pytest.approx(expected, rel=0.15)
