"""The tandem's networks: fully connected layers under one softmax head a question asked."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from tissuestate.errors import InputError
from tissuestate.files import atomic

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
DROPOUT_FROM = 2  # the first of the hidden layers that dropout follows, counted from 0
WEIGHTS, DESCRIPTION = "weights.safetensors", "network.json"


@dataclass(frozen=True)
class Architecture:
    """Everything needed to build a network before its weights are filled in."""

    n_features: int
    widths: tuple[int, ...]
    dropout: float
    activation: str
    heads: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise InputError(
                f"activation {self.activation!r} is unknown; use one of {', '.join(ACTIVATIONS)}."
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}; it must be at least 0 and below 1.")
        if not self.widths or min(self.widths) < 1 or self.n_features < 1:
            raise InputError(
                f"a network of {self.n_features} features and widths {list(self.widths)} "
                "cannot be built; every layer needs at least one unit."
            )
        if not self.heads or not all(self.heads.values()):
            raise InputError("a network needs at least one head, and each head a class.")


class ClassifierNetwork(nn.Module):
    """Input layer, hidden layers, and a linear head for each question.

    Hong, Hachem & Fehlings 2022: seven layers (input, five hidden, output), dropout after the
    hidden layers 3, 4 and 5. Inputs are shifted and scaled by two buffers that belong to the
    network (`standardise`), so that features of very unequal spread can be given as they are.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.register_buffer("shift", torch.zeros(architecture.n_features))
        self.register_buffer("scale", torch.ones(architecture.n_features))
        layers: list[nn.Module] = []
        width = architecture.n_features
        for number, units in enumerate(architecture.widths):
            layers += [nn.Linear(width, units), ACTIVATIONS[architecture.activation]()]
            if number >= DROPOUT_FROM and architecture.dropout > 0:
                layers.append(nn.Dropout(architecture.dropout))
            width = units
        self.hidden = nn.Sequential(*layers)
        self.heads = nn.ModuleDict(
            {head: nn.Linear(width, len(classes)) for head, classes in architecture.heads.items()}
        )

    def standardise(self, shift: torch.Tensor, scale: torch.Tensor) -> None:
        """Set the shift and divisor applied to the inputs; both of length n_features."""
        with torch.no_grad():
            self.shift.copy_(shift)
            self.scale.copy_(1 / scale)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of each head, samples × classes, of a batch of samples × features."""
        return self.from_standardised(self.standardised(x))

    def standardised(self, x: torch.Tensor) -> torch.Tensor:
        """The inputs shifted and scaled, as the first layer takes them."""
        return (x - self.shift) * self.scale

    def from_standardised(self, z: torch.Tensor) -> dict[str, torch.Tensor]:
        """`forward` for inputs that are standardised already (once, before many epochs)."""
        hidden = self.hidden(z)
        return {head: layer(hidden) for head, layer in self.heads.items()}


def choose_device(device: str = "auto") -> torch.device:
    """The device to compute on: as named, or for 'auto' CUDA, else MPS, else the CPU."""
    found = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, present in found.items() if present)
    if not found.get(device.partition(":")[0], False):
        present = ", ".join(name for name, present in found.items() if present)
        raise InputError(f"device {device!r} is not here; use auto, or one of: {present}.")
    return torch.device(device)


def save_network(folder: str | Path, network: ClassifierNetwork, **meta: Any) -> None:
    """Write weights.safetensors and network.json into `folder`; equal networks, equal bytes.

    `meta` is kept in network.json beside the architecture (anything JSON can hold).
    """
    folder = Path(folder)
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    description = {"architecture": asdict(network.architecture), **meta}
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))
    with atomic(folder / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def read_description(folder: str | Path) -> dict[str, Any]:
    """What network.json in `folder` says: the architecture and whatever was saved beside it."""
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        return {**description, "architecture": description["architecture"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a readable network description ({error}).") from error


def load_network(folder: str | Path) -> ClassifierNetwork:
    """The network that `save_network` wrote into `folder`, on the CPU, in evaluation mode."""
    folder = Path(folder)
    fields = read_description(folder)["architecture"]
    try:
        architecture = Architecture(
            n_features=int(fields["n_features"]),
            widths=tuple(int(width) for width in fields["widths"]),
            dropout=float(fields["dropout"]),
            activation=str(fields["activation"]),
            heads={head: tuple(classes) for head, classes in fields["heads"].items()},
        )
        network = ClassifierNetwork(architecture)
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except InputError:
        raise
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        safetensors.SafetensorError,
    ) as error:
        raise InputError(
            f"{folder}: {WEIGHTS} and {DESCRIPTION} do not hold one network ({error})."
        ) from error
    if not all(np.isfinite(tensor.numpy()).all() for tensor in network.state_dict().values()):
        raise InputError(f"{folder / WEIGHTS}: holds weights that are not finite numbers.")
    return network.eval()
