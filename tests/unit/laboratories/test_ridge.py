"""Ridge regression: equal to scikit-learn's on transformed features, and indifferent to shifts."""

import numpy as np
import pytest
from laboratory_samples import CLASSES, FEATURES, features, labels
from sklearn.linear_model import Ridge as Witness
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.laboratories import ridge as module
from tissuestate.laboratories.ridge import PENALTY, STRENGTHS, Ridge, sample_weights
from tissuestate.laboratories.scatter import laboratory_shifts


@pytest.fixture(scope="module")
def cohort():
    """Samples whose laboratories differ along feature 5 and, as tumours do, along feature 2."""
    obs = labels()
    rng = np.random.default_rng(1)
    shifts = {}
    for laboratory in "ABCDE":
        shifts[laboratory] = np.zeros(FEATURES)
        shifts[laboratory][5] = 3 * rng.normal()
        shifts[laboratory][[2, 6]] = 1.5 * rng.normal()
    return features(obs, shifts), obs


def rows_and_targets(question: str, obs):
    """The samples that a question is learnt from and their targets, written out."""
    state, tissue = obs["disease_state"], obs["tissue"]
    columns, rows = {
        "tissue": ([tissue == name for name in ("kidney", "liver", "other")], tissue != ""),
        "tumour": ([2 * (state == "neoplastic") - 1], tissue != "other"),
        "adjacent": (
            [2 * (state == "peri-neoplastic") - 1],
            (tissue != "other") & (state != "neoplastic"),
        ),
        "subtype": ([obs["subtype"] == name for name in ("kirc", "kirp")], obs["subtype"] != ""),
    }[question]
    return rows.to_numpy(), np.stack([np.asarray(c, float) for c in columns], axis=1)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("question", STRENGTHS)
def test_it_is_scikit_learns_on_features_shortened_along_the_shifts(
    cohort, question, plain, monkeypatch
):
    x, obs = cohort
    if plain:
        monkeypatch.setattr(module, "STRENGTHS", dict.fromkeys(STRENGTHS, 0.0))
    model = Ridge().fit(x, obs, CLASSES)
    strength = 0.0 if plain else STRENGTHS[question]
    x = x / np.sqrt((x**2).sum(axis=1).mean())
    shifts = laboratory_shifts(x, obs)
    scatter = shifts.T @ shifts / (shifts**2).sum(axis=1).mean()
    values, axes = np.linalg.eigh(np.eye(FEATURES) + strength * scatter)
    shorten = axes / np.sqrt(values) @ axes.T
    cells = obs.groupby(["laboratory", "tissue", "disease_state"])["donor"].transform("size")
    rows, targets = rows_and_targets(question, obs)
    weights = cells.to_numpy()[rows] ** -0.5
    witness = Witness(alpha=PENALTY, solver="cholesky").fit(
        x[rows] @ shorten, targets[rows], sample_weight=weights / weights.sum()
    )
    expected = (witness.coef_.reshape(targets.shape[1], -1) @ shorten).T
    found = model.coefficients_[question] * np.sqrt((cohort[0] ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(found, expected, atol=2e-7 * abs(expected).max(), rtol=0)
    size = abs(expected).max()  # single precision above, double here
    np.testing.assert_allclose(
        model.intercepts_[question], np.ravel(witness.intercept_), atol=1e-8 * size, rtol=1e-8
    )


def test_a_large_cell_weighs_as_the_root_of_its_size():
    obs = labels("A", each=4, none=9)
    weights = sample_weights(obs)
    assert weights[obs["tissue"] == "other"].tolist() == [1 / 3] * 9
    assert set(weights[obs["tissue"] != "other"]) == {0.5}


def test_a_new_laboratorys_shift_changes_the_tumour_score_less_than_without_scatter(
    cohort, monkeypatch
):
    x, obs = cohort
    shift = np.zeros(FEATURES)
    shift[[2, 6]] = 1.5  # where tumours differ, too; feature 6 tells the shift
    changes = []
    for strengths in (STRENGTHS, dict.fromkeys(STRENGTHS, 0.0)):
        monkeypatch.setattr(module, "STRENGTHS", strengths)
        model = Ridge().fit(x, obs, CLASSES)
        before, after = (model.scores(x + added)["tumour"] for added in (0, shift))
        changes.append(abs(after - before).mean())
        known = (obs["tissue"] != "other").to_numpy()
        tumour = (obs["disease_state"] == "neoplastic").to_numpy()
        assert ((before[known, 0] > 0) == tumour[known]).all()
    assert changes[0] < changes[1] / 3


def test_samples_of_no_class_have_their_own_output_and_train_nothing_else(cohort):
    x, obs = cohort
    model = Ridge().fit(x, obs, CLASSES)
    none = (obs["tissue"] == "other").to_numpy()
    assert model.coefficients_["tissue"].shape == (FEATURES, 3)
    assert (model.scores(x)["tissue"].argmax(axis=1)[none] == 2).all()
    moved = Ridge().fit(np.where(none[:, None], np.roll(x, 7, axis=1), x), obs, CLASSES)
    scale = np.sqrt((x**2).sum(axis=1).mean())
    for name in ("tumour", "adjacent", "subtype"):
        np.testing.assert_allclose(
            moved.scores(x)[name], model.scores(x)[name], atol=1e-5 * scale, rtol=1e-5
        )


def test_a_question_without_samples_and_a_class_without_samples_have_low_scores(cohort):
    x, obs = cohort
    healthy = (obs["subtype"] == "").to_numpy()
    classes = {**CLASSES, "tissue": ["kidney", "liver", "lung"]}
    scores = Ridge().fit(x[healthy], obs[healthy], classes).scores(x)
    assert not scores["subtype"].any() and scores["subtype"].shape == (len(x), 2)
    assert abs(scores["tissue"][:, 2]).max() < 1e-9
    assert "subtype" not in Ridge().fit(x, obs, {**classes, "subtype": []}).scores(x)


def test_scores_do_not_depend_on_companions(cohort):
    x, obs = cohort
    model = Ridge().fit(x, obs, CLASSES)
    together = model.scores(x)
    for row in (0, 17, len(x) - 1):
        for name, scores in model.scores(x[row : row + 1]).items():
            assert (scores[0] == together[name][row]).all()


def test_a_fitted_model_survives_its_file(cohort, tmp_path):
    x, obs = cohort
    model = Ridge().fit(x, obs, CLASSES)
    save_arrays(tmp_path / "ridge.npz", model.to_arrays())
    found = Ridge.from_arrays(load_arrays(tmp_path / "ridge.npz"))
    for name, scores in model.scores(x).items():
        assert (found.scores(x)[name] == scores).all()
