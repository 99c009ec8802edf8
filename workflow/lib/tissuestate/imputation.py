"""Genes that a new sample lacks: what the genes it has lead one to expect.

A factor model of normalised training expression, y = mean + Wᵀt + noise, with a noise of its own
for each gene; missing genes get their conditional mean given the measured ones (Tipping & Bishop
1999, with the noise of factor analysis). At the training mean instead, a sample of few genes moves
to the middle of all classes: benchmarks/missing_genes.tsv has both.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np

FACTORS = 100
LEAST_NOISE = 0.1  # of a gene, as a share of the average gene's


class ConditionalMean:
    """Fills missing genes sample by sample; a sample that lacks none is left as it is.

    Fitted: `mean_`, `noise_` (genes) and `loadings_` (factors × genes), in single precision.
    """

    def __init__(self, factors: int = FACTORS) -> None:
        self.factors = factors

    def fit(self, Y: np.ndarray) -> Self:
        """Learn the model from training samples × genes (log2), at most a factor for 4 samples."""
        from sklearn.utils.extmath import randomized_svd

        factors = max(1, min(self.factors, len(Y) // 4, Y.shape[1] // 4))
        mean = Y.mean(axis=0, dtype=np.float64)
        deviation = np.asarray(Y - mean, dtype=np.float32)
        _, values, rows = randomized_svd(deviation, factors, n_iter=6, random_state=0)
        scaled = rows * (values / np.sqrt(max(len(Y) - 1, 1)))[:, None]
        variance = np.einsum("ij,ij->j", deviation, deviation) / max(len(Y) - 1, 1)
        noise = variance - (scaled**2).sum(axis=0)
        least = max(LEAST_NOISE * float(noise.mean()), 1e-6)
        self.mean_ = mean.astype(np.float32)
        self.loadings_ = scaled.astype(np.float32)
        self.noise_ = np.maximum(noise, least).astype(np.float32)
        return self

    def transform(self, Y: np.ndarray) -> np.ndarray:
        """The same samples × genes with every missing (NaN) value filled."""
        Y = np.asarray(Y)
        missing = np.isnan(Y)
        filled = Y.copy()
        rows = np.flatnonzero(missing.any(axis=1))
        if not len(rows):
            return filled
        loadings = self.loadings_.astype(np.float64)
        weighted = loadings / self.noise_
        whole = np.eye(len(loadings)) + weighted @ loadings.T
        pattern, precision, gaps = None, whole, loadings
        for row in rows:
            # samples of one file lack the same genes: what depends on these is made once for them
            if pattern is None or not np.array_equal(pattern, missing[row]):
                pattern = missing[row]
                gaps = loadings[:, pattern]
                precision = whole - weighted[:, pattern] @ gaps.T
            deviation = np.where(pattern, 0.0, Y[row].astype(np.float64) - self.mean_)
            factors = np.linalg.solve(precision, weighted @ deviation)
            filled[row, pattern] = self.mean_[pattern] + factors @ gaps
        return filled

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {"mean": self.mean_, "loadings": self.loadings_, "noise": self.noise_}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        model = cls(len(arrays["loadings"]))
        model.mean_, model.noise_ = arrays["mean"], arrays["noise"]
        model.loadings_ = arrays["loadings"]
        return model
