"""Scores of a laboratory's samples by models that were fitted without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tissuestate.arrays import load_arrays
from tissuestate.expression.recipe import AUTO
from tissuestate.features.transformers import AllGenes
from tissuestate.labels import BACKGROUND, OTHER
from tissuestate.laboratories.ridge import Ridge
from tissuestate.protocols.features import correct_split, normalise_split
from tissuestate.tables import plain_labels

if TYPE_CHECKING:
    from anndata import AnnData

NORMALISATIONS = ("upper-quartile", "cpm")
CORRECTIONS = (("none", 0), ("supervised", 10))


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
    tried: Sequence[Candidate],
    *,
    correction: Mapping[str, Any],
    seed: int,
) -> tuple[pd.Index, dict[str, dict[str, np.ndarray]]]:
    """Names of a laboratory's samples, and for each candidate their scores by question.

    Nothing was fitted on it, nor on validation and test samples. Its own test samples get no score:
    they judge the calls in the end. correction: that of the config, of which method and number of
    surrogates are the candidate's.
    """
    obs = plain_labels(cohort.obs)
    own = (obs["laboratory"] == laboratory) | obs["donor"].isin(
        obs.loc[obs["laboratory"] == laboratory, "donor"]
    )
    split = obs["split"].where(~own & obs["split"].isin(["train", BACKGROUND]), "")
    asked = (obs["laboratory"] == laboratory) & (obs["split"] != "test")
    split = split.mask(asked, "test")
    scores = {}
    for normalisation, group in groupby(tried, lambda one: one.normalisation):
        values, labels = normalise_split(cohort, split, normalisation)
        fitted, is_asked = ((labels["split"] == part).to_numpy() for part in ("train", "test"))
        # a tissue that no other laboratory has is neither known here nor of no class
        known = labels["tissue"].isin({OTHER, *labels.loc[~is_asked, "tissue"]}).to_numpy()
        for candidate in group:
            chosen = {**correction, "method": candidate.correction, "n_sv": candidate.n_sv}
            corrected = correct_split(values, labels, chosen, fitted, seed)
            x = AllGenes().fit(corrected[fitted]).transform(corrected)
            model = Ridge().fit(x[~is_asked], labels[~is_asked], classes)
            scores[candidate.name] = model.scores(x[is_asked & known])
    return labels.index[is_asked & known], scores


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
