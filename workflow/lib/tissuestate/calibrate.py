"""Calibration: one temperature a head, fitted on validation samples, and how much it helps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

LOG_BOUND = np.log(100.0)  # temperatures are sought between 1/100 and 100


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities (float64, rows sum to 1) of logits divided by a temperature."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return scaled / scaled.sum(axis=1, keepdims=True)


def fit_temperature(logits: np.ndarray, codes: np.ndarray) -> float:
    """The temperature of least cross-entropy on the labelled samples (Guo et al. 2017).

    logits: samples × classes. codes: class numbers, -1 where unknown. As in Platt (1999), the
    targets are those that one more sample of unknown class would leave: 1 - 1/(n + 1) for the true
    class. Without that, a head that calls all n samples right would be made infinitely sure.
    Returns 1 where there is nothing to fit on.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    known = codes >= 0
    n_classes = logits.shape[1]
    if not known.any() or n_classes < 2:
        return 1.0
    z, y = np.asarray(logits[known], dtype=np.float64), codes[known]
    unknown = 1 / (len(y) + 1)

    def cross_entropy(log_temperature: float) -> float:
        scaled = log_softmax(z * np.exp(-log_temperature), axis=1)
        own = scaled[np.arange(len(y)), y].mean()
        return -float((1 - unknown) * own + unknown * scaled.mean())

    found = minimize_scalar(
        cross_entropy, bounds=(-LOG_BOUND, LOG_BOUND), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def expected_calibration_error(
    probabilities: np.ndarray, codes: np.ndarray, bins: int = 15
) -> float:
    """The mean gap between confidence and accuracy over equal-width bins of confidence.

    probabilities: samples × classes. codes: class numbers, -1 where unknown (left out). NaN where
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
    """The calibration error to expect of probabilities that are exactly right, by chance alone.

    Few samples leave gaps in every bin: an error is worth a thought where it exceeds this. The mean
    over `draws` of labels from the probabilities (samples × classes); NaN without samples.
    """
    if not len(probabilities):
        return float("nan")
    uniform = np.random.default_rng(0).random((draws, len(probabilities), 1))
    codes = (uniform > probabilities.cumsum(axis=1)).sum(axis=2)
    codes = codes.clip(max=probabilities.shape[1] - 1)
    return float(np.mean([expected_calibration_error(probabilities, row, bins) for row in codes]))


def calibrate_heads(
    logits: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], split: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Calibrated probabilities of each head, and a report of what calibration did.

    logits: samples × classes for each head. labels: class numbers, -1 where unknown. split: of
    each sample; the 'validation' ones are fitted on. The report is ready for JSON: `temperatures`
    by head, and `ece` by head, split and before/after/chance (null where a split has no labelled
    sample).
    """
    probabilities: dict[str, np.ndarray] = {}
    temperatures: dict[str, float] = {}
    errors: dict[str, dict[str, dict[str, float | None]]] = {}
    for head, z in logits.items():
        fitted_on = split == "validation"
        temperatures[head] = fit_temperature(z[fitted_on], labels[head][fitted_on])
        probabilities[head] = softmax(z, temperatures[head])
        stages = {"before": softmax(z), "after": probabilities[head]}
        errors[head] = {}
        for part in ("validation", "test"):
            rows = split == part
            found = {
                stage: expected_calibration_error(p[rows], labels[head][rows])
                for stage, p in stages.items()
            }
            found["chance"] = chance_calibration_error(
                probabilities[head][rows & (labels[head] >= 0)]
            )
            errors[head][part] = {s: None if np.isnan(e) else e for s, e in found.items()}
    return probabilities, {"temperatures": temperatures, "ece": errors}
