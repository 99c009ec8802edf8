"""The classical models: scikit-learn's, head by head."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from tissuestate.benchmark.baselines import MODELS, fit_predict
from tissuestate.errors import InputError

CLASSES = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung", "skin")}


def samples(n: int, seed: int):
    """Overlapping classes; no sample is 'liver', and one in ten has no tissue."""
    rng = np.random.default_rng(seed)
    tissue = rng.choice([0, 2, 3], n)
    y = {
        "disease_state": rng.integers(0, 2, n),
        "tissue": np.where(rng.random(n) < 0.1, -1, tissue),
    }
    x = rng.normal(size=(n, 6))
    x[:, 0] += 2 * y["disease_state"]
    x[np.arange(n), 1 + tissue] += 2
    return x, y


def run(name, **changes):
    x, y = samples(150, 0)
    return fit_predict(name, x, {**y, **changes}, samples(80, 1)[0], CLASSES, seed=7)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_a_distribution_over_all_classes(name):
    result = run(name)
    for head, names in CLASSES.items():
        p = result.probabilities[head]
        assert p.shape == (80, len(names)) and (p >= 0).all()
        np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (result.probabilities["tissue"][:, 1] == 0).all()
    truth = samples(80, 1)[1]["disease_state"]
    assert (result.probabilities["disease_state"].argmax(axis=1) == truth).mean() > 0.65
    assert result.fit_seconds > 0 and result.predict_seconds > 0


@pytest.mark.parametrize(
    "name, model",
    [
        ("dt", DecisionTreeClassifier(random_state=7)),
        ("et", ExtraTreesClassifier(random_state=7)),
        ("sgd", SGDClassifier(random_state=7)),
        ("svm", SVC(break_ties=True)),
        ("knn", KNeighborsClassifier()),
    ],
)
@pytest.mark.parametrize("head", CLASSES)
def test_calls_are_those_of_scikit_learns_defaults(name, model, head):
    x, y = samples(150, 0)
    known = y[head] >= 0
    expected = model.fit(x[known], y[head][known]).predict(samples(80, 1)[0])
    np.testing.assert_array_equal(run(name).probabilities[head].argmax(axis=1), expected)


def test_a_head_of_one_class_is_called_so():
    p = run("svm", tissue=np.where(samples(150, 0)[1]["tissue"] == 2, 2, -1)).probabilities
    assert (p["tissue"][:, 2] == 1).all()


def test_an_unknown_model_is_refused():
    with pytest.raises(InputError, match="forest"):
        run("forest")


@pytest.mark.parametrize("name", MODELS)
def test_a_head_of_three_labelled_samples_still_gets_a_model(name):
    tissue = np.full(150, -1)
    tissue[:3] = [0, 2, 2]
    p = run(name, tissue=tissue).probabilities["tissue"]
    np.testing.assert_allclose(p[:, [0, 2]].sum(axis=1), 1)
