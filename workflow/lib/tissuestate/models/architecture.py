"""The architecture of a network, as network.json describes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tissuestate.errors import InputError

ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "tanh", "sigmoid")
WEIGHTS, DESCRIPTION = "weights.safetensors", "network.json"


@dataclass(frozen=True)
class Architecture:
    """Everything needed to build a network before its weights are filled in.

    direct: whether each head also takes the features themselves, beside the last hidden layer.
    """

    n_features: int
    widths: tuple[int, ...]
    dropout: float
    activation: str
    heads: Mapping[str, tuple[str, ...]]
    direct: bool = False

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

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The architecture that network.json in `folder` describes."""
        fields = read_description(folder)["architecture"]
        try:
            return cls(
                n_features=int(fields["n_features"]),
                widths=tuple(int(width) for width in fields["widths"]),
                dropout=float(fields["dropout"]),
                activation=str(fields["activation"]),
                heads={head: tuple(classes) for head, classes in fields["heads"].items()},
                direct=bool(fields.get("direct", False)),
            )
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise InputError(
                f"{Path(folder) / DESCRIPTION}: describes no network ({error!r})."
            ) from error


def read_description(folder: str | Path) -> dict[str, Any]:
    """Content of network.json in `folder`: the architecture and what was saved with it."""
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        return {**description, "architecture": description["architecture"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a readable network description ({error}).") from error
