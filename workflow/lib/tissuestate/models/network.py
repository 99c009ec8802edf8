"""The tandem's networks: fully connected layers with one softmax head per question."""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.models.architecture import DESCRIPTION, WEIGHTS, Architecture

logger = logging.getLogger(__name__)

# Set by SLURM and container runtimes for a job that has a GPU.
RESERVED = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES")
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
DROPOUT_FROM = 2  # the first of the hidden layers that dropout follows, counted from 0


class ClassifierNetwork(nn.Module):
    """Input layer, hidden layers, and a linear head for each question.

    Hong, Hachem & Fehlings 2022: seven layers (input, five hidden, output), dropout after the
    hidden layers 3, 4 and 5. With a direct path, which the paper lacks, a linear function of the
    inputs is added to each head's logits (wide & deep, Cheng et al. 2016). Inputs are shifted and
    scaled by two buffers that belong to the network (`set_input_scale`), so that features of very
    unequal spread need no scaling before.
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
        self.direct = nn.ModuleDict(
            {
                head: nn.Linear(architecture.n_features, len(classes), bias=False)
                for head, classes in architecture.heads.items()
                if architecture.direct
            }
        )

    def set_input_scale(self, shift: torch.Tensor, scale: torch.Tensor) -> None:
        """Set the shift and divisor applied to the inputs; both of length n_features."""
        with torch.no_grad():
            self.shift.copy_(shift)
            self.scale.copy_(1 / scale)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of each head, samples × classes, of a batch of samples × features."""
        return self.forward_standardised(self.standardise(x))

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs of the first layer: shifted and scaled."""
        return (x - self.shift) * self.scale

    def dropout_masks(self, n: int) -> list[torch.Tensor]:
        """Dropout factors of n samples: samples × units of each layer that dropout follows.

        Drawn for an epoch at once, they take a small part of the time of `nn.Dropout` per batch.
        """
        keep = 1 - self.architecture.dropout
        limit = round(keep * 2**16) - 2**15  # 16-bit numbers below it keep a unit
        units = self.architecture.widths[DROPOUT_FROM:]
        if (
            limit == 2**15 or not units
        ):  # all are kept; torch would read 2**15 as the smallest number
            return []
        # Sixteen random bits per unit, four units per draw: draws of floats take a tenth of an
        # epoch.
        draws = torch.empty(-(-n * sum(units) // 4), dtype=torch.int64, device=self.shift.device)
        bits = draws.random_(-(2**63), None).view(torch.int16)[: n * sum(units)].view(n, -1)
        kept = torch.empty(bits.shape, dtype=torch.uint8, device=bits.device)
        torch.lt(bits, limit, out=kept)  # many times as fast as with bool
        return list((kept * (1 / keep)).split(units, 1))

    def forward_standardised(
        self, z: torch.Tensor, masks: Iterable[torch.Tensor] = ()
    ) -> dict[str, torch.Tensor]:
        """`forward` for inputs that were standardised once, before many epochs.

        masks: `dropout_masks` of these samples, for training in evaluation mode.
        """
        hidden, remaining = z, iter(masks)
        for layer in self.hidden:
            mask = next(remaining, None) if isinstance(layer, nn.Dropout) else None
            hidden = layer(hidden) if mask is None else hidden * mask
        logits = {head: layer(hidden) for head, layer in self.heads.items()}
        for head, layer in self.direct.items():
            logits[head] = logits[head] + layer(z)
        return logits


def choose_device(device: str = "auto") -> torch.device:
    """The named device; for 'auto' CUDA if present, else the CPU.

    Logs a warning if a GPU is reserved for this job and the CPU is chosen.
    """
    found = {
        "cuda": torch.cuda.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, present in found.items() if present)
    if not found.get(device.partition(":")[0], False):
        present = ", ".join(name for name, present in found.items() if present)
        raise InputError(f"device {device!r} does not exist here; use auto, or one of: {present}.")
    reserved = [name for name in RESERVED if os.environ.get(name, "") not in ("", "-1")]
    if device == "cpu" and reserved:
        reason = "the config says 'device: cpu'" if found["cuda"] else "torch sees none"
        logger.warning(
            "A GPU is reserved for this job (%s), but it trains on the CPU: %s. torch %s is built "
            "for CUDA %s.",
            ", ".join(f"{name}={os.environ[name]}" for name in reserved),
            reason,
            torch.__version__,
            torch.version.cuda,
        )
    return torch.device(device)


def save_network(folder: str | Path, network: ClassifierNetwork, **meta: Any) -> None:
    """Write weights.safetensors and network.json into `folder`; equal networks give equal bytes.

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


def load_network(folder: str | Path) -> ClassifierNetwork:
    """The network that `save_network` wrote into `folder`, on the CPU, in evaluation mode."""
    folder = Path(folder)
    architecture = Architecture.read(folder)
    try:
        with torch.device("meta"):  # allocates no memory beyond that of the weights
            network = ClassifierNetwork(architecture)
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS), assign=True)
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
