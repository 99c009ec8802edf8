"""Probabilities from scores: equal to brute force and to scikit-learn, and consistent."""

import json

import numpy as np
import pandas as pd
import pytest
from laboratory_samples import CLASSES, labels
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from tissuestate.labels import encode
from tissuestate.laboratories.calibration import (
    Calibration,
    calibrate,
    fit_line,
    fit_temperature,
    head_probabilities,
)


def simulated_scores(obs: pd.DataFrame, noise: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Scores as ridge regression gives them, with noise."""
    rng = np.random.default_rng(seed)
    codes = encode(obs["tissue"], [*CLASSES["tissue"], "other"])
    subtype = encode(obs["subtype"], CLASSES["subtype"])
    truth = {
        "tissue": np.eye(3)[codes],
        "tumour": np.where(obs["disease_state"] == "neoplastic", 1.0, -1.0)[:, None],
        "adjacent": np.where(obs["disease_state"] == "peri-neoplastic", 1.0, -1.0)[:, None],
        "subtype": np.eye(2)[subtype] * (subtype >= 0)[:, None],
    }
    return {name: value + rng.normal(0, noise, value.shape) for name, value in truth.items()}


def test_the_temperature_is_that_of_brute_force():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 200)
    scores = np.eye(3)[codes] + rng.normal(0, 0.5, (200, 3))
    weights = rng.uniform(0.1, 1, 200)
    weights /= weights.sum()
    unknown = 0.5 / 200.5
    target = np.full((200, 3), unknown / 2)
    target[np.arange(200), codes] = 1 - unknown
    grid = np.exp(np.linspace(np.log(0.01), np.log(10), 4001))
    losses = [-weights @ (target * np.log(softmax(scores / t, axis=1))).sum(axis=1) for t in grid]
    found = fit_temperature(scores, codes, weights)
    assert abs(np.log(found) - np.log(grid[np.argmin(losses)])) < 0.004


def test_classes_that_do_not_compete_do_not_count():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 100)
    scores = np.eye(2)[codes] + rng.normal(0, 0.5, (100, 2))
    weights = np.full(100, 0.01)
    wide = np.column_stack([scores, np.full(100, 50.0)])
    competes = np.tile([True, True, False], (100, 1))
    assert fit_temperature(wide, codes, weights, competes) == pytest.approx(
        fit_temperature(scores, codes, weights), rel=1e-6
    )
    assert fit_temperature(scores[:0], codes[:0], weights[:0]) == 0.1
    assert fit_temperature(np.zeros((100, 2)), codes, weights) > 9, "scores that say nothing"


def test_the_line_is_that_of_logistic_regression():
    rng = np.random.default_rng(0)
    score = rng.normal(0, 1, 4000)
    positive = rng.random(4000) < expit(2 * score - 0.5)
    laboratories = pd.Series(np.repeat(["A", "B"], [1000, 3000]))
    size = pd.Series(positive).groupby([laboratories, positive]).transform("size")
    weights = 1 / size.to_numpy(float)  # classes and, within them, laboratories weigh the same
    witness = LogisticRegression(C=1e10, tol=1e-10).fit(
        score[:, None], positive, sample_weight=weights
    )
    slope, start = fit_line(score, positive, laboratories)
    assert slope == pytest.approx(witness.coef_[0, 0], rel=0.02)
    assert start == pytest.approx(witness.intercept_[0], abs=0.02)
    assert slope == pytest.approx(2, rel=0.2), "the truth"


def test_the_line_never_falls_and_one_class_alone_gives_its_share():
    score, laboratories = np.array([1.0, 2, 3, 4]), pd.Series(list("ABAB"))
    slope, _ = fit_line(score, np.array([True, True, False, False]), laboratories)
    assert slope == 0
    slope, start = fit_line(score, np.ones(4, bool), laboratories)
    assert slope == 0 and expit(start) == pytest.approx(4.5 / 5)
    slope, start = fit_line(score, np.array([False, False, True, True]), laboratories)
    assert 0 < slope < 100, "separated classes give no infinite slope"
    assert fit_line(score[:0], np.zeros(0, bool), laboratories[:0]) == (0, 0)


@pytest.fixture(scope="module")
def fitted():
    obs = labels(each=6)
    scores = simulated_scores(obs, 0.35)
    return obs, scores, calibrate(scores, obs, CLASSES)


def test_states_are_products_of_two_answers(fitted):
    _, scores, calibration = fitted
    found = head_probabilities(calibration, scores, CLASSES)
    for shares in found.values():
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-12)
    (a, b), (c, d) = calibration.tumour, calibration.adjacent
    tumour = expit(a * scores["tumour"][:, 0] + b)
    adjacent = expit(c * scores["adjacent"][:, 0] + d)
    expected = np.stack([(1 - tumour) * (1 - adjacent), (1 - tumour) * adjacent, tumour], axis=1)
    np.testing.assert_allclose(found["disease_state"], expected, atol=1e-12)


@pytest.mark.parametrize("lacking", ["non-neoplastic", "peri-neoplastic"])
def test_in_a_cohort_of_two_states_the_probability_is_that_of_a_tumour(lacking):
    obs = labels(each=6)
    obs = obs[obs["disease_state"] != lacking]
    scores = simulated_scores(obs, 0.35)
    states = [state for state in CLASSES["disease_state"] if state != lacking]
    classes = {**CLASSES, "disease_state": states}
    calibration = calibrate(scores, obs, classes)
    found = head_probabilities(calibration, scores, classes)["disease_state"]
    tumour = expit(calibration.tumour[0] * scores["tumour"][:, 0] + calibration.tumour[1])
    np.testing.assert_allclose(found[:, 1], tumour, atol=1e-12)
    assert calibration.limits["adjacent"] is None


def test_probabilities_of_left_out_samples_are_as_often_right_as_they_say(fitted):
    obs, scores, calibration = fitted
    found = head_probabilities(calibration, scores, CLASSES)
    known = (obs["tissue"] != "other").to_numpy()
    for head in ("tissue", "disease_state"):
        shares = found[head][known]
        right = shares.argmax(axis=1) == encode(obs[head][known], CLASSES[head])
        assert abs(right.mean() - shares.max(axis=1).mean()) < 0.05, head


def test_without_subtypes_none_are_asked(fitted):
    obs, scores, _ = fitted
    scores = {name: value for name, value in scores.items() if name != "subtype"}
    classes = {**CLASSES, "subtype": [], "subtypes_of": {}}
    calibration = calibrate(scores, obs, classes)
    assert set(head_probabilities(calibration, scores, classes)) == {"disease_state", "tissue"}


def test_a_calibration_survives_json(fitted):
    calibration = fitted[2]
    text = json.dumps(calibration.to_dict())
    assert Calibration.from_dict(json.loads(text)) == calibration
