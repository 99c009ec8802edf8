"""The table of predictions: one row per sample, its true classes, calls and probabilities."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.evaluation.tandem import route_subtypes
from tissuestate.labels import HEADS
from tissuestate.tables import read_table


def _most_probable(probabilities: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The most probable class of each sample, '' if there are no probabilities."""
    called = np.array([*names, ""], dtype=object)
    known = (
        ~np.isnan(probabilities).any(axis=1) if len(names) else np.zeros(len(probabilities), bool)
    )
    best = np.where(
        known, np.nan_to_num(probabilities).argmax(axis=1) if len(names) else 0, len(names)
    )
    return called[best]


def tabulate_predictions(
    obs: pd.DataFrame, probabilities: Mapping[str, np.ndarray], classes: Mapping[str, Any]
) -> pd.DataFrame:
    """The table of predictions: one row per sample of `obs`, in its order.

    Columns: sample, split, donor, study, source, then for each head `{head}_true` ('' unknown),
    `{head}_call` and `{head}:{class}`, its probability. `subtype_call` obeys the tandem rule ('' if
    the called tissue has no subtypes); `subtype:{class}` are the probabilities of the subtype
    network for any sample.
    """
    table = pd.DataFrame({"sample": obs.index.astype(str)})
    for column in ("split", "donor"):
        table[column] = obs[column].to_numpy() if column in obs else table["sample"]
    for column in ("study", "source"):
        table[column] = obs[column].to_numpy() if column in obs else ""
    for head in (head for head in HEADS if head in probabilities):
        names = list(classes[head])
        called = probabilities[head]
        if head == "subtype":
            called = route_subtypes(called, table["tissue_call"], classes)
        table[f"{head}_true"] = obs[head].where(obs[head].isin(names), "").to_numpy()
        table[f"{head}_call"] = _most_probable(called, names)
        scores = pd.DataFrame(probabilities[head], columns=[f"{head}:{name}" for name in names])
        table = pd.concat([table, scores], axis=1)
    return table


def read_predictions(path: str | Path, samples: Iterable[str] | None = None) -> pd.DataFrame:
    """The predictions of `samples` (None = all) from a file; labels are strings, '' for none."""
    return read_table(path, samples=samples)
