"""Expression of every unit on one log2 scale, each sample by itself."""

import logging
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tissuestate.errors import InputError
from tissuestate.labels import UNITS
from tissuestate.matrices.units import linear_scale

METHODS = ("upper-quartile", "tmm", "cpm")
Method = Literal["upper-quartile", "tmm", "cpm"]

log = logging.getLogger(__name__)


class Normaliser:
    """log2(scaled expression + 1), the scale of a sample set by itself and a frozen reference.

    Methods: `upper-quartile` brings the upper quartile of a sample's expressed genes (Bullard et
    al. 2010) to its median over the training samples; `tmm` multiplies by the trimmed mean of
    M-values against one frozen training sample (Robinson & Oshlack 2010, as edgeR computes it);
    `cpm` brings the total to its median over the training samples. The result of a sample never
    depends on the samples beside it, which rules out rnanorm (2.2): its UQ and TMM drop the genes
    that are zero in all samples of a call, so that one sample alone is scaled differently or fails.

    Missing genes (NaN) stay missing. They are left out of a sample's statistic, which is then
    compared with the training profile's statistic on the same genes.
    """

    def __init__(self, method: Method = "upper-quartile") -> None:
        if method not in METHODS:
            raise InputError(
                f"normalisation {method!r} is unknown; expected one of {', '.join(METHODS)}."
            )
        self.method = method

    def fit(
        self, X: np.ndarray, units: Sequence[str], samples: Sequence[str] | None = None
    ) -> "Normaliser":
        """Learn the reference from training samples (samples × genes, each in its own unit)."""
        names = self._names(X, units, samples)
        gaps = np.isnan(X).sum(axis=1)
        self.reference_ = np.ones(X.shape[1])
        for _ in range(2 if gaps.any() else 1):  # what a sample lacks is known after the first
            self.reference_, statistics = self._average(X, units, names)
        if self.method == "tmm":
            rows = [linear_scale(row, unit) for row, unit in zip(X, units, strict=True)]
            # edgeR's choice: the upper quartile, as a share of the total, nearest to the mean one
            expressed = self.reference_ > 0
            share = [np.nanquantile(row[expressed], 0.75) for row in rows] / statistics
            distance = np.where(gaps == gaps.min(), np.abs(share - share.mean()), np.inf)
            chosen = int(np.argmin(distance))
            estimate = self.reference_ * statistics[chosen]
            self.reference_ = np.where(np.isnan(rows[chosen]), estimate, rows[chosen])
            factors = np.array([self._trimmed_mean(row) for row in rows])
            self.target_ = float(np.median(statistics * factors))
        else:
            self.target_ = float(np.median(statistics))
        log.info("%s fitted on %d samples × %d genes: %g", self.method, *X.shape, self.target_)
        return self

    def _average(
        self, X: np.ndarray, units: Sequence[str], names: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The mean profile of the samples, and the statistic by which each was divided.

        The statistic of a sample that lacks genes is brought to all genes by `reference_`.
        """
        total, measured = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        statistics = np.empty(len(X))
        for i, (row, unit) in enumerate(zip(X, units, strict=True)):
            linear = self._linear(row, unit, names[i])
            present = ~np.isnan(linear)
            statistics[i] = self._statistic(linear) / self._share(present)
            total += np.nan_to_num(linear) / statistics[i]
            measured += present
        return total / np.maximum(measured, 1), statistics

    def _trimmed_mean(self, linear: np.ndarray) -> float:
        """The TMM factor against the reference, on the genes that a sample has."""
        present = ~np.isnan(linear)
        return tmm_factor(linear[present], self.reference_[present])

    def transform(
        self, X: np.ndarray, units: Sequence[str], samples: Sequence[str] | None = None
    ) -> np.ndarray:
        """log2 expression, float32, samples × genes in the order of `fit`.

        Raises InputError naming the sample for one without any expressed gene, and for another
        number of genes than in training.
        """
        names = self._names(X, units, samples)
        if X.shape[1] != len(self.reference_):
            raise InputError(
                f"found {X.shape[1]:,} genes, {len(self.reference_):,} were normalised in training."
            )
        result = np.empty(X.shape, dtype=np.float32)
        present, share = np.ones(X.shape[1], dtype=bool), 1.0
        for i, (row, unit) in enumerate(zip(X, units, strict=True)):
            linear = self._linear(row, unit, names[i])
            measured = ~np.isnan(linear)
            if not np.array_equal(measured, present):  # samples of one file lack the same genes
                present, share = measured, self._share(measured)
            factor = self._factor(linear[present], self.reference_[present], share)
            result[i] = np.log2(linear * factor + 1)
        return result

    def _share(self, present: np.ndarray) -> float:
        """Share of the reference's statistic in the genes present."""
        reference = self.reference_[present]
        if present.all() or not reference.max(initial=0) > 0:
            return 1.0
        return self._statistic(reference) / self._statistic(self.reference_)

    def _factor(self, linear: np.ndarray, reference: np.ndarray, share: float) -> float:
        """Factor of a sample, from its genes present and the same genes of the reference."""
        statistic = self._statistic(linear)
        if self.method == "tmm":
            statistic *= tmm_factor(linear, reference)
        return self.target_ * share / statistic

    def _statistic(self, linear: np.ndarray) -> float:
        if self.method == "upper-quartile":
            return _upper_quartile(linear)
        return float(np.nansum(linear))

    @staticmethod
    def _names(X: np.ndarray, units: Sequence[str], samples: Sequence[str] | None) -> Sequence[str]:
        if len(units) != len(X):
            raise ValueError(f"{len(units)} units for {len(X)} samples")
        return samples if samples is not None else [f"number {i + 1}" for i in range(len(X))]

    @staticmethod
    def _linear(row: np.ndarray, unit: str, sample: str) -> np.ndarray:
        if unit not in UNITS:
            raise InputError(
                f"sample {sample}: unknown unit {unit!r}; expected one of {', '.join(UNITS)}."
            )
        linear = linear_scale(row, unit)
        if not np.nanmax(linear, initial=0) > 0:
            raise InputError(
                f"sample {sample}: no gene is expressed (all values are zero or missing); leave "
                "the sample out."
            )
        return linear

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {
            "method": np.array(self.method),
            "reference": self.reference_,
            "target": np.array(self.target_),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Normaliser":
        """The normaliser that `to_arrays` described."""
        normaliser = cls(str(arrays["method"]))  # type: ignore[arg-type]
        normaliser.reference_ = arrays["reference"]
        normaliser.target_ = float(arrays["target"])
        return normaliser


def _upper_quartile(linear: np.ndarray) -> float:
    """The 75th percentile of the expressed genes."""
    return float(np.quantile(linear[linear > 0], 0.75))


def tmm_factor(
    counts: np.ndarray, reference: np.ndarray, m_trim: float = 0.3, a_trim: float = 0.05
) -> float:
    """Trimmed mean of M-values of one sample against a reference, as edgeR's .calcFactorTMM.

    `counts` and `reference` are on the linear scale and need not be integers. The factor
    multiplies the sample's total; it is not centred over samples.
    """
    from scipy.stats import rankdata  # slow to import, and used by one method alone

    counts, reference = (np.asarray(row, dtype=np.float64) for row in (counts, reference))
    total, reference_total = np.nansum(counts), np.nansum(reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, reference_share = counts / total, reference / reference_total
        m = np.log2(share / reference_share)
        a = (np.log2(share) + np.log2(reference_share)) / 2
        variance = (total - counts) / total / counts
        variance += (reference_total - reference) / reference_total / reference
    usable = np.isfinite(m) & np.isfinite(a) & (a > -1e10)
    m, a, variance = m[usable], a[usable], variance[usable]
    n = len(m)
    if n == 0 or np.abs(m).max() < 1e-6:
        return 1.0
    m_low, a_low = np.floor(n * m_trim) + 1, np.floor(n * a_trim) + 1
    m_rank, a_rank = rankdata(m), rankdata(a)
    keep = (m_rank >= m_low) & (m_rank <= n + 1 - m_low)
    keep &= (a_rank >= a_low) & (a_rank <= n + 1 - a_low)
    weight = 1 / variance[keep]
    if not keep.any() or not np.isfinite(weight).all() or weight.sum() == 0:
        return 1.0
    return float(np.exp2((m[keep] * weight).sum() / weight.sum()))
