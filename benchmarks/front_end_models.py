"""Models that front_end.py compares: each learns from samples × features and scores others.

Scores: tissue (samples × tissues and a last column for none of them), tumour and adjacent (samples;
above 0 if so), and spread for models that depend on a seed.
"""

from collections.abc import Mapping, Sequence
from unittest import mock

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression
from tissuestate.labels import OTHER, STATES, encode, has_class
from tissuestate.laboratories import ridge
from tissuestate.laboratories.scatter import laboratory_shifts, principal_shifts
from tissuestate.models.training import Hyperparameters, fit_network, predict_logits, read_recipe

Scores = dict[str, np.ndarray]
Classes = Mapping[str, Sequence[str]]
GROUP = 3  # samples at least whose mean is a landmark
WIDTH = 3.0  # of a kernel, in median squared distances
SEEDS = 3
EPOCHS = 30


def fit_ridge(
    x: np.ndarray,
    obs: pd.DataFrame,
    x_new: np.ndarray,
    classes: Classes,
    *,
    strength: float = 1.0,
    background: bool = True,
    weighted: bool = True,
) -> Scores:
    """Scores of the product's ridge regression; strength multiplies that of its shift penalty."""
    if not background:
        known = has_class(obs).to_numpy()
        x, obs = x[known], obs[known]
    strengths = {name: value * strength for name, value in ridge.STRENGTHS.items()}
    weights = ridge.sample_weights if weighted else lambda obs: np.ones(len(obs))
    with (
        mock.patch.object(ridge, "STRENGTHS", strengths),
        mock.patch.object(ridge, "sample_weights", weights),
    ):
        found = ridge.Ridge().fit(x, obs, classes).scores(x_new)
    return {name: values if name == "tissue" else values[:, 0] for name, values in found.items()}


def _questions(x: np.ndarray, obs: pd.DataFrame, classes: Classes, strength: float):
    """Each question, its targets, the samples it is learnt from, and how features are whitened."""
    directions, spreads = principal_shifts(laboratory_shifts(x, obs))
    for name, (targets, used) in ridge._questions(obs, classes).items():
        kept = 1 - 1 / np.sqrt(1 + spreads * ridge.STRENGTHS[name] * strength)

        def whiten(values: np.ndarray, kept: np.ndarray = kept) -> np.ndarray:
            return values - (values @ directions.T * kept) @ directions

        yield name, targets, used, whiten


