"""Training: learning, reproducibility, and the choice of the epoch."""

import json
from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from tissuestate.errors import InputError
from tissuestate.labels import encode
from tissuestate.models import training
from tissuestate.models.architecture import Architecture
from tissuestate.models.linear_start import fit_linear_start
from tissuestate.models.loss import soft_targets
from tissuestate.models.network import ClassifierNetwork
from tissuestate.models.samples import read_task, select_task
from tissuestate.models.training import (
    OPTIMIZERS,
    RECIPES,
    DivergenceError,
    Hyperparameters,
    Recipe,
    fit_network,
    predict_proba,
    read_recipe,
)
from torch.nn import functional

CLASSES = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung")}
SMALL = Hyperparameters(0.003, 16, (24, 16, 16, 12, 12), 0.1)


def samples(n: int, seed: int, n_features: int = 8):
    """Samples whose tissue and state shift two features each."""
    rng = np.random.default_rng(seed)
    y = {"disease_state": rng.integers(0, 2, n), "tissue": rng.integers(0, 3, n)}
    x = rng.normal(size=(n, n_features))
    x[:, 0] += 6 * y["disease_state"]
    x[np.arange(n), 1 + y["tissue"]] += 6
    return x.astype(np.float32), y


def fit(seed=1, epochs=25, hyperparameters=SMALL, y_changes=None, **options):
    (x, y), (x_validation, y_validation) = samples(200, 0), samples(60, 1)
    y = {**y, **(y_changes or {})}
    return fit_network(
        x,
        y,
        x_validation,
        y_validation,
        CLASSES,
        hyperparameters,
        epochs=epochs,
        seed=seed,
        device="cpu",
        threads=1,
        **options,
    )


def states_equal(a, b) -> bool:
    one, two = a.network.state_dict(), b.network.state_dict()
    return all(torch.equal(one[name], two[name]) for name in one)


def test_training_separates_separable_classes():
    x, y = samples(300, 2)
    for head, p in predict_proba(fit().network, x).items():
        assert (p.argmax(axis=1) == y[head]).mean() > 0.95


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(optimizer):
    chosen = Hyperparameters(0.01, 16, (24, 16, 16, 12, 12), 0.0, optimizer, "tanh")
    history = fit(hyperparameters=chosen).history
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_learns(name):
    x, y = samples(300, 2)
    calls = predict_proba(fit(recipe=read_recipe(name)).network, x)["tissue"].argmax(axis=1)
    assert (calls == y["tissue"]).mean() > 0.95


def test_equal_seeds_give_equal_bits_and_others_do_not():
    first = fit(epochs=3)
    assert states_equal(first, fit(epochs=3))
    assert not states_equal(first, fit(epochs=3, seed=2))


def test_training_leaves_torch_as_it_was():
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(epochs=1)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_the_epoch_of_least_validation_loss_is_kept():
    overfitting = Hyperparameters(0.01, 8, (64, 64, 64, 64, 64), 0.0)
    _, y = samples(200, 0)
    noisy = np.random.default_rng(0).permutation(y["tissue"])
    trained = fit(epochs=30, hyperparameters=overfitting, y_changes={"tissue": noisy})
    losses = trained.history["validation_loss"]
    assert trained.best_epoch == losses.idxmin() + 1 < 30
    x, y = samples(60, 1)
    p = predict_proba(trained.network, x)
    found = sum(log_loss(y[head], p[head], labels=range(p[head].shape[1])) for head in CLASSES)
    assert found == pytest.approx(losses.min(), abs=1e-5)


def test_a_direct_path_begins_as_the_logistic_regression_of_scikit_learn():
    x, y = samples(200, 0)
    y["tissue"][:80] = -1
    x[:, 0] *= 0.2  # so that the states overlap
    described = Architecture(8, (6,) * 5, 0.0, "relu", CLASSES, direct=True)
    network = ClassifierNetwork(described)
    targets = {
        head: soft_targets(torch.from_numpy(y[head]), len(names), 0)
        for head, names in CLASSES.items()
    }
    loss = fit_linear_start(network, torch.from_numpy(x), targets)
    expected = 0.0
    for head, p in predict_proba(network, x).items():
        known = y[head] >= 0
        # Of two classes theirs has one weight a feature, ours two of half its size each.
        strength = 2.0 if len(CLASSES[head]) == 2 else 1.0
        theirs = LogisticRegression(C=strength, max_iter=1000, tol=1e-8)
        theirs.fit(x[known], y[head][known])
        np.testing.assert_allclose(p, theirs.predict_proba(x), atol=2e-3)
        expected += log_loss(y[head][known], theirs.predict_proba(x[known]))
    assert loss == pytest.approx(expected, abs=1e-3)


def test_with_few_samples_a_linear_start_that_training_does_not_improve_is_kept():
    (x, y), checked, (new, truth) = samples(50, 0, 60), samples(60, 1, 60), samples(300, 2, 60)
    options = {"seed": 1, "device": "cpu", "threads": 1, "recipe": Recipe(direct=True)}
    wild = Hyperparameters(1e20, 16, (8,) * 5, 0.0, "sgd")
    trained = fit_network(x, y, *checked, CLASSES, wild, epochs=3, **options)
    assert trained.best_epoch == 0 and trained.history["epoch"].tolist() == [0]
    calls = predict_proba(trained.network, new)["tissue"].argmax(axis=1)
    assert (calls == truth["tissue"]).mean() > 0.9
    losses = fit_network(x, y, *checked, CLASSES, SMALL, epochs=9, **options).history
    assert losses["epoch"].tolist() == list(range(10))
    many = fit(recipe=Recipe(direct=True), epochs=9)
    assert many.history["epoch"].tolist() == list(range(1, 10))


