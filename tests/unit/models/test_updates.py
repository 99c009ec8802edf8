"""Steps on one vector: those of torch's own optimisers, to the bit."""

import pytest
import torch
from tissuestate.updates import OPTIMIZERS, updater

TORCH = {
    "adam": lambda p, **options: torch.optim.Adam(p, fused=True, **options),
    "adamw": lambda p, **options: torch.optim.AdamW(p, fused=True, **options),
    "sgd": lambda p, **options: torch.optim.SGD(p, momentum=0.9, fused=True, **options),
    "rmsprop": torch.optim.RMSprop,
    "adagrad": lambda p, **options: torch.optim.Adagrad(p, fused=True, **options),
}


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_they_are_those_of_torch(optimizer, weight_decay):
    torch.manual_seed(0)
    plain = torch.nn.Parameter(torch.randn(1001))
    flat, slope = plain.detach().clone(), torch.empty(1001)
    theirs = TORCH[optimizer]([plain], lr=0.01, weight_decay=weight_decay)
    ours = updater(optimizer, flat, slope, weight_decay)
    for rate in (0.01, 0.01, 0.003, 0.02, 0.0001):
        plain.grad = slope.copy_(torch.randn(1001))
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        ours(lr=rate)
        assert torch.equal(flat, plain.detach())
