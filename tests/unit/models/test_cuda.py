"""Training on a CUDA device: as on the CPU, and with equal bits each time."""

import numpy as np
import pytest
import torch
from tissuestate.models.architecture import Architecture
from tissuestate.models.cuda_graphs import record_steps
from tissuestate.models.hand_gradients import HandGradients
from tissuestate.models.loss import batch_shares, soft_targets
from tissuestate.models.network import ClassifierNetwork
from tissuestate.models.training import (
    OPTIMIZERS,
    Hyperparameters,
    Recipe,
    fit_network,
    predict_proba,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
CLASSES = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung")}


def samples(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Samples whose state and tissue shift a feature each; some lack a label."""
    rng = np.random.default_rng(seed)
    y = {"disease_state": rng.integers(0, 2, n), "tissue": rng.integers(0, 3, n)}
    x = rng.normal(size=(n, 20))
    x[:, 0] += 3 * y["disease_state"]
    x[np.arange(n), 1 + y["tissue"]] += 3
    return x.astype(np.float32), {head: np.where(x[:, 9] > 2, -1, y[head]) for head in y}


def fit(device: str, recipe: Recipe, chosen: Hyperparameters, epochs: int = 20, n: int = 300):
    data = (*samples(n, 0), *samples(90, 1), CLASSES)
    options = {"epochs": epochs, "seed": 1, "recipe": recipe, "device": device, "threads": 1}
    return fit_network(*data, chosen, **options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(label_smoothing=0.1, direct=True)], ids=["paper", "best"]
)
def test_without_dropout_the_gpu_learns_the_weights_of_the_cpu(optimizer, recipe):
    chosen = Hyperparameters(1e-3, 32, (48, 32, 32, 24, 16), 0.0, optimizer, "elu")
    there, here = (fit(device, recipe, chosen, 5) for device in ("cuda", "cpu"))
    difference = (there.history - here.history).abs().max().max()
    print(f"{optimizer}: largest difference of any loss or accuracy {difference:.2g}")
    assert difference < 1e-5
    new = samples(50, 2)[0]
    for head, shares in predict_proba(there.network, new).items():
        assert np.abs(shares - predict_proba(here.network, new)[head]).max() < 1e-5


def test_equal_seeds_give_equal_bits():
    chosen = Hyperparameters(1e-3, 32, (48, 32, 32, 24, 16), 0.3)
    one, two = (fit("cuda", Recipe(direct=True), chosen) for _ in range(2))
    assert one.history.equals(two.history)
    for name, weights in one.network.state_dict().items():
        assert torch.equal(weights, two.network.state_dict()[name]), name


def test_the_linear_start_equals_that_of_the_cpu_and_is_reproducible():
    chosen = Hyperparameters(1e-3, 8, (48, 32, 32, 24, 16), 0.3)
    places = ("cuda", "cuda", "cpu")
    one, two, here = (fit(device, Recipe(direct=True), chosen, 3, n=15) for device in places)
    assert one.history.equals(two.history) and one.history["epoch"].iloc[0] == 0
    assert (one.history - here.history).abs().iloc[0].max() < 1e-3


def test_replayed_gradients_equal_recomputed_ones():
    torch.manual_seed(3)
    network = ClassifierNetwork(Architecture(20, (48, 32, 32, 24, 16), 0.3, "gelu", CLASSES, True))
    gradients = HandGradients(network.cuda())
    step = record_steps(gradients.differentiate)
    for size in (32, 12, 32):
        x, y = samples(size, size)
        batch = torch.zeros(size, dtype=torch.long, device="cuda")
        of_batch = (
            torch.from_numpy(x).cuda(),
            [
                batch_shares(soft_targets(torch.from_numpy(y[head]), len(names), 0.1).cuda(), batch)
                for head, names in CLASSES.items()
            ],
            network.dropout_masks(size),
        )
        loss = gradients.differentiate(*of_batch).clone()
        slope = gradients.flat.grad.clone()
        gradients.flat.grad.zero_()
        assert torch.equal(step(*of_batch), loss)
        assert torch.equal(gradients.flat.grad, slope)
        gradients.flat.data += 0.01  # as an optimiser would change them