def _scaled(x: np.ndarray, x_new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features of a mean squared length of 1."""
    scale = np.sqrt((x**2).sum(axis=1).mean())
    return x / scale, x_new / scale


def fit_logistic(
    x: np.ndarray, obs: pd.DataFrame, x_new: np.ndarray, classes: Classes, *, strength: float = 1.0
) -> Scores:
    """Scores of softmax regression on features that are short along laboratories' differences."""
    x, x_new = _scaled(x, x_new)
    weights, scores = ridge.sample_weights(obs), {}
    for name, targets, used, whiten in _questions(x, obs, classes, strength):
        codes = targets[used].argmax(axis=1) if name == "tissue" else targets[used, 0] > 0
        share = weights[used] / weights[used].sum()
        model = LogisticRegression(C=1 / (2 * ridge.PENALTY), max_iter=200, tol=1e-3)
        model.fit(whiten(x[used]), codes, sample_weight=share)
        logits = model.decision_function(whiten(x_new))
        if name == "tissue":
            scores[name] = np.full((len(x_new), targets.shape[1]), logits.min())
            scores[name][:, model.classes_] = logits
        else:
            scores[name] = logits
    return scores


def _landmarks(x: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
    """Means of at least `GROUP` samples of one laboratory, tissue and state (if it has so many)."""
    cells = obs[["laboratory", "tissue", "disease_state"]].astype(str).agg("|".join, axis=1)
    order = np.random.default_rng(0).permutation(len(obs))
    cells = cells.reset_index(drop=True).iloc[order]
    sizes = cells.map(cells.value_counts())
    number = np.minimum(cells.groupby(cells).cumcount() // GROUP, (sizes // GROUP - 1).clip(0))
    codes = pd.factorize(cells + "|" + number.astype(str))[0]
    means = np.zeros((codes.max() + 1, x.shape[1]))
    np.add.at(means, codes, x[order])
    return means / np.bincount(codes)[:, None]


def fit_landmarks(x: np.ndarray, obs: pd.DataFrame, x_new: np.ndarray, classes: Classes) -> Scores:
    """Scores of kernel ridge regression on a Gaussian kernel with landmarks (Nyström)."""
    x, x_new = _scaled(x, x_new)
    weights, scores = ridge.sample_weights(obs), {}
    for name, targets, used, whiten in _questions(x, obs, classes, 1.0):
        own = whiten(x[used])
        marks = _landmarks(own, obs[used])
        some = _distances(own[::5], own[::5])
        width = WIDTH * np.median(some)
        values, vectors = np.linalg.eigh(np.exp(-_distances(marks, marks) / width))
        root = vectors / np.sqrt(np.maximum(values, 1e-8 * values[-1]))
        share = weights[used] / weights[used].sum()
        center = share @ targets[used]
        features = np.exp(-_distances(own, marks) / width) @ root
        system = (features * share[:, None]).T @ features
        system[np.diag_indices(len(system))] += 0.03 / len(own)
        moments = (features * share[:, None]).T @ (targets[used] - center)
        slopes = cho_solve(cho_factor(system), moments)
        found = np.exp(-_distances(whiten(x_new), marks) / width) @ root @ slopes + center
        scores[name] = found if name == "tissue" else found[:, 0]
    return scores


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances of rows."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(squares, 0)


def fit_networks(
    x: np.ndarray,
    obs: pd.DataFrame,
    x_new: np.ndarray,
    classes: Classes,
    *,
    noise: bool = False,
    recipe: str = "paper",
) -> Scores:
    """Mean log probabilities of networks of several seeds.

    noise: a copy of each training sample is moved along a shift of a random laboratory. spread: the
    standard deviation, over seeds, of the most probable tissue's probability.
    """
    x, x_new = _scaled(x, x_new)
    heads = {"disease_state": list(STATES), "tissue": [*classes["tissue"], OTHER]}
    codes = {head: encode(obs[head], names) for head, names in heads.items()}
    check = (obs["split"] == "validation").to_numpy()
    fitted = np.flatnonzero(~check)
    x_fit, rows = x[fitted], fitted
    if noise:
        shifts, rng = laboratory_shifts(x, obs), np.random.default_rng(0)
        drawn = shifts[rng.integers(len(shifts), size=len(fitted))]
        moved = x_fit + drawn * rng.normal(size=(len(fitted), 1))
        x_fit, rows = np.vstack([x_fit, moved]), np.tile(fitted, 2)
    logits = []
    for seed in range(SEEDS):
        trained = fit_network(
            x_fit,
            {head: own[rows] for head, own in codes.items()},
            x[check],
            {head: own[check] for head, own in codes.items()},
            heads,
            Hyperparameters(),
            epochs=EPOCHS,
            seed=seed,
            recipe=read_recipe(recipe),
            threads=1,
            progress=False,
        )
        found = predict_logits(trained.network, x_new)
        logits.append({head: log_softmax(values, axis=1) for head, values in found.items()})
    tissue, state = (
        np.mean([own[head] for own in logits], axis=0) for head in ("tissue", "disease_state")
    )
    none, adjacent, tumour = state.T
    of_seed = np.exp([s["tissue"] for s in logits])
    top = of_seed.mean(axis=0).argmax(axis=1)
    return {
        "tissue": tissue,
        "tumour": tumour - logsumexp([none, adjacent], axis=0),
        "adjacent": adjacent - none,
        "spread": of_seed[:, np.arange(len(top)), top].std(axis=0),
    }
