"""Composition of a cohort: samples by class and split, and classes that batches share."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.labels import HEADS, STATES


def split_table(kept: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Samples by head, class and split; kept has disease_state, tissue, subtype and split."""
    rows = []
    for head in HEADS:
        for name in classes[head]:
            chosen = kept[kept[head] == name]
            counts = {
                split: int((chosen["split"] == split).sum())
                for split in ("train", "validation", "test")
            }
            rows.append({"head": head, "class": name, **counts, "total": len(chosen)})
    return pd.DataFrame(rows)


def batches(samples: pd.DataFrame) -> pd.Series:
    """The batch of each sample: its study, with the source if a study has several."""
    study = samples["study"].astype(str)
    if "source" not in samples or (samples.groupby("study")["source"].nunique() < 2).all():
        return study
    return study + " (" + samples["source"].astype(str) + ")"


def contrasts(kept: pd.DataFrame, head: str = "disease_state") -> pd.DataFrame:
    """The batches that have samples of both classes, for each pair of classes of a head.

    Subtypes are paired within their tissue. Columns: head, first, second, studies (the
    batches, '' = none) and samples (their number in those). Without a common batch, the two classes
    cannot be distinguished from the batches that they come from.
    """
    labelled = kept[kept[head] != ""]
    counts = pd.crosstab(batches(labelled), labelled[head])
    rows = []
    for first, second in _pairs(labelled, head):
        both = counts.index[(counts[first] > 0) & (counts[second] > 0)]
        rows.append(
            {
                "head": head,
                "first": first,
                "second": second,
                "studies": ", ".join(map(str, both)),
                "samples": int(counts.loc[both, [first, second]].to_numpy().sum()),
            }
        )
    return pd.DataFrame(rows, columns=["head", "first", "second", "studies", "samples"])


def _pairs(labelled: pd.DataFrame, head: str) -> list[tuple[str, str]]:
    if head == "disease_state":
        return list(combinations(present_states(labelled), 2))
    if head == "tissue":
        return list(combinations(sorted(labelled[head].unique()), 2))
    own = labelled.groupby("tissue")[head].unique()
    return [pair for names in own for pair in combinations(sorted(names), 2)]


def pairs_without_common_batch(
    rows: Iterable[Mapping[str, Any]], *heads: str
) -> list[tuple[str, str]]:
    """The pairs of classes of `heads` that share no batch, from the records of `contrasts`."""
    return [
        (row["first"], row["second"])
        for row in rows
        if row.get("head", "disease_state") in heads and not row["studies"]
    ]


def present_states(kept: pd.DataFrame) -> list[str]:
    """The disease states that occur, in their usual order."""
    return [state for state in STATES if (kept["disease_state"] == state).any()]


def states_of_tissue(kept: pd.DataFrame) -> dict[str, dict[str, int]]:
    """For each tissue how many training samples it has of each state (of all that occur)."""
    training = kept[kept["split"] == "train"]
    counts = pd.crosstab(training["tissue"], training["disease_state"])[present_states(training)]
    return {str(tissue): row.astype(int).to_dict() for tissue, row in counts.iterrows()}


def cramers_v(first: pd.Series, second: pd.Series) -> float:
    """Cramér's V of two labels: 0 independent, 1 one determines the other (NaN if one is constant).

    Cramér 1946, chapter 21; without bias correction.
    """
    counts = pd.crosstab(first, second).to_numpy(float)
    smaller = min(counts.shape) - 1
    if smaller < 1:
        return float("nan")
    expected = np.outer(counts.sum(1), counts.sum(0)) / counts.sum()
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi_squared / (counts.sum() * smaller)))
