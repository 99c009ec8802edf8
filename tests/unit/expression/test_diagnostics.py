"""Measures of a correction on data whose answer is known."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from tissuestate.expression import diagnostics
from tissuestate.expression.diagnostics import Measures


def gram(Y: np.ndarray) -> np.ndarray:
    centred = Y - Y.mean(axis=0)
    return centred @ centred.T


@pytest.fixture
def twice() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """60 specimens measured in two sources: as they are, and with a bias of one source."""
    rng = np.random.default_rng(0)
    codes = np.resize([0, 1, 2], 60)
    truth = rng.normal(0, 1, (60, 200)) + 2 * rng.normal(0, 1, (3, 200))[codes]
    clean = np.vstack([truth, truth]) + rng.normal(0, 0.2, (120, 200))
    biased = clean + np.repeat([0, 1], 60)[:, None] * rng.normal(0, 3, 200)
    obs = pd.DataFrame(
        {
            "specimen": [f"s{i}" for i in range(60)] * 2,
            "donor": [f"d{i // 2}" for i in range(60)] * 2,
            "source": np.repeat(["north", "south"], 60),
            "tissue": np.tile(np.array(["kidney", "liver", "lung"])[codes], 2),
            "split": np.tile(np.where(np.arange(60) < 42, "train", "test"), 2),
        }
    )
    return clean, biased, obs


def test_principal_components_are_those_of_scikit_learn():
    Y = np.random.default_rng(1).normal(size=(40, 90)) * np.linspace(3, 1, 90)
    scores, expected = diagnostics.principal_components(gram(Y), 10), PCA(10).fit_transform(Y)
    np.testing.assert_allclose(np.abs(scores), np.abs(expected), atol=1e-9)


def test_concordance_counts_specimens_whose_samples_are_mutual_nearest_neighbours():
    scores = np.array([[0.0], [1.0], [10.0], [14.0], [12.5], [30.0]])
    specimen = np.array(["a", "a", "b", "b", "c", "d"])
    # the nearest of b's 14.0 is c's 12.5
    assert diagnostics.concordance(scores, specimen) == 0.5
    assert math.isnan(diagnostics.concordance(scores, np.arange(6).astype(str)))


def test_only_specimens_of_several_sources_are_replicates(twice):
    obs = twice[2]
    assert diagnostics.is_replicated(obs["specimen"], obs["source"]).all()
    assert not diagnostics.is_replicated(obs["specimen"], pd.Series(["one"] * 120)).any()
    blank = obs["specimen"].where(obs.index % 60 > 0, "")
    assert diagnostics.is_replicated(blank, obs["source"]).sum() == 118


def test_variance_explained_is_that_of_nested_linear_models():
    rng = np.random.default_rng(2)
    Y = rng.normal(size=(50, 30))
    batch, tissue = rng.choice(["a", "b"], 50), rng.choice(["x", "y", "z"], 50)

    def rest(labels: list[np.ndarray]) -> float:
        design = np.column_stack(
            [np.ones(50), *(pd.get_dummies(x).to_numpy(float) for x in labels)]
        )
        return float(np.sum((Y - design @ np.linalg.lstsq(design, Y, rcond=None)[0]) ** 2))

    plain = 1 - (rest([batch]) / 48) / (rest([]) / 49)
    within = 1 - (rest([tissue, batch]) / 46) / (rest([tissue]) / 47)
    assert diagnostics.explained_variance(gram(Y), batch) == pytest.approx(plain)
    assert diagnostics.explained_variance(gram(Y), batch, tissue) == pytest.approx(within)


def test_variance_of_a_batch_that_biology_determines_is_not_measurable():
    Y = np.random.default_rng(3).normal(size=(30, 20))
    tissue = np.resize(["x", "y", "z"], 30)
    assert math.isnan(
        diagnostics.explained_variance(gram(Y), np.where(tissue == "x", "a", "b"), tissue)
    )
    assert math.isnan(diagnostics.explained_variance(gram(Y), np.full(30, "a")))
    assert math.isnan(diagnostics.explained_variance(gram(Y), None))


def test_classes_of_one_sample_in_each_fold_are_not_measurable():
    scores = np.repeat(np.eye(3), 2, axis=0) + np.arange(6)[:, None] * 1e-3
    labels = np.repeat(list("abc"), 2)
    assert math.isnan(diagnostics.predictability(scores, labels, np.arange(6), folds=2))


def test_predictability_is_high_for_real_labels_and_chance_for_random_ones():
    rng = np.random.default_rng(5)
    labels = np.resize(["a", "b"], 200)
    scores = rng.normal(size=(200, 10))
    donors = np.arange(200)
    assert abs(diagnostics.predictability(scores, labels, donors) - 0.5) < 0.12
    scores[labels == "a", 0] += 6
    assert diagnostics.predictability(scores, labels, donors) > 0.98
    assert math.isnan(diagnostics.predictability(scores, np.full(200, "a"), donors))


def test_samples_of_a_donor_are_never_on_both_sides():
    """Labels that are a matter of the donor cannot be learnt from the donor's other samples."""
    rng = np.random.default_rng(6)
    donors = np.repeat(np.arange(60), 5)
    labels = rng.permutation(np.resize(["a", "b"], 60))[donors]
    scores = rng.normal(size=(60, 30))[donors] + rng.normal(0, 0.01, (300, 30))
    assert diagnostics.predictability(scores, labels, donors) < 0.75


