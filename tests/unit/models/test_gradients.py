"""Gradients by hand: those that autograd finds, and, with dropout, those of the loss itself."""

import copy

import pytest
import torch
from tissuestate.gradients import BACKWARD, HandGradients, batch_shares, soft_targets
from tissuestate.models.architecture import ACTIVATIONS, Architecture
from tissuestate.models.network import ClassifierNetwork
from torch.nn import functional

HEADS = {"disease_state": ("healthy", "tumour"), "tissue": ("brain", "liver", "lung")}
SMOOTHING = 0.1


def build(activation="relu", direct=True, dropout=0.0) -> ClassifierNetwork:
    torch.manual_seed(1)
    described = Architecture(7, (9, 8, 6, 5, 4), dropout, activation, HEADS, direct)
    return ClassifierNetwork(described).double()


def batch(n: int = 20) -> tuple[torch.Tensor, dict[str, torch.Tensor], list[torch.Tensor]]:
    """Inputs, class numbers (some unknown) and the shares of each head."""
    torch.manual_seed(2)
    codes = {head: torch.randint(-1, len(names), (n,)) for head, names in HEADS.items()}
    shares = [
        batch_shares(
            soft_targets(codes[head], len(names), SMOOTHING).double(),
            torch.zeros(n, dtype=torch.long),
        )
        for head, names in HEADS.items()
    ]
    return torch.randn(n, 7).double(), codes, shares


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_they_are_those_of_autograd(activation, direct):
    network = build(activation, direct)
    plain = copy.deepcopy(network)
    z, codes, shares = batch()
    gradients = HandGradients(network)
    loss = gradients.step(z, shares, gradients.masks(len(z)))
    expected = sum(
        functional.cross_entropy(
            logits,
            codes[head],
            ignore_index=-1,
            reduction="sum",
            label_smoothing=SMOOTHING,
        )
        / (codes[head] >= 0).sum()
        for head, logits in plain.from_standardised(z).items()
    )
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-6, atol=0)
    # The network's parameters are views of the vector: with the gradients in it, they are theirs.
    gradients.flat.copy_(gradients.slope)
    found = dict(network.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(found[name].data, parameter.grad, rtol=1e-5, atol=1e-7)


def test_with_dropout_they_tell_how_the_loss_changes():
    z, _, shares = batch()
    gradients = HandGradients(build("tanh", dropout=0.5))
    start, way = gradients.flat.clone(), torch.randn(len(gradients.flat)).double()
    masks = gradients.masks(len(z))

    def loss(distance: float) -> float:
        gradients.flat.copy_(start + distance * way)
        return float(gradients.step(z, shares, masks))

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    without = HandGradients(build("tanh")).step(z, shares, [])
    assert abs(loss(0) - float(without)) > 1e-6, "units are dropped"
    assert float(gradients.slope @ way) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 1e-6, 0.2, 0.5])
def test_dropout_keeps_its_share_of_the_units_and_their_sum(dropout):
    masks = HandGradients(build(dropout=dropout)).masks(30_001)
    assert [mask.shape for mask in masks] == (
        [(30_001, units) for units in (6, 5, 4)] if dropout > 1e-5 else []
    )
    for mask in masks:
        assert float((mask > 0).float().mean()) == pytest.approx(1 - dropout, abs=0.005)
        torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / (1 - dropout)]))


def test_shares_are_counted_in_each_batch_by_itself():
    codes = torch.tensor([0, -1, 1, -1, -1, 1])
    shares = batch_shares(soft_targets(codes, 2, 0.0), torch.arange(6) // 2)
    expected = [[-1, 0], [0, 0], [0, -1], [0, 0], [0, 0], [0, -1]]
    torch.testing.assert_close(shares, torch.tensor(expected).float())


def test_a_batch_without_a_label_teaches_nothing():
    gradients = HandGradients(build())
    z, _, shares = batch()
    assert float(gradients.step(z, [torch.zeros_like(share) for share in shares], [])) == 0
    assert not gradients.slope.any()


def test_every_activation_has_a_gradient():
    assert tuple(BACKWARD) == tuple(ACTIVATIONS)
