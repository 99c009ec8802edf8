"""Paired comparison of models on the same test samples."""

import numpy as np
import pandas as pd
import pytest
from tissuestate.benchmark.comparison import compare_predictions

CLASSES = {"disease_state": [], "tissue": ["liver", "lung"], "subtype": [], "subtypes_of": {}}


def called(right: np.ndarray, order=None) -> pd.DataFrame:
    """Calls of samples of two tissues, two samples per donor, right or wrong by `right`."""
    n = len(right)
    true = np.arange(n) // 2 % 2
    p = np.where(right, true, 1 - true) * 0.8 + 0.1
    table = pd.DataFrame({"sample": [f"s{i:04}" for i in range(n)], "split": "test"})
    table["donor"] = [f"d{i // 2}" for i in range(n)]
    table["tissue_true"] = np.array(CLASSES["tissue"])[true]
    table["tissue:liver"], table["tissue:lung"] = 1 - p, p
    return table if order is None else table.iloc[order]


def row(table: pd.DataFrame, model: str) -> pd.Series:
    return table.set_index(["model", "metric"]).loc[(model, "accuracy")]


def test_a_model_does_not_differ_from_itself_in_another_order():
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.8
    table = compare_predictions(
        {"dl_pca": [called(right)], "dt": [called(right, rng.permutation(200))]}, CLASSES, "dl_pca"
    )
    found = row(table, "dt")
    assert (found[["difference", "difference_low", "difference_high"]] == 0).all()
    assert found["p"] == 1
    assert found["value"] == right.mean()
    assert np.isnan(row(table, "dl_pca")["p"])


def test_a_small_difference_on_the_same_samples_is_found():
    rng = np.random.default_rng(1)
    right = rng.random(400) < 0.7
    better = right.copy()
    better[np.flatnonzero(~right)[:16]] = True
    table = compare_predictions(
        {"dl_pca": [called(right)], "svm": [called(better)]}, CLASSES, "dl_pca"
    )
    found = row(table, "svm")
    assert found["difference"] == pytest.approx(0.04)
    assert found["difference_low"] > 0 and found["p"] < 0.01
    # The intervals of the two models themselves overlap: only the pairing shows it.
    assert row(table, "dl_pca")["high"] > found["low"]


def test_differences_by_chance_have_an_interval_around_zero():
    rng = np.random.default_rng(2)
    models = {name: [called(rng.random(300) < 0.8)] for name in ("dl_pca", "et", "svm", "knn")}
    table = compare_predictions(models, CLASSES, "dl_pca")
    for name in ("et", "svm", "knn"):
        assert row(table, name)["difference_low"] < 0 < row(table, name)["difference_high"]


def test_repetitions_are_averaged_and_only_common_samples_count():
    right = np.arange(100) % 5 > 0
    none = np.zeros(100, bool)
    tables = [called(right), called(none)[:60]]
    found = row(compare_predictions({"dl_pca": tables}, CLASSES, "dl_pca", resamples=100), "dl_pca")
    assert found["value"] == pytest.approx(0.4)
    assert found["n"] == 60 and found["repeats"] == 2


def test_a_head_is_scored_on_the_samples_that_all_models_called():
    right = np.arange(100) % 5 > 0
    half = called(right)
    half.loc[50:, "tissue_true"] = ""  # as in a fold that had nothing to learn the head from
    models = {"dl_pca": [half], "svm": [called(right)]}
    table = compare_predictions(models, CLASSES, "dl_pca", resamples=100)
    assert (table["n"] == 50).all()
    assert (row(table, "svm")[["difference", "difference_low", "difference_high"]] == 0).all()


def test_a_head_that_the_reference_lacks_has_no_difference():
    classes = {**CLASSES, "disease_state": ["neoplastic", "non-neoplastic"]}
    other = called(np.ones(40, bool)).rename(columns={"tissue_true": "disease_state_true"})
    other["disease_state_true"] = np.where(np.arange(40) % 2, *classes["disease_state"])
    other = other.rename(columns={"tissue:liver": "disease_state:neoplastic"})
    other = other.rename(columns={"tissue:lung": "disease_state:non-neoplastic"})
    models = {"dl_pca": [called(np.ones(40, bool))], "svm": [other]}
    table = compare_predictions(models, classes, "dl_pca", resamples=100)
    assert set(table["head"]) == {"tissue", "disease_state", "tumour"}
    assert table["difference"].isna().all()