def test_a_subset_is_seeded_and_keeps_replicates_whole(twice):
    obs = twice[2]
    alone = pd.DataFrame({"specimen": [f"x{i}" for i in range(200)], "source": "north"})
    many = pd.concat([obs[["specimen", "source"]], alone], ignore_index=True)
    rows = diagnostics.subset_rows(many, 100, np.random.default_rng(1))
    assert len(rows) == 100
    np.testing.assert_array_equal(
        rows, diagnostics.subset_rows(many, 100, np.random.default_rng(1))
    )
    replicated = many.iloc[rows][rows < 120]
    assert len(replicated) == 50
    assert (replicated["specimen"].value_counts() == 2).all()
    np.testing.assert_array_equal(
        diagnostics.subset_rows(many, 320, np.random.default_rng(0)), np.arange(320)
    )


def test_the_table_shows_a_removed_batch(twice):
    clean, biased, obs = twice
    table, warnings = diagnostics.diagnose_correction(
        *(biased, clean, obs, (obs["split"] == "train").to_numpy()),
        weights=np.resize([0, 1], 200),
        surrogates=1,
    )
    assert warnings == []
    values = table.pivot(index="measure", columns="stage", values="value").to_dict()
    before, after = values["before"], values["after"]
    assert float(before["concordance"]) == 0
    assert float(after["concordance"]) == float(after["concordance_held_out"]) == 1
    assert float(before["predicted_source"]) == 1
    assert float(after["predicted_source"]) < 0.7
    assert float(after["predicted_tissue"]) > 0.98
    assert float(after["variance_source"]) < 0.01 < float(before["variance_source"])
    assert float(after["genes_with_weight"]) == 0.5
    assert float(after["surrogate_variables"]) == 1


def test_a_remaining_batch_and_lost_biology_give_warnings_and_notes(twice):
    clean, biased, obs = twice
    _, left = diagnostics.diagnose_correction(biased, biased, obs, surrogates=1)
    assert len(left) == 1
    assert "leaves the batch as it was" in left[0]
    tissue = pd.get_dummies(obs["tissue"]).to_numpy(float)
    levelled = clean - tissue @ np.linalg.lstsq(tissue, clean, rcond=None)[0]
    table, lost = diagnostics.diagnose_correction(biased, levelled, obs, surrogates=1)
    assert any("removes biology: balanced accuracy for tissue" in warning for warning in lost)
    assert table.loc[table["stage"] == "note", "value"].tolist() == lost


def test_without_replicates_the_batch_is_measured_within_equal_biology(twice):
    clean, biased, obs = twice
    obs = obs.drop(columns="specimen")
    before, after = Measures.of(gram(biased), obs), Measures.of(gram(clean), obs)
    assert math.isnan(before.concordance)
    assert before.batch_left(before) == 1
    assert after.batch_left(before) < 0.05


def test_a_class_of_one_batch_is_not_predicted_from_its_batch():
    """Batches hold a, b and c, d; nothing but the batch is in the scores."""
    rng = np.random.default_rng(7)
    labels = np.resize(["a", "b", "c", "d"], 200)
    batch = np.where(np.isin(labels, ["a", "b"]), "north", "south")
    scores = rng.normal(size=(200, 5)) + 9 * (batch == "north")[:, None]
    donors = np.arange(200)
    assert abs(diagnostics.predictability(scores, labels, donors, batch=batch) - 0.5) < 0.12
    scores[np.isin(labels, ["a", "c"])] -= 4
    assert diagnostics.predictability(scores, labels, donors, batch=batch) > 0.98
    assert math.isnan(diagnostics.predictability(scores, batch, donors, batch=batch))
