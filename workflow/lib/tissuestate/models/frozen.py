"""A trained network as plain arrays, for calls without torch, whose import takes seconds."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np

from tissuestate.errors import InputError
from tissuestate.models.architecture import DESCRIPTION, WEIGHTS, Architecture


def _gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


# As torch defines them (torch.nn.SELU: Klambauer et al. 2017; leaky slope 0.01).
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": _elu,
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * _elu(x)),
    "gelu": _gelu,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
}


class FrozenNetwork:
    """`network.ClassifierNetwork` in evaluation mode and double precision.

    architecture: of the network; weights: its tensors by the names that torch gives them.
    """

    def __init__(self, architecture: Architecture, weights: Mapping[str, np.ndarray]) -> None:
        self.architecture = architecture
        self.heads = architecture.heads
        exact = {name: np.asarray(tensor, dtype=np.float64) for name, tensor in weights.items()}
        self.shift, self.scale = exact["shift"], exact["scale"]
        numbers = sorted({int(name.split(".")[1]) for name in exact if name.startswith("hidden.")})
        self.hidden = [(exact[f"hidden.{i}.weight"], exact[f"hidden.{i}.bias"]) for i in numbers]
        self.outputs = {
            head: (exact[f"heads.{head}.weight"], exact[f"heads.{head}.bias"])
            for head in architecture.heads
        }
        self.direct = {
            head: exact[f"direct.{head}.weight"]
            for head in architecture.heads
            if architecture.direct
        }
        widths = (architecture.n_features, *architecture.widths)
        expected = {
            "shift": (widths[0],),
            "scale": (widths[0],),
            **{
                f"hidden.{i}.{part}": shape
                for i, (before, after) in zip(numbers, pairwise(widths), strict=True)
                for part, shape in (("weight", (after, before)), ("bias", (after,)))
            },
            **{
                f"heads.{head}.{part}": shape
                for head, classes in architecture.heads.items()
                for part, shape in (
                    ("weight", (len(classes), widths[-1])),
                    ("bias", (len(classes),)),
                )
            },
            **{
                f"direct.{head}.weight": (len(architecture.heads[head]), widths[0])
                for head in self.direct
            },
        }
        found = {name: tensor.shape for name, tensor in exact.items()}
        if found != expected:
            name = min(dict(found.items() ^ expected.items()))
            raise ValueError(f"{name} is {found.get(name)}, expected {expected.get(name)}")
        if not all(np.isfinite(tensor).all() for tensor in exact.values()):
            raise ValueError("weights that are not finite numbers")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The network that `network.save_network` wrote into `folder`.

        Raises InputError if the files hold no network or two different ones.
        """
        import safetensors
        import safetensors.numpy

        folder = Path(folder)
        architecture = Architecture.read(folder)
        try:
            return cls(architecture, safetensors.numpy.load_file(folder / WEIGHTS))
        except (
            OSError,
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
            IndexError,
            safetensors.SafetensorError,
        ) as error:
            raise InputError(
                f"{folder}: {WEIGHTS} and {DESCRIPTION} do not hold one network ({error})."
            ) from error

    @property
    def n_features(self) -> int:
        """The number of features."""
        return self.architecture.n_features

    def logits(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Logits of each head, samples × classes, float64, of samples × features."""
        activate = ACTIVATIONS[self.architecture.activation]
        inputs = (np.asarray(x, np.float64) - self.shift) * self.scale
        values = inputs
        for weight, bias in self.hidden:
            values = activate(values @ weight.T + bias)
        logits = {head: values @ weight.T + bias for head, (weight, bias) in self.outputs.items()}
        for head, weight in self.direct.items():
            logits[head] += inputs @ weight.T
        return logits
