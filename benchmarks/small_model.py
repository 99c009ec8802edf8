"""The whole chain of the workflow with small networks and fixed settings, for the benchmarks."""

import numpy as np
import pandas as pd
from tissuestate.evaluation.chain import Chain
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import ConditionalMean
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.novelty import Novelty
from tissuestate.features.transformers import PrincipalComponents
from tissuestate.labels import TASKS, encode
from tissuestate.models.frozen import FrozenNetwork
from tissuestate.models.training import RECIPES, Hyperparameters, fit_network

SETTINGS = Hyperparameters(widths=(256, 128, 64, 64, 32))
EPOCHS = 40
COMPONENTS = 300


def classes_of(obs: pd.DataFrame) -> dict[str, list[str]]:
    """The classes of each head among training samples."""
    train = obs[obs["split"] == "train"]
    return {
        head: sorted(set(train[head]) - {""}) for head in ("disease_state", "tissue", "subtype")
    }


def fit_chain(
    counts: np.ndarray, obs: pd.DataFrame, tasks: tuple[str, ...] = tuple(TASKS)
) -> Chain:
    """Every step fitted on training samples, limits and epochs chosen on validation samples.

    counts: samples × genes, each in the unit of obs["unit"]; obs: labels, donor and split, where a
    sample of another split ('' too) is not looked at.
    """
    train, validation = ((obs["split"] == part).to_numpy() for part in ("train", "validation"))
    units = obs["unit"].to_numpy()
    normaliser = Normaliser().fit(counts[train], units[train])
    expression = normaliser.transform(counts[train], units[train])
    correction = SurrogateVariableCorrection("supervised", 10, controls=0.1)
    correction.fit(expression, obs.loc[train, ["tissue", "disease_state"]])
    corrected = correction.transform(expression)
    components = PrincipalComponents(min(COMPONENTS, int(train.sum()) // 4)).fit(corrected)
    x = components.transform(corrected)
    checked = components.transform(
        correction.transform(normaliser.transform(counts[validation], units[validation]))
    )
    novelty = Novelty().fit(x, (obs["tissue"] + "|" + obs["disease_state"])[train])
    novelty.calibrate(checked, obs["donor"][validation])
    classes = classes_of(obs)
    networks = []
    for task in tasks:
        names = {head: classes[head] for head in TASKS[task]}
        codes = {head: encode(obs[head], own) for head, own in names.items()}
        known = np.any([own >= 0 for own in codes.values()], axis=0)
        trained = fit_network(
            *(x[known[train]], {head: own[train & known] for head, own in codes.items()}),
            checked[known[validation]],
            {head: own[validation & known] for head, own in codes.items()},
            *(names, SETTINGS),
            epochs=EPOCHS,
            seed=1,
            recipe=RECIPES["best"],
            threads=1,
            progress=False,
        )
        weights = {name: values.numpy() for name, values in trained.network.state_dict().items()}
        networks.append(FrozenNetwork(trained.network.architecture, weights))
    imputation = ConditionalMean().fit(expression)
    return Chain(normaliser, imputation, correction, components, novelty, networks)
