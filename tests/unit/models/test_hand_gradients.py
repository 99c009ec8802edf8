"""Gradients by hand, compared with autograd."""

import copy

import pytest
import torch
from tissuestate.models.architecture import ACTIVATIONS, Architecture
from tissuestate.models.hand_gradients import BACKWARD, HandGradients, is_faster_by_hand
from tissuestate.models.loss import batch_shares, differentiate, soft_targets
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
def test_hand_gradients_equal_those_of_autograd(activation, direct):
    network = build(activation, direct)
    plain = copy.deepcopy(network)
    z, codes, shares = batch()
    gradients = HandGradients(network)
    loss = gradients.differentiate(z, shares, [])
    expected = sum(
        functional.cross_entropy(
            logits,
            codes[head],
            ignore_index=-1,
            reduction="sum",
            label_smoothing=SMOOTHING,
        )
        / (codes[head] >= 0).sum()
        for head, logits in plain.forward_standardised(z).items()
    )
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-6, atol=0)
    # The network's parameters are views of the vector: with the gradients in it, they are theirs.
    gradients.flat.data.copy_(gradients.flat.grad)
    found = dict(network.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(found[name].data, parameter.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_hand_gradients_with_dropout_equal_those_of_the_loop(activation):
    network = build(activation, dropout=0.5)
    plain = copy.deepcopy(network)
    z, _, shares = batch()
    masks = [mask.double() for mask in network.dropout_masks(len(z))]
    gradients, parameters = HandGradients(network), list(plain.parameters())
    loss = gradients.differentiate(z, shares, masks)
    torch.testing.assert_close(loss, differentiate(plain, parameters, z, shares, masks))
    without = HandGradients(build(activation)).differentiate(z, shares, [])
    assert abs(float(loss) - float(without)) > 1e-6, "units are dropped"
    gradients.flat.data.copy_(gradients.flat.grad)
    for found, expected in zip(network.parameters(), parameters, strict=True):
        torch.testing.assert_close(found.data, expected.grad)


def test_hand_gradients_are_used_for_small_networks_in_small_batches():
    network = build()
    assert is_faster_by_hand(network, 32)
    assert not is_faster_by_hand(network, 10**6)


def test_shares_are_counted_in_each_batch_by_itself():
    codes = torch.tensor([0, -1, 1, -1, -1, 1])
    shares = batch_shares(soft_targets(codes, 2, 0.0), torch.arange(6) // 2)
    expected = [[-1, 0], [0, 0], [0, -1], [0, 0], [0, 0], [0, -1]]
    torch.testing.assert_close(shares, torch.tensor(expected).float())


def test_a_batch_without_a_label_has_zero_gradients():
    gradients = HandGradients(build())
    z, _, shares = batch()
    assert float(gradients.differentiate(z, [torch.zeros_like(s) for s in shares], [])) == 0
    assert not gradients.flat.grad.any()


def test_every_activation_has_a_gradient():
    assert tuple(BACKWARD) == tuple(ACTIVATIONS)
