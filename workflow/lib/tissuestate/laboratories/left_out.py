"""Scores of a laboratory's samples by models that were fitted without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tissuestate.arrays import load_arrays
from tissuestate.labels import BACKGROUND, OTHER
from tissuestate.laboratories.ridge import Ridge
from tissuestate.protocols.features import prepare_features
from tissuestate.tables import plain_labels

if TYPE_CHECKING:
    from anndata import AnnData

NORMALISATIONS = ("upper-quartile", "cpm")
CORRECTIONS = (("none", 0), ("supervised", 10))
AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """A way to prepare expression: its normalisation, and a method and number of surrogates."""

    normalisation: str
    correction: str
    n_sv: int | str

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.normalisation + (
            "" if self.correction == "none" else f" + {self.n_sv} {self.correction}"
        )


def candidates(normalisation: str, correction: Mapping[str, Any]) -> list[Candidate]:
    """What is tried: what the config says and, for what it leaves to be chosen, all ways."""
    first = NORMALISATIONS if normalisation == AUTO else (normalisation,)
    second: Sequence[tuple[str, int | str]] = CORRECTIONS
    if correction["method"] != AUTO:
        second = [(correction["method"], correction["n_sv"])]
    return [Candidate(one, *two) for one in first for two in second]


def score_left_out(
    cohort: "AnnData",
    laboratory: str,
    classes: Mapping[str, Any],
    candidate: Candidate,
    *,
    correction: Mapping[str, Any],
    seed: int,
    threads: int,
) -> tuple[pd.Index, dict[str, np.ndarray]]:
    """Names and scores of a laboratory's samples; nothing was fitted on it, nor on test samples.

    Nor on validation samples. Its own test samples get no score: they judge the calls in the end.
    correction: that of the config, of which method and number of surrogates are the candidate's.
    """
    obs = plain_labels(cohort.obs)
    own = (obs["laboratory"] == laboratory) | obs["donor"].isin(
        obs.loc[obs["laboratory"] == laboratory, "donor"]
    )
    split = obs["split"].where(~own & obs["split"].isin(["train", BACKGROUND]), "")
    asked = (obs["laboratory"] == laboratory) & (obs["split"] != "test")
    split = split.mask(asked, "test")
    features = prepare_features(
        cohort,
        split,
        ["all"],
        normalisation=candidate.normalisation,
        correction={**correction, "method": candidate.correction, "n_sv": candidate.n_sv},
        features={"components": 1, "forest_genes": 1},
        seed=seed,
        threads=threads,
    )["all"]
    labels = plain_labels(features.obs)
    is_asked = (labels["split"] == "test").to_numpy()
    model = Ridge().fit(features.X[~is_asked], labels[~is_asked], classes)
    # a tissue that no other laboratory has is neither known here nor of no class
    is_asked &= labels["tissue"].isin({OTHER, *labels.loc[~is_asked, "tissue"]}).to_numpy()
    return labels.index[is_asked], model.scores(features.X[is_asked])


def read_scores(
    paths: Sequence[str | Path], names: Sequence[str]
) -> tuple[list[str], dict[str, dict[str, np.ndarray]]]:
    """Samples left out, and for each candidate their scores by question, from all laboratories."""
    parts = [load_arrays(path) for path in paths]
    parts = [part for part in parts if len(part["samples"])]
    scores: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    for key in parts[0] if parts else ():
        name, _, question = key.partition("|")
        if question:
            scores[name][question] = np.concatenate([part[key] for part in parts])
    return [str(sample) for part in parts for sample in part["samples"]], scores
