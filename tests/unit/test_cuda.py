"""Training on a CUDA device: as on the CPU, and with equal bits each time."""

import numpy as np
import pytest
import torch
from tissuestate.architecture import Architecture
from tissuestate.gradients import HandGradients, batch_shares, replayed, soft_targets
from tissuestate.networks import ClassifierNetwork
from tissuestate.train import OPTIMIZERS, Hyperparameters, Recipe, fit_network, predict_proba

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
CLASSES = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung")}


def samples(n: int, seed: int, features: int = 20) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Samples whose state and tissue shift a feature each; some lack a label."""
    rng = np.random.default_rng(seed)
    y = {"disease_state": rng.integers(0, 2, n), "tissue": rng.integers(0, 3, n)}
    x = rng.normal(size=(n, features))
    x[:, 0] += 3 * y["disease_state"]
    x[np.arange(n), 1 + y["tissue"]] += 3
    return x.astype(np.float32), {head: np.where(x[:, 9] > 2, -1, y[head]) for head in y}


def fit(device: str, recipe: Recipe, chosen: Hyperparameters, epochs: int = 20, features: int = 20):
    data = (*samples(300, 0, features), *samples(90, 1, features), CLASSES)
    options = {"epochs": epochs, "seed": 1, "recipe": recipe, "device": device, "threads": 1}
    return fit_network(*data, chosen, **options)


def largest_difference(recipe: Recipe, chosen: Hyperparameters, features: int) -> float:
    """Of any loss, accuracy or probability between this device and the CPU, after five epochs."""
    there, here = (fit(device, recipe, chosen, 5, features) for device in ("cuda", "cpu"))
    assert there.best_epoch == here.best_epoch
    new = samples(50, 2, features)[0]
    found = [float((there.history - here.history).abs().max().max())]
    for head, shares in predict_proba(there.network, new).items():
        found.append(float(np.abs(shares - predict_proba(here.network, new)[head]).max()))
    print(f"{chosen.optimizer}, {features} features: largest difference {max(found):.2g}")
    return max(found)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "recipe", [Recipe(), Recipe(direct=True, schedule="cosine", average=0.9)], ids=["paper", "rich"]
)
def test_without_dropout_it_learns_what_the_cpu_does(optimizer, recipe):
    chosen = Hyperparameters(1e-3, 32, (48, 32, 32, 24, 16), 0.0, optimizer, "elu")
    assert largest_difference(recipe, chosen, 20) < 1e-5


def test_begun_as_logistic_regression_it_does_too():
    chosen = Hyperparameters(1e-3, 32, (48, 32, 32, 24, 16), 0.0, "adam", "elu")
    assert largest_difference(Recipe(direct=True), chosen, 400) < 1e-3


def test_equal_seeds_give_equal_bits():
    chosen = Hyperparameters(1e-3, 32, (48, 32, 32, 24, 16), 0.3)
    one, two = (fit("cuda", Recipe(direct=True), chosen) for _ in range(2))
    assert one.history.equals(two.history)
    for name, weights in one.network.state_dict().items():
        assert torch.equal(weights, two.network.state_dict()[name]), name


def test_few_samples_begin_as_on_the_cpu_and_with_equal_bits():
    data = (*samples(15, 0), *samples(90, 1), CLASSES)
    chosen = Hyperparameters(1e-3, 8, (48, 32, 32, 24, 16), 0.3)
    options = {"epochs": 3, "seed": 1, "recipe": Recipe(direct=True)}
    one, two, here = (
        fit_network(*data, chosen, device=device, **options) for device in ("cuda", "cuda", "cpu")
    )
    assert one.history.equals(two.history) and one.history["epoch"].iloc[0] == 0
    assert (one.history - here.history).abs().iloc[0].max() < 1e-3


def test_replayed_gradients_are_those_worked_out_anew():
    torch.manual_seed(3)
    network = ClassifierNetwork(Architecture(20, (48, 32, 32, 24, 16), 0.3, "gelu", CLASSES, True))
    gradients = HandGradients(network.cuda())
    step = replayed(gradients.step)
    for size in (32, 12, 32):
        x, y = samples(size, size)
        number = torch.zeros(size, dtype=torch.long, device="cuda")
        given = (
            torch.from_numpy(x).cuda(),
            [
                batch_shares(
                    soft_targets(torch.from_numpy(y[head]), len(names), None, 0.1).cuda(), number
                )
                for head, names in CLASSES.items()
            ],
            gradients.masks(size),
        )
        loss, slope = gradients.step(*given).clone(), gradients.flat.grad.clone()
        gradients.flat.grad.zero_()
        assert torch.equal(step(*given), loss)
        assert torch.equal(gradients.flat.grad, slope)
        gradients.flat.data += 0.01  # as an optimiser would change them
