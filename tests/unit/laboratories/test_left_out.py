"""Measures of samples of laboratories left out: by hand, and against scikit-learn."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score, roc_auc_score
from tissuestate.labels import NEOPLASTIC, OTHER, STATES

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
from left_out import MEASURES, NEW, RIGHT, LeftOut, compare

TISSUES = ["kidney", "liver", "lung"]


def simulate(noise: float, seed: int = 0) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Scores about 1 for the true class and 0 for others, of laboratories of unequal sizes."""
    rng = np.random.default_rng(seed)
    laboratory = np.repeat(["a", "b", "c", "d", "e"], [200, 40, 20, 40, 60])
    tissue = rng.choice([*TISSUES, OTHER], len(laboratory), p=[0.3, 0.3, 0.3, 0.1])
    state = rng.choice(STATES, len(laboratory))
    obs = pd.DataFrame({"laboratory": laboratory, "tissue": tissue})
    obs["disease_state"] = np.where(tissue == OTHER, "", state)
    obs.loc[obs["laboratory"] == "e", ["tissue", "disease_state"]] = [OTHER, ""]
    codes = pd.Index([*TISSUES, OTHER]).get_indexer(obs["tissue"])
    draw = rng.normal(scale=noise, size=(len(obs), 6))
    scores = {
        "tissue": np.eye(4)[codes] + draw[:, :4],
        "tumour": np.where(obs["disease_state"] == NEOPLASTIC, 1, -1) + draw[:, 4],
        "adjacent": np.where(obs["disease_state"] == STATES[1], 1, -1) + draw[:, 5],
    }
    return scores, obs


def test_perfect_scores_are_right_and_answered():
    found = LeftOut(*simulate(0.0), TISSUES).measures()
    assert list(found) == list(MEASURES)
    ones = ("tissue_right", "answered", "answered_right", "auroc", "tumour_right", "states_right")
    assert all(found[name] == pytest.approx(1) for name in ones)
    assert found["new_answered"] == 0
    assert found["tissue_error"] < 0.02
    assert found["tumour_error"] < 0.02


def test_means_over_laboratories_and_areas_agree_with_scikit_learn():
    scores, obs = simulate(0.6)
    found = LeftOut(scores, obs, TISSUES).measures()
    known = obs["tissue"] != OTHER
    best = np.array(TISSUES)[scores["tissue"][:, :3].argmax(axis=1)]
    right = pd.Series(best == obs["tissue"])[known]
    # the mean over laboratories of the share right is the balanced accuracy of "which laboratory"
    laboratory = obs["laboratory"][known]
    answered = laboratory.where(right, "wrong")
    names = sorted(laboratory.unique())
    witness = recall_score(laboratory, answered, labels=names, average="macro", zero_division=0)
    assert found["tissue_right"] == pytest.approx(witness)
    margin = scores["tissue"][:, :3].max(axis=1) - scores["tissue"][:, 3]
    assert found["auroc_pooled"] == pytest.approx(roc_auc_score(known, margin))
    sizes = obs.groupby(["laboratory", known])["tissue"].transform("size")
    even = roc_auc_score(known, margin, sample_weight=1 / sizes)
    assert found["auroc"] == pytest.approx(even)


def test_limits_keep_what_they_promise():
    found = LeftOut(*simulate(0.35), TISSUES).measures()
    assert 0 < found["answered"] < 1
    assert found["answered_right"] >= RIGHT
    assert found["new_answered"] <= NEW


def test_a_laboratory_drawn_twice_counts_as_two():
    """A draw of laboratories gives what their samples, written out, give."""
    scores, obs = simulate(0.5)
    own = (obs["laboratory"] == "b").to_numpy()
    twice = {name: np.concatenate([values, values[own]]) for name, values in scores.items()}
    copy = obs[own].assign(laboratory="copy")
    written = LeftOut(twice, pd.concat([obs, copy], ignore_index=True), TISSUES).measures()
    drawn = LeftOut(scores, obs, TISSUES).measures(np.array([1.0, 2.0, 1.0, 1.0, 1.0]))
    for name in ("tissue_right", "tumour_right", "auroc", "auroc_pooled"):
        assert drawn[name] == pytest.approx(written[name])


def test_only_differences_beyond_chance_are_named():
    good, bad = (LeftOut(*simulate(noise), TISSUES).resamples(100) for noise in (0.3, 0.8))
    better, worse = compare(good, bad)
    assert {"tissue_right", "auroc", "tumour_right"} <= set(better)
    assert "tissue_right" not in worse
    assert compare(good, good) == ([], [])
