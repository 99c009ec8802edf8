"""Time training side by side: this library, a plain DataLoader loop, skorch, and the bare products.

python benchmarks/training.py benchmarks/training.tsv [--samples N --features N --epochs N ...]

Same network, data, epochs and threads throughout; a row each of seconds, and of the rate at which
the forward and backward matrix products were done. skorch is timed where it is installed.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from tissuestate.architecture import Architecture
from tissuestate.networks import ClassifierNetwork
from tissuestate.train import Hyperparameters, fit_network
from torch import nn

CLASSES = {"tissue": tuple(f"tissue {number}" for number in range(14))}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--samples", type=int, default=7081)
    parser.add_argument("--features", type=int, default=2000)
    parser.add_argument("--widths", type=int, nargs="+", default=[512, 256, 128, 64, 32])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    return parser.parse_args()


def build(options: argparse.Namespace) -> ClassifierNetwork:
    return ClassifierNetwork(
        Architecture(options.features, tuple(options.widths), 0.2, "relu", CLASSES)
    )


def train_here(options, x, y, x_validation, y_validation) -> None:
    fit_network(
        x,
        {"tissue": y},
        x_validation,
        {"tissue": y_validation},
        CLASSES,
        Hyperparameters(batch_size=options.batch_size, widths=tuple(options.widths)),
        epochs=options.epochs,
        seed=1,
        device="cpu",
        threads=options.threads,
    )


def train_with_loader(options, x, y, x_validation, y_validation) -> None:
    def loader(features, codes, shuffle):
        tensors = torch.from_numpy(features), torch.from_numpy(codes)
        dataset = torch.utils.data.TensorDataset(*tensors)
        return torch.utils.data.DataLoader(dataset, options.batch_size, shuffle=shuffle)

    network, criterion = build(options), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    training, validation = loader(x, y, True), loader(x_validation, y_validation, False)
    for _ in range(options.epochs):
        network.train()
        for features, codes in training:
            optimizer.zero_grad()
            criterion(network(features)["tissue"], codes).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for features, codes in validation:
                criterion(network(features)["tissue"], codes).item()


def train_with_skorch(options, x, y, x_validation, y_validation) -> None:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build(options)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return self.network(features)["tissue"]

    NeuralNetClassifier(
        Single,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=options.batch_size,
        max_epochs=options.epochs,
        train_split=predefined_split(Dataset(x_validation, y_validation)),
        verbose=0,
    ).fit(x, y)


def products(options: argparse.Namespace, n_validation: int) -> tuple[float, Callable[[], None]]:
    """Floating-point operations of all epochs' matrix products, and a function that does them."""
    widths = [options.features, *options.widths, len(CLASSES["tissue"])]
    shapes = list(itertools.pairwise(widths))
    batch, steps = options.batch_size, -(-options.samples // options.batch_size)
    inputs = [torch.randn(batch, before) for before, _ in shapes]
    weights = [torch.randn(after, before) for before, after in shapes]
    gradients = [torch.randn(batch, after) for _, after in shapes]
    checked = [torch.randn(n_validation, before) for before, _ in shapes]

    def multiply() -> None:
        for _ in range(options.epochs):
            for _ in range(steps):
                for number, weight in enumerate(weights):
                    inputs[number] @ weight.T
                    gradients[number].T @ inputs[number]
                    if number:
                        gradients[number] @ weight
            for values, weight in zip(checked, weights, strict=True):
                values @ weight.T

    size = sum(before * after for before, after in shapes)
    later = size - shapes[0][0] * shapes[0][1]
    each = 2 * batch * steps * (2 * size + later) + 2 * n_validation * size
    return float(each * options.epochs), multiply


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(0)
    n_validation = options.samples * 15 // 70
    data = []
    for n in (options.samples, n_validation):
        data += [rng.normal(size=(n, options.features)).astype(np.float32), rng.integers(0, 14, n)]
    operations, multiply = products(options, n_validation)
    ways: dict[str, Callable[[], None]] = {
        "tissuestate": lambda: train_here(options, *data),
        "DataLoader loop": lambda: train_with_loader(options, *data),
        "matrix products alone": multiply,
    }
    if importlib.util.find_spec("skorch"):
        ways["skorch"] = lambda: train_with_skorch(options, *data)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(options.repeats + 1):  # the first, which warms up, is not counted
        for way, run in ways.items():
            started = time.perf_counter()
            run()
            if repeat:
                seconds[way].append(time.perf_counter() - started)
    rows = [
        {
            "way": way,
            "seconds": round(min(found), 3),
            "times_as_long": round(min(found) / min(seconds["tissuestate"]), 2),
            "gflops": round(operations / min(found) / 1e9, 1),
            "samples": options.samples,
            "features": options.features,
            "widths": ",".join(map(str, options.widths)),
            "batch_size": options.batch_size,
            "epochs": options.epochs,
            "threads": options.threads,
            "torch": torch.__version__,
            "machine": platform.machine(),
        }
        for way, found in seconds.items()
    ]
    pd.DataFrame(rows).to_csv(options.table, sep="\t", index=False)


if __name__ == "__main__":
    main()
