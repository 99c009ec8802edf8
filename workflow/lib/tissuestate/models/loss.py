"""The loss of training: cross-entropy with soft targets, summed over the heads."""

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from tissuestate.models.network import ClassifierNetwork

# From standardised inputs, `batch_shares` of each head and dropout masks: the loss of a batch.
Differentiate = Callable[
    [torch.Tensor, Sequence[torch.Tensor], Sequence[torch.Tensor]], torch.Tensor
]


def soft_targets(codes: torch.Tensor, n_classes: int, smoothing: float) -> torch.Tensor:
    """Target probabilities of cross-entropy: samples × classes.

    codes: a class number per sample, -1 if unknown, which gives a row of zeros. Label smoothing is
    that of torch's `cross_entropy`.
    """
    known = codes >= 0
    targets = functional.one_hot(codes.clamp(min=0), n_classes).float()
    targets = (1 - smoothing) * targets + smoothing / n_classes
    return targets * known[:, None]


def batch_shares(targets: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
    """Minus each sample's targets, divided by the number of labelled samples of its batch.

    targets: `soft_targets`, samples × classes. batch: the number of each sample's batch, from 0
    upwards. Summed with the log-probabilities over a batch they make its cross-entropy.
    """
    labelled = targets.any(dim=1).to(targets.dtype)
    counts = labelled.new_zeros(int(batch[-1]) + 1).index_add_(0, batch, labelled)
    return targets / -counts.clamp_(min=1).index_select(0, batch)[:, None]


def differentiate(
    network: ClassifierNetwork,
    parameters: Sequence[torch.nn.Parameter],
    z: torch.Tensor,
    shares: Sequence[torch.Tensor],
    masks: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Set the gradients of a network's parameters for a batch and return its loss.

    z: standardised inputs. shares: the batch's `batch_shares`, of each head. masks: its
    `dropout_masks`. The loss is the cross-entropy of each head, summed over the heads.
    """
    losses = [
        torch.dot(share.view(-1), torch.log_softmax(logits, 1).view(-1))
        for share, logits in zip(
            shares, network.forward_standardised(z, masks).values(), strict=True
        )
    ]
    loss = sum(losses[1:], losses[0])
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    return loss.detach()
