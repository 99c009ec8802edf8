"""The features of an evaluation protocol, made from the cohort's raw values for one split."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import fill_missing
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.transformers import make_transformer
from tissuestate.labels import HEADS
from tissuestate.tables import plain_labels

if TYPE_CHECKING:
    from anndata import AnnData


def prepare_features(
    cohort: "AnnData",
    split: pd.Series,
    kinds: Collection[str],
    *,
    normalisation: str,
    correction: Mapping[str, Any],
    features: Mapping[str, Any],
    on_all: Collection[str] = (),
    seed: int,
    threads: int,
) -> dict[str, "AnnData"]:
    """Features by kind, made from the raw values of `cohort` for this split.

    normalisation, correction, features: those parts of the config. on_all: which of `splits.STEPS`
    are fitted on all samples; the others are fitted on training samples. Samples that take no part
    are left out.
    """
    values, obs = normalise_split(cohort, split, normalisation, "normalisation" in on_all)
    if not len(obs):
        return {kind: cohort[:0].copy() for kind in kinds}
    training = (obs["split"] == "train").to_numpy()
    values = correct_split(values, obs, correction, training | ("correction" in on_all), seed)
    labels = obs[list(HEADS)].agg("|".join, axis=1).to_numpy()
    rows = training | ("features" in on_all)
    return {
        kind: _transform(values, labels, rows, cohort.var_names, obs, kind, features, seed, threads)
        for kind in kinds
    }


def normalise_split(
    cohort: "AnnData", split: pd.Series, method: Any, on_all: bool = False
) -> tuple[np.ndarray, pd.DataFrame]:
    """Normalised expression, its gaps filled, and labels of the samples that take part.

    Fitted on training samples, or `on_all` of them.
    """
    takes_part = (split != "").to_numpy()
    obs = plain_labels(cohort.obs)[takes_part].assign(split=split[takes_part])
    values = np.asarray(cohort.X)[takes_part]
    fitted = (obs["split"] == "train").to_numpy() | on_all
    units, names = obs["unit"].to_numpy(), obs.index.to_numpy()
    if not len(obs):
        return values, obs
    normaliser = Normaliser(method).fit(values[fitted], units[fitted], names[fitted])
    values = normaliser.transform(values, units, names)
    return (fill_missing(values, fitted)[0] if np.isnan(values).any() else values), obs


def correct_split(
    values: np.ndarray, obs: pd.DataFrame, chosen: Mapping[str, Any], fitted: np.ndarray, seed: int
) -> np.ndarray:
    """Expression without what the surrogates of the samples `fitted` explain."""
    correction = SurrogateVariableCorrection(
        chosen["method"], chosen["n_sv"], engine=chosen["engine"], seed=seed
    )
    known = obs[fitted]
    correction.fit(values[fitted], known[list(chosen["design"])], obs=known)
    return correction.transform(values)


def _transform(
    values: np.ndarray,
    labels: np.ndarray,
    fitted: np.ndarray,
    genes: pd.Index,
    obs: pd.DataFrame,
    kind: str,
    chosen: Mapping[str, Any],
    seed: int,
    threads: int,
) -> "AnnData":
    """Features of one kind, with fewer components if the training set is small."""
    import anndata

    transformer = make_transformer(
        kind,
        components=min(chosen["components"], int(fitted.sum()), values.shape[1]),
        forest_genes=min(chosen["forest_genes"], values.shape[1]),
        seed=seed,
        threads=threads,
    )
    transformer.fit(values[fitted], labels[fitted], genes=genes)
    var = pd.DataFrame(index=transformer.names_)
    return anndata.AnnData(transformer.transform(values), obs=obs, var=var)
