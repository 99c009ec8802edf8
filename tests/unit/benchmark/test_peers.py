"""The models after published classifiers: what is frozen, what is sparse, what gets no answer."""

import numpy as np
import pytest
from scipy.stats import rankdata
from tissuestate.benchmark.peers import (
    NO_ANSWER,
    CanID,
    QuantileMap,
    fit_thresholds,
    sparse_one_against_rest,
)

GENES, OF_CLASS = 120, 4


def samples(n: int, seed: int, shift: float = 3.0):
    """Three classes of four genes each, the fourth class in no gene; other genes are noise."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, GENES)).astype(np.float32)
    for gene in range(OF_CLASS):
        x[np.arange(n), y * OF_CLASS + gene] += shift
    return x, y


@pytest.fixture(scope="module")
def canid():
    return CanID(random_state=1).fit(*samples(150, 0))


def test_the_quantile_map_gives_every_sample_the_training_distribution():
    x = samples(40, 0)[0]
    mapped = QuantileMap().fit(x).transform(samples(20, 1)[0] * 7 + 2)
    np.testing.assert_allclose(
        np.sort(mapped, axis=1), np.tile(np.sort(x, axis=1).mean(axis=0), (20, 1)), rtol=1e-5
    )


def test_the_quantile_map_keeps_order_and_ties():
    x = samples(40, 0)[0]
    x[:, :30] = -9
    mapped = QuantileMap().fit(x).transform(x)
    np.testing.assert_array_equal(rankdata(mapped, axis=1), rankdata(x, axis=1))


@pytest.mark.parametrize("model", ["map", "canid", "he2023"])
def test_a_sample_does_not_depend_on_its_companions(model, canid):
    x, y = samples(150, 0)
    new = samples(30, 1)[0]
    if model == "map":
        score = QuantileMap().fit(x).transform
    elif model == "canid":
        score = canid.predict_proba
    else:
        score = sparse_one_against_rest(1, 1).fit(x, y).predict_proba
    np.testing.assert_allclose(score(new[:1])[0], score(new)[0], atol=1e-6)


def test_separable_classes_are_found_among_irrelevant_genes(canid):
    new, true = samples(60, 1)
    sparse = sparse_one_against_rest(1, 1).fit(*samples(150, 0))
    assert (canid.predict_proba(new).argmax(axis=1) == true).mean() > 0.95
    assert (sparse.predict(new) == true).mean() > 0.95


def test_the_lasso_leaves_most_genes_out_and_keeps_those_of_the_class():
    sparse = sparse_one_against_rest(1, 1).fit(*samples(150, 0))
    for number, one in enumerate(sparse.estimators_):
        genes, lasso = one[0].get_support(indices=True), one[-1]
        assert len(genes) == 100
        used = genes[lasso.coef_[0] > 0.3 * lasso.coef_.max()]
        own = range(number * OF_CLASS, (number + 1) * OF_CLASS)
        assert set(used) == set(own) and (lasso.coef_ == 0).mean() > 0.5


def test_samples_of_no_class_get_no_answer(canid):
    new, true = samples(60, 1)
    nothing = samples(60, 2, shift=0)[0]
    assert (canid.predict(new) == true).mean() > 0.9
    assert (canid.predict(nothing) == NO_ANSWER).mean() > 0.2
    best = canid.predict_proba(nothing).max(axis=1)
    assert (best[canid.predict(nothing) != NO_ANSWER] >= canid.thresholds_.min()).all()


def test_the_same_seed_gives_the_same_probabilities(canid):
    new = samples(20, 1)[0]
    again = CanID(random_state=1).fit(*samples(150, 0))
    np.testing.assert_array_equal(again.predict_proba(new), canid.predict_proba(new))
    np.testing.assert_array_equal(again.thresholds_, canid.thresholds_)


def test_thresholds_are_the_least_scores_with_enough_right_calls():
    def rows(number, scores):
        shares = np.zeros((len(scores), 4))
        shares[:, number] = scores
        return shares

    scores = np.vstack(
        [
            rows(0, [0.9, 0.8, 0.7, 0.6]),  # wrong at 0.6: answered from 0.7
            rows(1, [0.9, 0.4, 0.3]),  # always right: more likely than not is enough
            rows(2, [0.9, 0.8]),  # wrong at the top: never answered
        ]
    )
    true = np.array([0, 0, 0, 1, 1, 1, 1, 0, 2])
    np.testing.assert_allclose(fit_thresholds(scores, true), [0.7, 0.5, np.inf, 0.5])
