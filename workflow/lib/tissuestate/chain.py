"""Every fitted step between the values of a sample and what the networks say, in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tissuestate.calibrate import softmax
from tissuestate.correction import SurrogateVariableCorrection
from tissuestate.features import Transformer, load_transformer
from tissuestate.files import load_arrays
from tissuestate.imputation import ConditionalMean
from tissuestate.normalise import Normaliser
from tissuestate.novelty import Novelty

if TYPE_CHECKING:
    from tissuestate.networks import ClassifierNetwork


@dataclass(frozen=True)
class Chain:
    """Normaliser, imputation, correction, features; then novelty and the networks beside it."""

    normaliser: Normaliser
    imputation: ConditionalMean
    correction: SurrogateVariableCorrection
    features: Transformer
    novelty: Novelty
    networks: "Sequence[ClassifierNetwork]"

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
        """The steps from the files of the stages; networks by their folders."""
        from tissuestate.networks import load_network

        return cls(
            Normaliser.from_arrays(load_arrays(normaliser)),
            ConditionalMean.from_arrays(load_arrays(imputation)),
            SurrogateVariableCorrection.from_arrays(load_arrays(correction)),
            load_transformer(load_arrays(features)),
            Novelty.from_arrays(load_arrays(novelty)),
            [load_network(folder) for folder in networks],
        )

    @property
    def heads(self) -> list[str]:
        """The heads of all networks."""
        return [head for network in self.networks for head in network.heads]

    def transform(self, values: np.ndarray, units: Sequence[str]) -> np.ndarray:
        """Features of samples × genes (each in its own unit, NaN = missing)."""
        expression = self.imputation.transform(self.normaliser.transform(values, units))
        return self.features.transform(self.correction.transform(expression))

    def predict(
        self, values: np.ndarray, units: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """For each head probabilities (not calibrated), and whether each sample is new."""
        from tissuestate.train import predict_logits

        features = self.transform(values, units)
        logits = [predict_logits(network, features) for network in self.networks]
        shares = {head: softmax(z) for part in logits for head, z in part.items()}
        return shares, self.novelty.is_new(features)
