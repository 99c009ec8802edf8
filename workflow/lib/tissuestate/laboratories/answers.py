"""The ridge regression as one of a bundle's models: its heads, and how new a sample is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tissuestate.arrays import load_arrays
from tissuestate.evaluation.chain import Chain
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import ConditionalMean
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.transformers import load_transformer
from tissuestate.labels import HEADS
from tissuestate.laboratories.calibration import Calibration
from tissuestate.laboratories.ridge import Ridge

# The questions on whose scores the logits of each head depend.
SCORES_OF = {
    "disease_state": ("tumour", "adjacent"),
    "tissue": ("tissue",),
    "subtype": ("subtype",),
}
LEAST_STEP = 1e-6  # of a score; a slope over less is lost in rounding


class RidgeModel:
    """Calibrated heads on standardised expression, and the score of novelty that goes with them.

    A sample is new if no tissue's score exceeds that of none by the margin that laboratories left
    out need. novelty is 1 there, 0 where a tissue leads by 1 (as for training samples).
    """

    def __init__(
        self, ridge: Ridge, calibration: Calibration, classes: Mapping[str, Sequence[str]]
    ) -> None:
        self.ridge, self.calibration = ridge, calibration
        asked = [head for head in HEADS if head != "subtype" or "subtype" in ridge.coefficients_]
        self.heads: Mapping[str, Sequence[str]] = {head: list(classes[head]) for head in asked}

    @property
    def n_features(self) -> int:
        """The number of features."""
        return len(self.ridge.coefficients_["tissue"])

    def logits(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Logits by head, samples × classes, before their temperature."""
        return self.calibration.logits(self.ridge.scores(x), self.heads)

    def mean_slopes(
        self, head: str, start: np.ndarray, ends: np.ndarray, contrasts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean gradients of contrasts of logits on straight paths, and the contrasts' differences.

        start: features of one point; ends: samples × features; contrasts: weights of the head's
        logits, samples × classes. Gradients are samples × features. They are exact: logits are sums
        of functions of one score each, and a score is linear in the features.
        """
        point = self.ridge.scores(start.reshape(1, -1))
        first = {name: values.repeat(len(ends), axis=0) for name, values in point.items()}
        last = self.ridge.scores(ends)
        before = self.calibration.logits(first, self.heads)[head]
        slopes, difference = np.zeros(ends.shape), np.zeros(len(ends))
        for question in SCORES_OF[head]:
            for output, coefficients in enumerate(self.ridge.coefficients_[question].T):
                step = last[question][:, output] - first[question][:, output]
                taken = np.where(np.abs(step) < LEAST_STEP, LEAST_STEP, step)
                moved = first[question].copy()
                moved[:, output] += taken
                after = self.calibration.logits({**first, question: moved}, self.heads)[head]
                slope = ((after - before) * contrasts).sum(axis=1) / taken
                slopes += slope[:, None] * coefficients
                difference += slope * step
        return slopes, difference

    @property
    def classes_(self) -> np.ndarray:
        """The classes of `distances`: the tissues."""
        return np.array(self.heads["tissue"])

    def score(self, features: np.ndarray) -> np.ndarray:
        """Novelty of each sample; above 1 it is new."""
        return self.distances(features).min(axis=1)

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Novelty of each sample if it were of each tissue (samples × tissues)."""
        return distances_of(self.ridge.scores_of("tissue", features), self.calibration.margin)

    def is_new(self, features: np.ndarray) -> np.ndarray:
        """Whether each sample is unlike the training samples."""
        return self.score(features) > 1


def novelty_of(tissue_scores: np.ndarray, margin: float) -> np.ndarray:
    """Novelty from scores of samples × (tissues, none) and the margin between known and new."""
    return distances_of(tissue_scores, margin).min(axis=1)


def distances_of(tissue_scores: np.ndarray, margin: float) -> np.ndarray:
    """The same for each tissue, samples × tissues."""
    over_none = tissue_scores[:, :-1] - tissue_scores[:, -1:]
    return np.maximum(1 + (margin - over_none) / max(1 - margin, 1e-6), 0)


def read_ridge_chain(
    steps: Sequence[str | Path],
    ridge: str | Path,
    calibration: Calibration,
    classes: Mapping[str, Sequence[str]],
) -> Chain:
    """All steps with ridge regression.

    steps: the files of normaliser, imputation, correction and features.
    """
    model = RidgeModel(Ridge.from_arrays(load_arrays(ridge)), calibration, classes)
    normaliser, imputation, correction, features = map(load_arrays, steps)
    return Chain(
        Normaliser.from_arrays(normaliser),
        ConditionalMean.from_arrays(imputation),
        SurrogateVariableCorrection.from_arrays(correction),
        load_transformer(features),
        model,
        [model],
    )
