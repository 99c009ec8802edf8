"""What a cohort is made of: samples by class and split, and how studies and states go together."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from tissuestate.sheet import HEADS, STATES


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


def contrasts(kept: pd.DataFrame, by: str = "study") -> pd.DataFrame:
    """For every two disease states, the studies that have samples of both.

    Returns the columns first, second, studies (names, '' = none) and samples (in those studies).
    Where there is none, the two states cannot be told from the studies they come from.
    """
    counts = pd.crosstab(kept[by], kept["disease_state"])
    rows = []
    for first, second in combinations(states_of(kept), 2):
        both = counts.index[(counts[first] > 0) & (counts[second] > 0)]
        rows.append(
            {
                "first": first,
                "second": second,
                "studies": ", ".join(map(str, both)),
                "samples": int(counts.loc[both, [first, second]].to_numpy().sum()),
            }
        )
    return pd.DataFrame(rows, columns=["first", "second", "studies", "samples"])


def states_of(kept: pd.DataFrame) -> list[str]:
    """The disease states that occur, in their usual order."""
    return [state for state in STATES if (kept["disease_state"] == state).any()]


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
