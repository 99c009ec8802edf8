"""Time training side by side: this library, plain loops, skorch, and the bare products.

python benchmarks/training.py benchmarks/training.tsv [--device cuda --threads N --repeats N]

Same network, data, epochs, device and threads throughout; a row each of time, and of the rate at
which the forward and backward matrix products were done. On the CPU ratios and rates are of
processor seconds, which other work on the machine disturbs least, on a GPU of seconds: medians of
interleaved repeats. skorch is timed if it is installed. Few epochs are trained; what 500 would take
is extrapolated from them. The cases: the paper's network at the paper's size, the same with the
smallest batches that its search tries, a network as the search on a thousand samples tries it, and
that with batches at the limit of `gradients.MOST_MULTIPLICATIONS`. Rows of other devices are kept.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tissuestate.models.architecture import Architecture
from tissuestate.models.network import ClassifierNetwork
from tissuestate.models.training import Hyperparameters, fit_network
from torch import nn

CLASSES = {"tissue": tuple(f"tissue {number}" for number in range(14))}
LONG = 500  # epochs, as in the paper


@dataclass(frozen=True)
class Case:
    """The size of a training set, of a network and of its batches; epochs timed at once."""

    samples: int
    features: int
    widths: tuple[int, ...]
    batch_size: int
    epochs: int


CASES = {
    "paper": Case(7081, 2000, (512, 256, 128, 64, 32), 128, 2),
    "small batches": Case(7081, 2000, (512, 256, 128, 64, 32), 16, 1),
    "search": Case(1277, 300, (128, 128, 128, 128, 128), 32, 25),
    "search, larger batches": Case(1277, 300, (128, 128, 128, 128, 128), 75, 25),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


def build(case: Case) -> ClassifierNetwork:
    return ClassifierNetwork(Architecture(case.features, case.widths, 0.2, "relu", CLASSES))


def train_here(case, device, x, y, x_validation, y_validation) -> None:
    fit_network(
        x,
        {"tissue": y},
        x_validation,
        {"tissue": y_validation},
        CLASSES,
        Hyperparameters(batch_size=case.batch_size, widths=case.widths),
        epochs=case.epochs,
        seed=1,
        device=device,
        threads=torch.get_num_threads(),
    )


def train_in_memory(case, device, x, y, x_validation, y_validation) -> None:
    """The plainest loop: the set in memory, dropout by torch, autograd and fused Adam."""
    network = build(case).to(device)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    features, codes, checked, truth = (
        torch.from_numpy(values).to(device) for values in (x, y, x_validation, y_validation)
    )
    for _ in range(case.epochs):
        network.train()
        for rows in torch.randperm(len(codes)).to(device).split(case.batch_size):
            optimizer.zero_grad()
            logits = network(features[rows])["tissue"]
            nn.functional.cross_entropy(logits, codes[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            nn.functional.cross_entropy(network(checked)["tissue"], truth).item()


def train_with_loader(case, device, x, y, x_validation, y_validation) -> None:
    def loader(features, codes, shuffle):
        tensors = torch.from_numpy(features), torch.from_numpy(codes)
        dataset = torch.utils.data.TensorDataset(*tensors)
        return torch.utils.data.DataLoader(dataset, case.batch_size, shuffle=shuffle)

    network, criterion = build(case).to(device), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    training, validation = loader(x, y, True), loader(x_validation, y_validation, False)
    for _ in range(case.epochs):
        network.train()
        for features, codes in training:
            optimizer.zero_grad()
            criterion(network(features.to(device))["tissue"], codes.to(device)).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for features, codes in validation:
                criterion(network(features.to(device))["tissue"], codes.to(device)).item()


def train_with_skorch(case, device, x, y, x_validation, y_validation) -> None:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = build(case)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return self.network(features)["tissue"]

    NeuralNetClassifier(
        Single,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=case.batch_size,
        max_epochs=case.epochs,
        train_split=predefined_split(Dataset(x_validation, y_validation)),
        verbose=0,
        device=device,
    ).fit(x, y)


def products(case: Case, device: str, n_validation: int) -> tuple[float, Callable[[], None]]:
    """Floating-point operations of all epochs' matrix products, and a function that does them."""
    widths = [case.features, *case.widths, len(CLASSES["tissue"])]
    shapes = list(itertools.pairwise(widths))
    batch, steps = case.batch_size, -(-case.samples // case.batch_size)
    inputs = [torch.randn(batch, before, device=device) for before, _ in shapes]
    weights = [torch.randn(after, before, device=device) for before, after in shapes]
    gradients = [torch.randn(batch, after, device=device) for _, after in shapes]
    checked = [torch.randn(n_validation, before, device=device) for before, _ in shapes]

    def multiply() -> None:
        for _ in range(case.epochs):
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
    return float(each * case.epochs), multiply


def measure(name: str, case: Case, device: str, repeats: int) -> pd.DataFrame:
    """One row per way of training: its median time of several, in turn with the others."""
    rng = np.random.default_rng(0)
    n_validation = case.samples * 15 // 70
    data = []
    for n in (case.samples, n_validation):
        data += [rng.normal(size=(n, case.features)).astype(np.float32), rng.integers(0, 14, n)]
    operations, multiply = products(case, device, n_validation)
    ways: dict[str, Callable[[], None]] = {
        "tissuestate": lambda: train_here(case, device, *data),
        "same loop, autograd and fused Adam": lambda: train_in_memory(case, device, *data),
        "DataLoader loop": lambda: train_with_loader(case, device, *data),
        "matrix products alone": multiply,
    }
    if importlib.util.find_spec("skorch"):
        ways["skorch"] = lambda: train_with_skorch(case, device, *data)
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):  # the first, which warms up, is not counted
        for way, run in ways.items():
            started = time.process_time(), time.perf_counter()
            run()
            if device != "cpu":
                torch.cuda.synchronize()
            ended = time.process_time(), time.perf_counter()
            if repeat:
                seconds[way].append((ended[0] - started[0], ended[1] - started[1]))
    clock = 0 if device == "cpu" else 1
    usual = {way: np.median(found, axis=0) for way, found in seconds.items()}
    ours, bare = usual["tissuestate"][clock], usual["matrix products alone"][clock]
    rows = [
        {
            "case": name,
            "way": way,
            "cpu_seconds": round(took[0], 3),
            "seconds": round(took[1], 3),
            "times_as_long": round(took[clock] / ours, 2),
            "gflops": round(operations / took[clock] / 1e9, 1),
            "share_of_products": round(bare / took[clock], 2),
            "extrapolated_500_epochs_seconds": round(took[clock] / case.epochs * LONG),
            "samples": case.samples,
            "features": case.features,
            "widths": ",".join(map(str, case.widths)),
            "batch_size": case.batch_size,
            "epochs": case.epochs,
        }
        for way, took in usual.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    before = os.getloadavg()[0]
    here = options.device if options.device == "cpu" else torch.cuda.get_device_name()
    cases = dict(CASES)
    if options.device != "cpu":  # where an epoch takes a few hundredths of a second
        cases = {name: replace(case, epochs=10 * case.epochs) for name, case in CASES.items()}
    found = [measure(name, case, options.device, options.repeats) for name, case in cases.items()]
    about = {"device": here, "threads": options.threads, "torch": torch.__version__}
    about |= {"load_before": before, "machine": platform.machine()}
    table = pd.concat(found).assign(**about)
    if Path(options.table).exists():
        earlier = pd.read_csv(options.table, sep="\t")
        table = pd.concat([earlier[earlier["device"] != here], table])
    table.to_csv(options.table, sep="\t", index=False)


if __name__ == "__main__":
    main()
