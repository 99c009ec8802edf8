"""Training a network: the whole set in memory, index-permuted batches, the best epoch kept."""

import contextlib
import copy
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from torch.nn import functional

from tissuestate.errors import InputError
from tissuestate.models.architecture import Architecture
from tissuestate.models.cuda_graphs import record_steps
from tissuestate.models.hand_gradients import HandGradients, is_faster_by_hand
from tissuestate.models.linear_start import fit_linear_start
from tissuestate.models.loss import Differentiate, batch_shares, differentiate, soft_targets
from tissuestate.models.network import ClassifierNetwork, choose_device
from tissuestate.models.samples import TaskData

log = logging.getLogger(__name__)

BLOCK = 1024  # rows a forward pass takes when predicting
FEW = 1000  # samples; with more, a linear start was no gain and on all genes takes a minute
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": partial(torch.optim.SGD, momentum=0.9, fused=True),
    "rmsprop": torch.optim.RMSprop,
}


class DivergenceError(ArithmeticError):
    """The loss was not a finite number before the first epoch had ended."""


def _check_choice(value: str, allowed: Sequence[str], name: str) -> None:
    if value not in allowed:
        raise InputError(f"{name} {value!r} is unknown; use one of {', '.join(allowed)}.")


@dataclass(frozen=True)
class Hyperparameters:
    """Hyper-parameters that tuning searches; the defaults suit expression."""

    learning_rate: float = 1e-3
    batch_size: int = 32
    widths: tuple[int, ...] = (512, 256, 128, 64, 32)
    dropout: float = 0.2
    optimizer: str = "adam"
    activation: str = "relu"

    def __post_init__(self) -> None:
        _check_choice(self.optimizer, tuple(OPTIMIZERS), "optimizer")
        if self.learning_rate <= 0 or self.batch_size < 1:
            raise InputError(
                f"learning rate {self.learning_rate} and batch size {self.batch_size} must be "
                "above 0 and at least 1."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Hyperparameters":
        """Hyper-parameters from parsed JSON; unknown names are refused."""
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(f"unknown hyper-parameter: {', '.join(sorted(unknown))}.")
        if "widths" in values:
            values = {**values, "widths": tuple(values["widths"])}
        return cls(**values)


@dataclass(frozen=True)
class Recipe:
    """The training settings of a network that tuning does not search.

    direct: each head also takes the features themselves (`Architecture`). With few samples, no more
    than features, training begins as the logistic regression of each head (epoch 0). is_guided: the
    search tries the default hyper-parameters before TPE proposes any, and a trial's loss is that of
    its best epoch, which training would keep, not of its last.
    """

    label_smoothing: float = 0.0
    direct: bool = False
    is_guided: bool = False


# 'best' had the least validation loss (summed over heads, five donor-grouped splits of real GTEx
# and TCGA samples). Without smoothing a few overconfident calls of the disease state raise that
# loss early, and the epoch that is kept comes before the network knows the small tissues. The
# direct path helps most if samples are few: five hidden layers alone learn the subtypes of a few
# hundred tumours less well than a linear model does, and depend on lucky hyper-parameters. Begun at
# random, the two together still had .897 balanced accuracy for the subtype; logistic regression had
# .915; begun as that, .920 (five folds of the samples outside each of five test sets). For state
# and tissue, which have four samples per feature, that start is no gain: on two of the splits .002
# less and .004 more. Of 15 trials within wide bounds the one of least last loss was often a network
# that had learnt slowly and knew the small tissues badly; the default was better than that on
# validation samples.
RECIPES = {"paper": Recipe(), "best": Recipe(label_smoothing=0.02, direct=True, is_guided=True)}


def read_recipe(name: str) -> Recipe:
    """The recipe of a name in `RECIPES`."""
    _check_choice(name, tuple(RECIPES), "recipe")
    return RECIPES[name]


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network (on the CPU, evaluation mode) and the course of its training."""

    network: ClassifierNetwork
    history: pd.DataFrame
    best_epoch: int
    fit_seconds: float


@contextlib.contextmanager
def seed_torch(seed: int, threads: int | None, device: torch.device) -> Iterator[None]:
    """Seed torch and bound its threads inside the block, and restore both afterwards."""
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    devices = [device] if device.type == "cuda" else []
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
        torch.use_deterministic_algorithms(deterministic)


def _build_network(
    n_features: int,
    classes: Mapping[str, Sequence[str]],
    hyperparameters: Hyperparameters,
    direct: bool,
) -> ClassifierNetwork:
    """A network in evaluation mode, which leaves dropout to the masks that training draws."""
    architecture = Architecture(
        n_features=n_features,
        widths=hyperparameters.widths,
        dropout=hyperparameters.dropout,
        activation=hyperparameters.activation,
        heads={head: tuple(names) for head, names in classes.items()},
        direct=direct,
    )
    return ClassifierNetwork(architecture).eval()


def _input_scale(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shift of each feature and one divisor for all; 1 if nothing varies."""
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    deviation = variance.mean().expand_as(variance).sqrt()
    return mean, torch.where(deviation > 0, deviation, torch.ones_like(deviation))


def _targets(
    y: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    place: torch.device,
    smoothing: float = 0.0,
) -> dict[str, torch.Tensor]:
    """The `soft_targets` of each head."""
    return {
        head: soft_targets(torch.from_numpy(y[head]).long(), len(names), smoothing).to(place)
        for head, names in classes.items()
    }


def _loss(logits: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the labelled samples; 0 if there is none."""
    total = functional.cross_entropy(logits, codes, ignore_index=-1, reduction="sum")
    return total / (codes >= 0).sum().clamp(min=1)


def _validate_network(
    network: ClassifierNetwork, x: torch.Tensor, y: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    """Cross-entropy and accuracy of each head, and the sum of the cross-entropies."""
    with torch.inference_mode():
        blocks = [network.forward_standardised(block) for block in x.split(BLOCK)]
        measured = {"validation_loss": 0.0}
        for head, codes in y.items():
            logits = torch.cat([block[head] for block in blocks])
            loss = float(_loss(logits, codes))
            right = (logits.argmax(1) == codes).sum() / (codes >= 0).sum().clamp(min=1)
            measured["validation_loss"] += loss
            measured[f"{head}_validation_loss"] = loss
            measured[f"{head}_validation_accuracy"] = float(right)
    return measured


class BestEpoch:
    """The losses and accuracies of a network after each epoch, and its weights after the best."""

    def __init__(
        self, network: ClassifierNetwork, x: torch.Tensor, y: Mapping[str, torch.Tensor]
    ) -> None:
        self.network, self.x, self.y = network, x, y
        self.history: list[dict[str, float]] = []
        self.best_loss, self.best_epoch = float("inf"), 0
        self.best_weights: dict[str, torch.Tensor] = {}

    def record(self, epoch: int, loss: float) -> bool:
        """Validate the network after an epoch; False if a loss is not a finite number."""
        measured = {"epoch": epoch, "loss": loss} | _validate_network(self.network, self.x, self.y)
        validation_loss = measured["validation_loss"]
        if not np.isfinite([loss, validation_loss]).all():
            return False
        self.history.append(measured)
        if validation_loss < self.best_loss:
            self.best_loss, self.best_epoch = validation_loss, epoch
            weights = self.network.state_dict()
            self.best_weights = {name: tensor.clone() for name, tensor in weights.items()}
        return True


def _choose_step(
    network: ClassifierNetwork, hyperparameters: Hyperparameters
) -> tuple[Differentiate, torch.optim.Optimizer]:
    """The function that computes gradients, and the optimiser that uses them."""
    parameters = list(network.parameters())
    step: Differentiate = partial(differentiate, network, parameters)
    if is_faster_by_hand(network, hyperparameters.batch_size):
        by_hand = HandGradients(network)
        step, parameters = by_hand.differentiate, [by_hand.flat]
        if network.shift.is_cuda:
            step = record_steps(step)
    optimizer = OPTIMIZERS[hyperparameters.optimizer](parameters, lr=hyperparameters.learning_rate)
    return step, optimizer


def train_epoch(
    network: ClassifierNetwork,
    step: Differentiate,
    optimizer: torch.optim.Optimizer,
    z: torch.Tensor,
    targets: Mapping[str, torch.Tensor],
    batch_size: int,
) -> float:
    """Train on every sample once, in random batches, and return the mean loss.

    z, targets: standardised inputs and, for each head, `soft_targets`.
    """
    order = torch.randperm(len(z)).to(z.device)
    batch = torch.arange(len(z), device=z.device) // batch_size  # of each sample as drawn
    shares = [
        batch_shares(target.index_select(0, order), batch).split(batch_size)
        for target in targets.values()
    ]
    masks = [mask.split(batch_size) for mask in network.dropout_masks(len(z))]
    losses = []
    for number, rows in enumerate(order.split(batch_size)):
        of_batch = [share[number] for share in shares], [mask[number] for mask in masks]
        losses.append(step(z.index_select(0, rows), *of_batch))
        optimizer.step()
    return float(torch.stack(losses) @ batch.bincount().float()) / len(z)


def _train_epochs(
    best: BestEpoch, train_once: Callable[[], float], epochs: int, progress: bool
) -> None:
    """Train until all epochs are done or a loss is not a finite number; load the best weights."""
    for epoch in range(1, epochs + 1):
        if not best.record(epoch, train_once()):
            log.warning("epoch %d: the loss is not a finite number; training stops", epoch)
            break
        if progress and epoch % max(1, epochs // 20) == 0:
            log.info(
                "epoch %d of %d: loss %.4f, validation loss %.4f (best %.4f at epoch %d)",
                *(epoch, epochs),
                *(best.history[-1][name] for name in ("loss", "validation_loss")),
                *(best.best_loss, best.best_epoch),
            )
    if not best.best_weights:
        raise DivergenceError(f"no epoch of {epochs} had a finite loss")
    best.network.load_state_dict(best.best_weights)


def fit_network(
    x: np.ndarray,
    y: Mapping[str, np.ndarray],
    x_validation: np.ndarray,
    y_validation: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    hyperparameters: Hyperparameters,
    *,
    epochs: int,
    seed: int,
    recipe: Recipe = RECIPES["paper"],
    device: str = "auto",
    threads: int | None = None,
    progress: bool = True,
) -> TrainedNetwork:
    """Train a network and keep the epoch of least validation cross-entropy (summed over heads).

    x, x_validation: samples × features. y, y_validation: for each head of `classes`, a class number
    per sample, -1 if unknown (left out of the loss). Equal arguments, threads and device give
    bit-identical weights. `progress` logs twenty lines. Raises `DivergenceError` if the loss never
    was a finite number.
    """
    place = choose_device(device)
    started = time.perf_counter()
    with seed_torch(seed, threads, place):
        train_x, check_x = (
            torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).to(place)
            for values in (x, x_validation)
        )
        check_y = {head: torch.from_numpy(y_validation[head]).long().to(place) for head in classes}
        network = _build_network(x.shape[1], classes, hyperparameters, recipe.direct).to(place)
        network.set_input_scale(*_input_scale(train_x))
        train_x, check_x = network.standardise(train_x), network.standardise(check_x)
        best = BestEpoch(network, check_x, check_y)
        if recipe.direct and len(x) <= min(x.shape[1], FEW):
            best.record(0, fit_linear_start(network, train_x, _targets(y, classes, place)))
        train_once = partial(
            train_epoch,
            network,
            *_choose_step(network, hyperparameters),
            train_x,
            _targets(y, classes, place, recipe.label_smoothing),
            hyperparameters.batch_size,
        )
        _train_epochs(best, train_once, epochs, progress)
        network = copy.deepcopy(network).cpu()  # its tensors are no longer views of one vector
    return TrainedNetwork(
        network=network,
        history=pd.DataFrame(best.history),
        best_epoch=best.best_epoch,
        fit_seconds=time.perf_counter() - started,
    )


def fit_task(data: TaskData, hyperparameters: Hyperparameters, **options: Any) -> TrainedNetwork:
    """`fit_network` on the samples of a task."""
    return fit_network(
        data.x,
        data.y,
        data.x_validation,
        data.y_validation,
        data.classes,
        hyperparameters,
        **options,
    )


def predict_logits(network: ClassifierNetwork, x: np.ndarray) -> dict[str, np.ndarray]:
    """Logits of each head, samples × classes, float64, computed on the CPU.

    Double precision makes a sample's result independent of other samples (to about 1e-12).
    """
    exact = copy.deepcopy(network).cpu().double().eval()
    with torch.inference_mode():
        blocks = [
            exact(torch.from_numpy(np.asarray(x[start : start + BLOCK], dtype=np.float64)))
            for start in range(0, max(len(x), 1), BLOCK)
        ]
    return {head: torch.cat([b[head] for b in blocks]).numpy() for head in exact.heads}


def predict_proba(network: ClassifierNetwork, x: np.ndarray) -> dict[str, np.ndarray]:
    """Probabilities of each head, samples × classes, float64, not calibrated.

    Other samples do not change those of a sample (to about 1e-12).
    """
    return {head: softmax(z, axis=1) for head, z in predict_logits(network, x).items()}
