"""Integrity: mRIN of every sample against a reference cohort, from the samples' profiles.

Feng, Zhang & Zhang, Nat. Commun. 2015, steps 4 to 6, as the published code computes them.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from scipy.stats import norm

from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.integrity.profiles import BINS, MIN_ABUNDANCE, Profile, load_profile
from tissuestate.reference.shared import read_shared
from tissuestate.reference.transcripts import read_bed
from tissuestate.refusals import read_refusal

_BLOCK = 256  # transcripts at a time, so that memory stays near that of the matrix itself
_ALPHA_FROM, _ALPHA_STEP = -0.05, 0.0005
# Of this many covered transcripts, drawn at random, 95 % of mRINs lie within 0.025 of that of all:
# benchmarks/share_of_transcripts.tsv.
LEAST_SHARED = 100

log = logging.getLogger(__name__)


def abundant_deviations(profile: Profile) -> np.ndarray:
    """d of the transcripts that are abundant enough, NaN elsewhere (step 4)."""
    return np.where(profile.abundance > MIN_ABUNDANCE, profile.d, np.nan)


def load_profiles(
    paths: Sequence[str | Path], bed: str, transcripts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Deviations (samples × transcripts, NaN = missing) and coverage (samples × 100).

    bed: digest of the BED file that the profiles must have been made with.
    Raises InputError for an unreadable profile or one of other transcripts.
    """
    matrix = np.empty((len(paths), transcripts))
    coverage = np.empty((len(paths), BINS))
    for row, path in enumerate(paths):
        profile = load_profile(path, bed)
        if len(profile.d) != transcripts:
            raise InputError(
                f"{path}: {len(profile.d)} transcripts, expected {transcripts}; make the "
                "profile again from its BAM."
            )
        matrix[row] = abundant_deviations(profile)
        coverage[row] = profile.coverage
    return matrix, coverage