def test_samples_without_a_label_of_a_head_do_not_teach_it():
    _, y = samples(200, 0)
    wrong = (y["tissue"] + 1) % 3
    kept = np.random.default_rng(0).random(200) < 0.5
    trained = fit(y_changes={"tissue": np.where(kept, y["tissue"], -1)}, epochs=40)
    x, truth = samples(300, 2)
    calls = predict_proba(trained.network, x)["tissue"].argmax(axis=1)
    assert (calls == truth["tissue"]).mean() > 0.95
    misled = fit(y_changes={"tissue": np.where(kept, y["tissue"], wrong)}, epochs=40)
    worse = predict_proba(misled.network, x)["tissue"]
    assert worse[np.arange(300), truth["tissue"]].mean() < 0.8


def test_a_head_without_any_label_does_not_affect_the_others():
    trained = fit(y_changes={"tissue": np.full(200, -1)}, epochs=2)
    assert np.isfinite(trained.history.to_numpy(dtype=float)).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", RECIPES)
def test_gradients_by_hand_train_as_those_of_autograd(name, optimizer, monkeypatch):
    options = {"recipe": read_recipe(name), "epochs": 5}
    options["hyperparameters"] = replace(SMALL, optimizer=optimizer)
    by_hand = fit(**options)
    monkeypatch.setattr(training, "is_faster_by_hand", lambda network, batch_size: False)
    by_autograd = fit(**options)
    np.testing.assert_allclose(by_hand.history, by_autograd.history, atol=1e-5)
    weights = by_autograd.network.state_dict()
    for tensor, found in by_hand.network.state_dict().items():
        torch.testing.assert_close(found, weights[tensor], rtol=0, atol=1e-5)


def test_without_dropout_an_epoch_is_that_of_a_plain_loop_in_torch(monkeypatch):
    monkeypatch.setattr(training, "is_faster_by_hand", lambda network, batch_size: False)
    x, y = samples(200, 0)
    chosen = replace(SMALL, dropout=0.0)
    found = fit(epochs=1, hyperparameters=chosen)
    torch.manual_seed(1)
    network = ClassifierNetwork(Architecture(8, chosen.widths, 0.0, "relu", CLASSES))
    network.set_input_scale(*training._input_scale(torch.from_numpy(x)))
    optimizer = torch.optim.Adam(network.parameters(), chosen.learning_rate)
    for rows in torch.randperm(200).split(chosen.batch_size):
        optimizer.zero_grad()
        logits = network(torch.from_numpy(x)[rows])
        codes = {head: torch.from_numpy(y[head])[rows] for head in CLASSES}
        sum(functional.cross_entropy(logits[head], codes[head]) for head in CLASSES).backward()
        optimizer.step()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[name], tensor, rtol=0, atol=1e-6)


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(DivergenceError):
        fit(hyperparameters=Hyperparameters(1e20, 16, (8,) * 5, 0.0, "sgd"), epochs=3)


def test_a_prediction_does_not_depend_on_other_samples():
    network = fit(epochs=2).network
    x, _ = samples(1500, 3)
    together = predict_proba(network, x)
    for row in (0, 700, 1499):
        for head, p in predict_proba(network, x[row : row + 1]).items():
            np.testing.assert_allclose(p[0], together[head][row], rtol=0, atol=1e-12)
    for p in together.values():
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)


def test_no_sample_gives_an_empty_table():
    p = predict_proba(fit(epochs=1).network, np.empty((0, 8), np.float32))
    assert p["tissue"].shape == (0, 3)


def test_invalid_hyperparameters_are_refused():
    assert Hyperparameters.from_dict({"widths": [3, 2]}).widths == (3, 2)
    for wrong in ({"momentum": 1}, {"optimizer": "lion"}, {"learning_rate": 0}):
        with pytest.raises(InputError):
            Hyperparameters.from_dict(wrong)
    with pytest.raises(InputError, match="paper, best"):
        read_recipe("secret")


def labels() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "disease_state": ["healthy", "tumour", "tumour", "tumour"],
            "tissue": ["liver", "lung", "brain", "lung"],
            "subtype": ["", "luad", "", "luad"],
            "split": ["train", "train", "validation", "validation"],
        },
        index=list("abcd"),
    )


def test_a_task_has_the_samples_with_one_of_its_labels(tmp_path):
    classes = {**CLASSES, "subtype": ("luad", "lusc"), "subtypes_of": {"lung": ["luad", "lusc"]}}
    table = anndata.AnnData(np.arange(8, dtype=np.float32).reshape(4, 2), obs=labels())
    table.write_h5ad(tmp_path / "features.h5ad")
    (tmp_path / "classes.json").write_text(json.dumps(classes))
    data = read_task(tmp_path / "features.h5ad", tmp_path / "classes.json", "multitask")
    assert data.y["tissue"].tolist() == [1, 2] and data.y_validation["tissue"].tolist() == [0, 2]
    data = read_task(tmp_path / "features.h5ad", tmp_path / "classes.json", "subtype")
    assert data.x.tolist() == [[2, 3]] and data.x_validation.tolist() == [[6, 7]]
    assert data.y == {"subtype": [0]}


def test_a_task_without_samples_is_refused():
    classes = {**CLASSES, "subtype": ("lusc",)}
    with pytest.raises(InputError, match="no train sample"):
        select_task(np.zeros((4, 2)), labels(), classes, "subtype")


def test_unknown_labels_are_minus_one():
    assert encode(["liver", "", "moon"], CLASSES["tissue"]).tolist() == [1, -1, -1]
