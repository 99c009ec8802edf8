"""All fitted steps from the values of a sample to the outputs of the models, in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from scipy.special import softmax

from tissuestate.arrays import load_arrays
from tissuestate.expression.correction import SurrogateVariableCorrection
from tissuestate.expression.imputation import ConditionalMean
from tissuestate.expression.normaliser import Normaliser
from tissuestate.features.novelty import Novelty
from tissuestate.features.transformers import Transformer, load_transformer
from tissuestate.models.frozen import FrozenNetwork


class Model(Protocol):
    """What answers from features: a network, or ridge regression."""

    @property
    def heads(self) -> Mapping[str, Sequence[str]]: ...

    @property
    def n_features(self) -> int: ...

    def logits(self, x: np.ndarray, /) -> dict[str, np.ndarray]: ...


class NoveltyScore(Protocol):
    """What says how unlike the training samples a sample is; above 1 it is new.

    `distances` says so of each class of `classes_` ('tissue' or 'tissue|state'), samples × classes.
    """

    @property
    def n_features(self) -> int: ...

    @property
    def classes_(self) -> np.ndarray: ...

    def distances(self, X: np.ndarray, /) -> np.ndarray: ...

    def score(self, X: np.ndarray, /) -> np.ndarray: ...

    def is_new(self, X: np.ndarray, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Chain:
    """Normaliser, imputation, correction and features; then novelty, and the models."""

    normaliser: Normaliser
    imputation: ConditionalMean
    correction: SurrogateVariableCorrection
    features: Transformer
    novelty: NoveltyScore
    networks: Sequence[Model]

    @classmethod
    def read(
        cls,
        normaliser: str | Path,
        imputation: str | Path,
        correction: str | Path,
        features: str | Path,
        novelty: str | Path,
        networks: Iterable[str | Path],
    ) -> Self:
        """The steps, from the files of the stages; networks by their folders."""
        return cls(
            Normaliser.from_arrays(load_arrays(normaliser)),
            ConditionalMean.from_arrays(load_arrays(imputation)),
            SurrogateVariableCorrection.from_arrays(load_arrays(correction)),
            load_transformer(load_arrays(features)),
            Novelty.from_arrays(load_arrays(novelty)),
            [FrozenNetwork.load(folder) for folder in networks],
        )

    @property
    def heads(self) -> list[str]:
        """The heads of all networks."""
        return [head for network in self.networks for head in network.heads]

    def expression(
        self, values: np.ndarray, units: Sequence[str], samples: Sequence[str] | None = None
    ) -> np.ndarray:
        """Log2 expression, as the correction takes it, of samples × genes.

        values: each sample in its own unit, NaN = missing. samples: their names, for errors.
        """
        return self.imputation.transform(self.normaliser.transform(values, units, samples))

    def project(self, expression: np.ndarray) -> np.ndarray:
        """Features of log2 expression."""
        return self.features.transform(self.correction.transform(expression))

    def transform(
        self, values: np.ndarray, units: Sequence[str], samples: Sequence[str] | None = None
    ) -> np.ndarray:
        """Features of samples × genes, as `expression` takes them."""
        return self.project(self.expression(values, units, samples))

    def logits(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Logits by head, samples × classes."""
        return {head: z for n in self.networks for head, z in n.logits(features).items()}

    def probabilities(
        self, features: np.ndarray, temperatures: Mapping[str, float] | None = None
    ) -> dict[str, np.ndarray]:
        """Probabilities by head, samples × classes, calibrated if the head has a temperature."""
        own = temperatures or {}
        logits = self.logits(features)
        return {head: softmax(z / own.get(head, 1.0), axis=1) for head, z in logits.items()}

    def predict(
        self, values: np.ndarray, units: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Probabilities by head (not calibrated), and whether each sample is new."""
        features = self.transform(values, units)
        return self.probabilities(features), self.novelty.is_new(features)