def _column_blocks(matrix: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of columns, transposed and copied: one row per transcript."""
    for start in range(0, matrix.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        yield block, np.ascontiguousarray(matrix[:, block].T)


def _column_medians(matrix: np.ndarray) -> np.ndarray:
    """Median of each column, NaN left out; NaN if a column has nothing else."""
    medians = np.full(matrix.shape[1], np.nan)
    for block, rows in _column_blocks(matrix):
        rows.sort(axis=1)  # NaN last
        count = np.count_nonzero(~np.isnan(rows), axis=1)
        any_ = np.flatnonzero(count)
        low, high = (count[any_] - 1) // 2, count[any_] // 2
        medians[block][any_] = (rows[any_, low] + rows[any_, high]) / 2
    return medians


def truncated_normal(mrin: np.ndarray) -> tuple[float, float, float]:
    """(alpha, mu, sigma) of the normal whose upper tail fits the intact samples best.

    For each alpha from −0.05 to the largest mRIN in steps of 0.0005, with at least two samples
    above it: moments of the samples above give mu and sigma (alpha is not standardised, as in
    the published code), and the distance is that of Kolmogorov and Smirnov between those samples
    and the normal's upper tail of the same share.

    The published code represents that tail by the largest of 10⁶ random draws; here it is exact.
    That changes the distances by up to about 10⁻³, the noise of the draws, and the result only
    where two alphas are that close to each other: never on the reference data of the published
    code; in simulated cohorts of 24 to 1,000 samples in 4 of 30, where z moved by 0.001 to 0.05,
    and once, at 24 samples, by 0.6. The order of p never changes: z is linear in mRIN.

    NaN for all three if no alpha gives a positive variance (fewer than two samples, or all
    alike).
    """
    values = np.sort(mrin[np.isfinite(mrin)])
    best = (np.inf, np.nan, np.nan, np.nan)
    steps = np.floor((values[-1] - _ALPHA_FROM) / _ALPHA_STEP + 1e-10) if len(values) else -1
    for step in range(int(steps) + 1):
        alpha = _ALPHA_FROM + step * _ALPHA_STEP
        above = values[np.searchsorted(values, alpha, side="right") :]
        if len(above) < 2 or above[0] == above[-1]:
            continue
        tail, density = norm.sf(alpha), norm.pdf(alpha)
        shrink = 1 + alpha * density / tail - (density / tail) ** 2
        sigma = float(np.sqrt(above.var(ddof=1) / shrink))
        mu = float(above.mean() - density * sigma / tail)
        share = len(above) / len(values)
        fitted = np.clip(1 - norm.sf(above, mu, sigma) / share, 0, 1)
        ranks = np.arange(len(above) + 1) / len(above)
        distance = max((ranks[1:] - fitted).max(), (fitted - ranks[:-1]).max())
        if distance < best[0]:
            best = (float(distance), alpha, mu, sigma)
    return best[1:]


class MRIN:
    """mRIN: how intact the RNA of a sample is, against the medians of a reference cohort.

    Parameters
    ----------
    transcripts: names, in the order of the columns.
    bed: digest of the BED file that the profiles were made with.

    Fitted state
    ------------
    median_: median deviation of each transcript, NaN if no reference sample has one.
    mrin_: mRIN of the reference samples.
    alpha_, mu_, sigma_: the normal that describes intact samples; NaN if it cannot be fitted.
    """

    def __init__(self, transcripts: Sequence[str], bed: str = "") -> None:
        self.transcripts = list(transcripts)
        self.bed = bed

    def fit(self, deviations: np.ndarray) -> Self:
        """Learn medians and normal from reference samples × transcripts (NaN = missing)."""
        self.median_ = _column_medians(deviations)
        self.mrin_ = self._mrin(deviations)[0]
        self.alpha_, self.mu_, self.sigma_ = truncated_normal(self.mrin_)
        if np.isnan(self.sigma_):
            log.warning(
                "the mRINs of %d reference samples do not suffice for a normal distribution: "
                "z and p stay empty",
                len(self.mrin_),
            )
        return self

    def score(self, deviations: np.ndarray) -> pd.DataFrame:
        """Columns mrin, z, p and transcripts (their number), one row per sample.

        mrin = −mean(d − median) over the transcripts that both have; NaN without any.
        p is the share of intact samples expected below: small means degraded.
        """
        mrin, used = self._mrin(deviations)
        z = (mrin - self.mu_) / self.sigma_
        return pd.DataFrame({"mrin": mrin, "z": z, "p": norm.cdf(z), "transcripts": used})

    def gis(self, deviations: np.ndarray) -> pd.DataFrame:
        """Gene integrity score and number of samples behind it, one row per transcript.

        gis = Pearson correlation over samples of d − median with mRIN; NaN with fewer than two
        samples or no variance. Rows are in the order of `transcripts`.
        """
        mrin, _ = self._mrin(deviations)
        scores = np.full(len(self.transcripts), np.nan)
        samples = np.zeros(len(self.transcripts), np.int64)
        for block, rows in _column_blocks(deviations):
            rows -= self.median_[block, None]
            present = ~np.isnan(rows) & ~np.isnan(mrin)
            count = samples[block] = present.sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                x = np.where(present, rows, 0)
                x = np.where(present, x - (x.sum(axis=1) / count)[:, None], 0)
                y = np.where(present, mrin, 0)
                y = np.where(present, y - (y.sum(axis=1) / count)[:, None], 0)
                spread = np.sqrt((x * x).sum(axis=1)) * np.sqrt((y * y).sum(axis=1))
                scores[block] = np.where(spread > 0, (x * y).sum(axis=1) / spread, np.nan)
        return pd.DataFrame({"transcript": self.transcripts, "gis": scores, "samples": samples})

    def select(self, transcripts: Sequence[str]) -> Self:
        """The same model of these transcripts alone. Raises KeyError for one that it lacks."""
        place = {name: number for number, name in enumerate(self.transcripts)}
        part = copy(self)
        part.transcripts = list(transcripts)
        part.median_ = self.median_[[place[name] for name in transcripts]]
        return part

    def _mrin(self, deviations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """mRIN and the number of transcripts used of each sample, computed row by row."""
        if deviations.ndim != 2 or deviations.shape[1] != len(self.transcripts):
            raise ValueError(
                f"deviations of shape {deviations.shape}, expected samples × "
                f"{len(self.transcripts)} transcripts"
            )
        mrin = np.full(len(deviations), np.nan)
        used = np.zeros(len(deviations), np.int64)
        for row, values in enumerate(deviations):
            shifted = values - self.median_
            shifted = shifted[~np.isnan(shifted)]
            used[row] = len(shifted)
            if len(shifted):
                mrin[row] = -shifted.mean()
        return mrin, used

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {
            "transcripts": np.array(self.transcripts, str),
            "bed": np.array(self.bed, str),
            "median": self.median_,
            "alpha": np.array(self.alpha_),
            "mu": np.array(self.mu_),
            "sigma": np.array(self.sigma_),
            "mrin": self.mrin_,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        model = cls(arrays["transcripts"].tolist(), str(arrays["bed"]))
        model.median_, model.mrin_ = arrays["median"], arrays["mrin"]
        model.alpha_, model.mu_, model.sigma_ = (
            float(arrays[name]) for name in ("alpha", "mu", "sigma")
        )
        return model


@dataclass(frozen=True)
class CohortIntegrity:
    """The integrity of a cohort.

    model: fitted on the reference samples.
    mrin: sample, mrin, z, p, transcripts.
    gis: transcript, gis, samples.
    coverage: samples × 100 bins from 5′ to 3′.
    """

    model: MRIN
    mrin: pd.DataFrame
    gis: pd.DataFrame
    coverage: pd.DataFrame


def score_cohort(
    profiles: Mapping[str, str | Path], bed: str | Path, reference: Collection[str]
) -> CohortIntegrity:
    """The integrity of all samples against the reference samples among them.

    profiles: the file of each sample's profile; bed: the transcripts they were made with;
    reference: the samples whose medians and normal are learnt.
    Raises InputError for profiles of other transcripts, or if no reference sample has a profile.
    """
    # Reference samples first: they are then a view of the matrix, not a second one.
    order = sorted(profiles, key=lambda sample: sample not in reference)
    fitted = sum(sample in reference for sample in order)
    if not fitted:
        raise InputError(
            f"{bed}: none of the {len(order)} samples with reads is a training sample, so mRIN has "
            "no reference; set fit_on: all, or give training samples reads."
        )
    names = [transcript.name for transcript in read_bed(bed)]
    bed_digest = file_checksum(bed)
    matrix, coverage = load_profiles([profiles[s] for s in order], bed_digest, len(names))
    model = MRIN(names, bed_digest).fit(matrix[:fitted])
    mrin = model.score(matrix).set_axis(pd.Index(order, name="sample")).loc[list(profiles)]
    bins = [str(number) for number in range(1, BINS + 1)]
    curves = pd.DataFrame(coverage, pd.Index(order, name="sample"), bins).loc[list(profiles)]
    return CohortIntegrity(model, mrin.reset_index(), model.gis(matrix), curves)


def score_samples(profiles: Mapping[str, str | Path], bed: str | Path, model: MRIN) -> pd.DataFrame:
    """Columns sample, mrin, z, p and transcripts of new samples against a fitted cohort.

    bed: the cohort's transcripts, or those of them that the samples' reference shares. Of a part,
    mRIN, z and p are NaN unless the sample covers `LEAST_SHARED`.
    A sample that was refused, whose profile says so, has no row.
    Raises InputError if the profiles are of other transcripts, or the cohort lacks some of them.
    """
    names = [transcript.name for transcript in read_shared(bed)]
    bed_digest = file_checksum(bed)
    profiles = {sample: path for sample, path in profiles.items() if not read_refusal(path)}
    matrix, _ = load_profiles(list(profiles.values()), bed_digest, len(names))
    try:
        scores = model.select(names).score(matrix)
    except KeyError as error:
        raise InputError(
            f"{bed}: its transcript {error} is none of the cohort's; use the BED file that belongs "
            "to it."
        ) from error
    log.info("%d of the cohort's %d transcripts are shared", len(names), len(model.transcripts))
    if len(names) < len(model.transcripts):
        scores.loc[scores["transcripts"] < LEAST_SHARED, ["mrin", "z", "p"]] = np.nan
    scores.insert(0, "sample", list(profiles))
    return scores
