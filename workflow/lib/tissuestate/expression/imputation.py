"""Estimates of the genes that a sample lacks, from the genes that it has.

A factor model of normalised training expression, y = mean + Wᵀt + noise, with a noise of its own
for each gene; missing genes get their conditional mean given the measured ones (Tipping & Bishop
1999, with the noise of factor analysis). With the training mean instead, a sample of few genes
moves to the middle of all classes: benchmarks/missing_genes.tsv has both.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

FACTORS = 100
REFITS = 2  # after a first fit, if training samples lack genes
LEAST_NOISE = 0.1  # of a gene, as a share of the average gene's
_BLOCK = 24  # rows computed at once; constant, because BLAS rounds differently for other numbers


def fill_missing(Y: np.ndarray, fitted: np.ndarray) -> tuple[np.ndarray, "ConditionalMean"]:
    """The samples × genes without gaps, and the model of the samples `fitted` that filled them."""
    imputation = ConditionalMean().fit(Y[fitted])
    return (imputation.transform(Y) if np.isnan(Y).any() else Y), imputation


class ConditionalMean:
    """Fills missing genes sample by sample; a sample without missing genes is unchanged.

    Fitted: `mean_`, `noise_` (genes) and `loadings_` (factors × genes), in single precision.
    """

    def __init__(self, factors: int = FACTORS) -> None:
        self.factors = factors

    def fit(self, Y: np.ndarray) -> Self:
        """Learn the model from training samples × genes (log2, NaN = missing).

        If samples lack genes, the model is first fitted to the half that lacks fewest, gaps at the
        gene's mean, and then again to all, gaps filled by the model before. A gene without any
        value is estimated as 0.
        """
        missing = np.isnan(Y)
        if not missing.any():
            return self._fit(Y)
        measured = np.maximum((~missing).sum(axis=0), 1)
        gaps = missing.sum(axis=1)
        first = gaps <= np.median(gaps)
        means = (np.nansum(Y, axis=0, dtype=np.float64) / measured).astype(Y.dtype)
        self._fit(np.where(missing[first], means, Y[first]))
        for _ in range(REFITS):
            self._fit(self.transform(Y))
            # an estimate lies on the model and adds nothing to the noise
            self.noise_ *= (len(Y) / measured).astype(np.float32)
        return self

    def _fit(self, Y: np.ndarray) -> Self:
        """Learn the model from complete samples × genes; at most one factor per 4 samples."""
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
        """The same samples × genes with every missing (NaN) value filled.

        Samples that lack the same genes, as those of one file do, share all but the products of
        their own values. Other samples change a sample's values at most by rounding in double
        precision.
        """
        from scipy.linalg import cho_solve

        Y = np.asarray(Y)
        filled = Y.copy()
        for rows, missing, gaps, known, precision in self._patterns(np.isnan(Y)):
            for start in range(0, len(rows), _BLOCK):
                part = rows[start : start + _BLOCK]
                deviation = np.zeros((_BLOCK, known.shape[1]))
                deviation[: len(part)] = Y[part][:, ~missing] - self.mean_[~missing]
                factors = cho_solve(precision, known @ deviation.T).T
                means = self.mean_[missing] + factors @ gaps
                filled[np.ix_(part, missing)] = means[: len(part)]
        return filled

    def carry_slopes_back(self, slopes: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Slopes in filled expression, moved to the genes that were measured.

        slopes, missing (bool): samples × genes. A missing gene's slope goes to the measured genes
        in proportion to their part in its estimate; its own slope becomes 0.
        """
        from scipy.linalg import cho_solve

        carried = slopes.copy()
        for rows, gone, gaps, known, precision in self._patterns(missing):
            factors = cho_solve(precision, gaps @ slopes[np.ix_(rows, gone)].T).T
            carried[np.ix_(rows, ~gone)] += factors @ known
            carried[np.ix_(rows, gone)] = 0
        return carried

    def _patterns(
        self, missing: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Any]]:
        """The rows that lack the same genes, those genes, and the basis of their estimates.

        The basis is the loadings of the missing genes, those of the measured genes divided by their
        noise, and the factors' precision (Cholesky) given the latter.
        """
        from scipy.linalg import cho_factor

        rows_of: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(missing.any(axis=1)).tolist():
            rows_of.setdefault(np.packbits(missing[row]).tobytes(), []).append(row)
        if not rows_of:
            return
        loadings = self.loadings_.astype(np.float64)
        weighted = loadings / self.noise_
        whole = np.eye(len(loadings)) + weighted @ loadings.T
        for rows in rows_of.values():
            gone = missing[rows[0]]
            gaps = loadings[:, gone]
            precision = cho_factor(whole - weighted[:, gone] @ gaps.T)
            yield np.array(rows), gone, gaps, weighted[:, ~gone], precision

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
