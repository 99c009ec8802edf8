"""Estimates of missing genes, compared with the conditional mean of a known model."""

import numpy as np
import pytest
from tissuestate.expression.imputation import ConditionalMean


@pytest.fixture(scope="module")
def simulated():
    """Samples of a factor model: (training samples, new samples, loadings, noise deviation)."""
    rng = np.random.default_rng(0)
    loadings = rng.normal(size=(3, 200))
    factors = rng.normal(size=(600, 3))
    noise = rng.uniform(0.2, 0.6, 200)
    values = 5 + factors @ loadings + rng.normal(size=(600, 200)) * noise
    return values[:500].astype(np.float32), values[500:].astype(np.float32), loadings, noise


@pytest.fixture(scope="module")
def model(simulated):
    return ConditionalMean(3).fit(simulated[0])


def test_the_error_is_near_that_of_the_true_models_conditional_mean(simulated, model):
    _, new, loadings, noise = simulated
    missing = np.random.default_rng(1).random(200) < 0.8
    given = new.copy()
    given[:, missing] = np.nan
    seen = ~missing
    covariance = loadings.T @ loadings + np.diag(noise**2)
    best = 5 + (new[:, seen] - 5) @ np.linalg.solve(
        covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, missing)]
    )
    error = ((model.transform(given)[:, missing] - new[:, missing]) ** 2).mean()
    least = ((best - new[:, missing]) ** 2).mean()
    assert error < 1.1 * least
    assert error < 0.2 * new[:, missing].var()


def test_measured_values_and_complete_samples_are_unchanged(simulated, model):
    new = simulated[1].copy()
    assert model.transform(new).tobytes() == new.tobytes()
    new[3, :50] = np.nan
    filled = model.transform(new)
    np.testing.assert_array_equal(filled[~np.isnan(new)], new[~np.isnan(new)])
    assert np.isfinite(filled).all()


def test_a_sample_without_values_gets_the_training_mean(simulated, model):
    filled = model.transform(np.full((1, 200), np.nan, np.float32))
    np.testing.assert_allclose(filled[0], simulated[0].mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("shape", [(100, 200), (1, 200)], ids=["each-its-own", "the-same-genes"])
def test_results_do_not_depend_on_other_samples_or_their_order(simulated, model, shape):
    new = simulated[1].copy()
    new[np.broadcast_to(np.random.default_rng(2).random(shape) < 0.3, new.shape)] = np.nan
    together = model.transform(new)
    np.testing.assert_array_equal(model.transform(new[::-1])[::-1], together)
    for row in (0, 7, 50, 99):
        np.testing.assert_array_equal(model.transform(new[row : row + 1])[0], together[row])


def test_slopes_of_missing_genes_move_to_the_measured_genes(simulated, model):
    rng = np.random.default_rng(3)
    new = simulated[1][:6].astype(np.float64)
    missing = rng.random(new.shape) < 0.3
    missing[:3] = missing[0]
    new[missing] = np.nan
    slopes = rng.normal(size=new.shape)
    carried = model.carry_slopes_back(slopes, missing)
    assert (carried[missing] == 0).all()
    moved = new + rng.normal(size=new.shape)  # the fill is affine: any step tells its slopes
    found = (slopes * (model.transform(moved) - model.transform(new))).sum(axis=1)
    np.testing.assert_allclose((carried * np.nan_to_num(moved - new)).sum(axis=1), found)


def test_gaps_of_training_samples_cost_little(simulated, model):
    train, new, _, _ = simulated
    sparse = train.copy()
    sparse[np.random.default_rng(4).random(len(train)) < 0.4, :150] = np.nan  # a panel's samples
    sparse[:5, 150] = np.nan
    fitted = ConditionalMean(3).fit(sparse)
    given = new.copy()
    given[:, 100:] = np.nan
    errors = [((m.transform(given) - new)[:, 100:] ** 2).mean() for m in (fitted, model)]
    assert errors[0] < 1.03 * errors[1]
    np.testing.assert_allclose(fitted.noise_, model.noise_, rtol=0.2)


def test_a_gene_without_any_value_is_filled_all_the_same(simulated):
    sparse = simulated[0].copy()
    sparse[:, 3] = np.nan
    assert np.isfinite(ConditionalMean(3).fit(sparse).transform(sparse)).all()


def test_the_fitted_state_survives_arrays(simulated, model):
    new = simulated[1].copy()
    new[:, ::3] = np.nan
    again = ConditionalMean.from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.transform(new), model.transform(new))
