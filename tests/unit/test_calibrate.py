"""Calibration: a known temperature is found, and the error is that of a hand calculation."""

import numpy as np
import pytest
from tissuestate.calibrate import (
    calibrate_heads,
    chance_calibration_error,
    expected_calibration_error,
    fit_temperature,
    softmax,
)


def drawn(n: int, seed: int):
    """Logits, and classes drawn from their softmax: calibrated at temperature 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 4)) * 2
    uniform = rng.random((n, 1))
    return logits, (uniform > softmax(logits).cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    logits, codes = drawn(20000, 0)
    assert fit_temperature(logits * temperature, codes) == pytest.approx(temperature, rel=0.05)


def test_samples_without_a_label_do_not_count():
    logits, codes = drawn(500, 0)
    unlabelled = np.r_[codes, np.full(100, -1)]
    more = np.r_[logits, np.full((100, 4), 50.0)]
    assert fit_temperature(more, unlabelled) == fit_temperature(logits, codes)


def test_where_nothing_can_be_fitted_the_temperature_is_one():
    logits, _ = drawn(50, 0)
    assert fit_temperature(logits, np.full(50, -1)) == 1
    assert fit_temperature(logits[:, :1], np.zeros(50, int)) == 1


def test_a_head_that_is_always_right_is_not_made_infinitely_sure():
    _, codes = drawn(50, 0)
    for scale in (0.5, 30.0):
        logits = np.eye(4)[codes] * scale
        p = softmax(logits, fit_temperature(logits, codes))
        # 50 right calls and one unknown, of which a quarter is right by chance.
        np.testing.assert_allclose(p.max(axis=1), 50.25 / 51, atol=1e-4)


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
        expected_calibration_error(softmax(logits), codes)
        for logits, codes in (drawn(n, seed) for seed in range(20))
    ]
    chance = chance_calibration_error(softmax(drawn(n, 99)[0]))
    assert chance == pytest.approx(np.mean(found), rel=0.25)
    assert np.isnan(chance_calibration_error(np.zeros((0, 3))))


def test_overconfidence_is_mended_on_samples_not_fitted_on():
    logits, codes = drawn(8000, 1)
    split = np.repeat(["validation", "test"], 4000)
    z = {"tissue": logits * 4, "subtype": logits}
    labels = {"tissue": codes, "subtype": np.where(split == "test", -1, codes)}
    p, report = calibrate_heads(z, labels, split)
    assert report["ece"]["tissue"]["test"]["before"] > 0.1
    assert report["ece"]["tissue"]["test"]["after"] < 0.03
    assert report["ece"]["subtype"]["test"] == {"before": None, "after": None, "chance": None}
    assert report["ece"]["tissue"]["test"]["chance"] < report["ece"]["tissue"]["test"]["before"]
    assert report["temperatures"]["tissue"] == pytest.approx(4, rel=0.1)
    np.testing.assert_array_equal(p["tissue"].argmax(1), logits.argmax(1))
