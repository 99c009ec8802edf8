"""The models of an evaluation protocol, trained and tested on the features of one split."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.benchmark.baselines import fit_predict
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.labels import HEADS, TASKS, encode, features_of_model
from tissuestate.models import search as tune
from tissuestate.models.samples import select_task
from tissuestate.models.training import Hyperparameters, Recipe, fit_task, predict_proba
from tissuestate.models.trials import best_trial

log = logging.getLogger(__name__)

Classes = Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """Settings of the networks' training, and the seed of all models.

    hyperparameters: of each task and kind of features, 'multitask.pca' for example; if there are
    none, a search with the settings `search` (space, evaluations and epochs) finds them.
    """

    hyperparameters: Mapping[str, Hyperparameters]
    search: Mapping[str, Any]
    epochs: int
    recipe: Recipe
    seed: int
    device: str = "auto"
    threads: int = 1


def read_hyperparameters(files: Sequence[str]) -> dict[str, Hyperparameters]:
    """Hyper-parameters that tuning chose, by the folder of each hyperparameters.json."""
    return {
        Path(file).parent.name: Hyperparameters.from_dict(
            json.loads(Path(file).read_text(encoding="utf-8"))
        )
        for file in files
    }


def predict_models(
    features: Mapping[str, tuple[np.ndarray, pd.DataFrame]],
    models: Sequence[str],
    classes: Classes,
    training: Training,
) -> pd.DataFrame:
    """Train each model on the training samples of its kind of features and call the test samples.

    features: samples × features and labels, by kind. Returns the tables of `tabulate_predictions`,
    one below the other, with the columns model and, for each head, `{head}_trained`: whether the
    sample's true class is one of at least two in training.
    """
    tables = []
    for model in models:
        x, obs = features[features_of_model(model)]
        train, test = ((obs["split"] == part).to_numpy() for part in ("train", "test"))
        predict = _predict_networks if model.startswith("dl_") else _predict_classical
        probabilities = predict(model, x, obs, classes, training) if train.any() else {}
        table = tabulate_predictions(obs[test], probabilities, classes).assign(model=model)
        for head in probabilities:
            known = set(obs.loc[train, head]) - {""}
            table[f"{head}_trained"] = table[f"{head}_true"].isin(known) & (len(known) > 1)
        tables.append(table)
        log.info("%s: %d test samples called", model, len(table))
    return pd.concat(tables, ignore_index=True)


def _predict_networks(
    model: str, x: np.ndarray, obs: pd.DataFrame, classes: Classes, training: Training
) -> dict[str, np.ndarray]:
    probabilities: dict[str, np.ndarray] = {}
    common: dict[str, Any] = {
        "seed": training.seed,
        "recipe": training.recipe,
        "device": training.device,
        "threads": training.threads,
    }
    for task, heads in TASKS.items():
        labelled = np.any([obs[head].isin(classes[head]) for head in heads], axis=0)
        if not {"train", "validation"} <= set(obs["split"][labelled]):
            continue
        data = select_task(x, obs, classes, task)
        chosen = training.hyperparameters.get(f"{task}.{features_of_model(model)}")
        if chosen is None:
            trials = tune.run_search(
                data,
                training.search["space"],
                numbers=range(training.search["evaluations"]),
                epochs=training.search["epochs"],
                **common,
            )
            chosen = Hyperparameters.from_dict(best_trial(trials).parameters)
        trained = fit_task(data, chosen, epochs=training.epochs, progress=False, **common)
        probabilities |= predict_proba(trained.network, x[(obs["split"] == "test").to_numpy()])
    return probabilities


def _predict_classical(
    model: str, x: np.ndarray, obs: pd.DataFrame, classes: Classes, training: Training
) -> dict[str, np.ndarray]:
    train, test = ((obs["split"] == part).to_numpy() for part in ("train", "test"))
    heads = {
        head: classes[head] for head in HEADS if obs.loc[train, head].isin(classes[head]).any()
    }
    y = {head: encode(obs.loc[train, head], names) for head, names in heads.items()}
    return fit_predict(
        model, x[train], y, x[test], heads, seed=training.seed, threads=training.threads
    ).probabilities
