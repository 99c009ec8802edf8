"""Calibration by one temperature per head, fitted on validation samples, and its effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.evaluation.tandem import apply_tandem

LOG_BOUND = np.log(100.0)  # temperatures are sought between 1/100 and 100
ENOUGH = 20  # samples of a bin, if bins hold equally many
PRIOR = 0.75  # standard deviation of log temperatures: two in three lie between 0.5 and 2.1


def fit_temperature(
    logits: np.ndarray, codes: np.ndarray, rivals: np.ndarray | None = None
) -> float:
    """The temperature with the smallest cross-entropy on labelled samples (Guo et al. 2017).

    logits: samples × classes. codes: class numbers, -1 if unknown. rivals: classes × classes, True
    if two compete (None = all do). As in Platt 1999, targets include half a sample of unknown
    class: 1 - 0.5/(n + 0.5) for the true class. Without it, a head that calls all n samples
    correctly would become infinitely confident. A whole sample makes subtypes, which have some
    sixty validation samples, less confident than they are accurate (.941 on average against .952,
    forty splits of real samples; .944 with half a sample). Because few samples carry little
    information, log temperatures have a normal prior around 0 (networks that are calibrated
    already). Returns 1 if there is nothing to fit on.
    """
    from scipy.optimize import minimize_scalar

    known = codes >= 0
    n_classes = logits.shape[1]
    if not known.any() or n_classes < 2:
        return 1.0
    z, y = np.asarray(logits[known], dtype=np.float64), codes[known]
    competes = np.ones(z.shape, dtype=bool) if rivals is None else rivals[y]
    z = np.where(competes, z, -np.inf)
    unknown = 0.5 / (len(y) + 0.5)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(z * np.exp(-log_temperature), axis=1)
        own = scaled[np.arange(len(y)), y].mean()
        average = scaled.mean(axis=1, where=competes).mean()
        surprise = (log_temperature / PRIOR) ** 2 / 2 / len(y)
        return float(surprise - (1 - unknown) * own - unknown * average)

    found = minimize_scalar(
        loss, bounds=(-LOG_BOUND, LOG_BOUND), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities: np.ndarray, codes: np.ndarray, bins: int = 15
) -> float:
    """The mean gap between confidence and accuracy over equal-width bins of confidence.

    probabilities: samples × classes. codes: class numbers, -1 if unknown (left out). NaN if
    no sample is labelled. Naeini, Cooper & Hauskrecht 2015, equation 3.
    """
    known = codes >= 0
    if not known.any():
        return float("nan")
    p, y = probabilities[known], codes[known]
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def chance_calibration_error(probabilities: np.ndarray, bins: int = 15, draws: int = 200) -> float:
    """The calibration error by chance alone, if probabilities are exactly right.

    Few samples leave gaps in every bin: an error matters only if it exceeds this one. It is the
    mean over `draws` of labels from the probabilities (samples × classes); NaN without samples.
    """
    if not len(probabilities):
        return float("nan")
    uniform = np.random.default_rng(0).random((draws, len(probabilities), 1))
    codes = (uniform > probabilities.cumsum(axis=1)).sum(axis=2)
    codes = codes.clip(max=probabilities.shape[1] - 1)
    return float(np.mean([expected_calibration_error(probabilities, row, bins) for row in codes]))


@dataclass(frozen=True)
class CalibrationError:
    """The difference between confidence and accuracy.

    expected: as usual (`expected_calibration_error`), which is never 0, and larger for fewer
    samples. chance: its mean if the probabilities are exactly right. debiased: the root mean square
    gap without what chance adds, 0 if nothing is left, with its 95 % interval; a mean gap is never
    larger than the root mean square one.
    """

    expected: float
    chance: float
    debiased: float
    low: float
    high: float


def calibration_error(
    probabilities: np.ndarray,
    codes: np.ndarray,
    donors: np.ndarray,
    *,
    bins: int = 15,
    resamples: int = 1000,
    seed: int = 0,
) -> CalibrationError:
    """The calibration error of labelled samples × classes.

    codes: class numbers; donors: of each sample, as numbers from 0. The debiased error is that of
    Kumar, Liang & Ma 2019, over bins of equally many samples; its interval comes from resampling
    donors.
    """
    right = (probabilities.argmax(axis=1) == codes).astype(float)
    confidence = probabilities.max(axis=1)
    rank = confidence.argsort(kind="stable").argsort(kind="stable")
    bins_used = max(1, min(bins, len(codes) // ENOUGH))
    member = np.eye(bins_used)[rank * bins_used // len(codes)]  # samples × bins

    def squared_gaps(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each row of weights the mean squared gap, and chance's part in it."""
        sizes = np.maximum(weights @ member, 1e-9)
        accuracy = weights @ (member * right[:, None]) / sizes
        gap = accuracy - weights @ (member * confidence[:, None]) / sizes
        noise = accuracy * (1 - accuracy) / np.maximum(sizes - 1, 1)
        total = weights.sum(axis=1)
        return (sizes * gap**2).sum(axis=1) / total, (sizes * noise).sum(axis=1) / total

    plain, noise = squared_gaps(np.ones((1, len(codes))))
    found = plain - noise
    # resampling adds its own noise to that of the samples: around the error it finds, not around 0
    drawn, drawn_noise = squared_gaps(bootstrap_weights(donors, resamples, seed))
    spread = np.percentile(drawn - drawn_noise - plain, [2.5, 97.5])
    low, high = np.sqrt(np.maximum(found + spread, 0))
    return CalibrationError(
        expected_calibration_error(probabilities, codes, bins),
        chance_calibration_error(probabilities, bins),
        float(np.sqrt(max(found[0], 0))),
        float(low),
        float(high),
    )


def calibrate_heads(
    logits: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    split: np.ndarray,
    classes: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Calibrated probabilities of each head, and a report on the calibration.

    logits: samples × classes for each head. labels: class numbers, -1 if unknown. split: of each
    sample; the 'validation' ones are fitted on. classes: those of each head, and subtypes_of each
    tissue: a subtype is fitted and scored among those of its tissue, as it is shown. The report is
    ready for JSON: `temperatures` by head, and `ece` by head, split and before/after/chance (null
    if a split has no labelled sample).
    """
    fitted_on = split == "validation"
    temperatures = {
        head: fit_temperature(z[fitted_on], labels[head][fitted_on], _rivals(head, classes))
        for head, z in logits.items()
    }
    probabilities = {head: softmax(z / temperatures[head], axis=1) for head, z in logits.items()}
    before = apply_tandem({head: softmax(z, axis=1) for head, z in logits.items()}, classes)
    errors: dict[str, dict[str, dict[str, float | None]]] = {}
    for head, after in apply_tandem(probabilities, classes).items():
        errors[head] = {}
        for part in ("validation", "test"):
            rows = (split == part) & (labels[head] >= 0) & ~np.isnan(after).any(axis=1)
            found = {
                "before": expected_calibration_error(before[head][rows], labels[head][rows]),
                "after": expected_calibration_error(after[rows], labels[head][rows]),
                "chance": chance_calibration_error(after[rows]),
            }
            errors[head][part] = {s: None if np.isnan(e) else e for s, e in found.items()}
    return probabilities, {"temperatures": temperatures, "ece": errors}


def _rivals(head: str, classes: Mapping[str, Any]) -> np.ndarray | None:
    """Which subtypes compete; None for a head whose classes all do."""
    if head != "subtype":
        return None
    tissue_of = {name: tissue for tissue, own in classes["subtypes_of"].items() for name in own}
    tissues = np.array([tissue_of[name] for name in classes["subtype"]])
    return tissues[:, None] == tissues
