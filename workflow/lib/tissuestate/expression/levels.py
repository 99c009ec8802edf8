"""Usual levels of genes in each class, for showing a sample's level beside them."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd

from tissuestate.labels import HEADS

FEWEST = 5  # donors of a class whose levels are kept: fewer would show single persons
WIDTH = 2.0  # standard deviations on either side of the mean: 95 % of a normal distribution


class ClassLevels:
    """Mean and standard deviation of each gene's log2 expression, by head and class.

    Fitted on training samples: `names_` ('head:class' of each row), `mean_` and `deviation_`
    (classes × genes, half precision). Classes of fewer than five donors have none.
    """

    def fit(self, X: np.ndarray, labels: pd.DataFrame) -> Self:
        """Learn from samples × genes; labels has the heads and donor, one row per sample."""
        names, means, deviations = [], [], []
        for head in HEADS:
            for name in sorted(set(labels[head]) - {""}):
                rows = (labels[head] == name).to_numpy()
                if labels.loc[rows, "donor"].nunique() < FEWEST:
                    continue
                names.append(f"{head}:{name}")
                means.append(X[rows].mean(axis=0, dtype=np.float64))
                deviations.append(X[rows].std(axis=0, dtype=np.float64))
        self.names_ = np.array(names, dtype=str)
        shape = (len(names), X.shape[1])
        self.mean_ = np.array(means, dtype=np.float16).reshape(shape)
        self.deviation_ = np.array(deviations, dtype=np.float16).reshape(shape)
        return self

    def range_of(
        self, head: str, name: str, genes: Sequence[int] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the usual levels of genes (by number) in a class; NaN if none."""
        found = np.flatnonzero(self.names_ == f"{head}:{name}")
        if not len(found):
            unknown = np.full(len(genes), np.nan)
            return unknown, unknown
        mean, deviation = (a[found[0], genes].astype(float) for a in (self.mean_, self.deviation_))
        return mean - WIDTH * deviation, mean + WIDTH * deviation

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {"names": self.names_, "mean": self.mean_, "deviation": self.deviation_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        levels = cls()
        levels.names_, levels.mean_ = arrays["names"], arrays["mean"]
        levels.deviation_ = arrays["deviation"]
        return levels
