"""Steps on one vector: those of torch's own optimisers, to the bit."""

import pytest
import torch
from tissuestate.updates import OPTIMIZERS, updater

TORCH = {
    "adam": lambda p, **options: torch.optim.Adam(p, fused=True, **options),
    "sgd": lambda p, **options: torch.optim.SGD(p, momentum=0.9, fused=True, **options),
    "rmsprop": torch.optim.RMSprop,
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_they_are_those_of_torch(optimizer):
    torch.manual_seed(0)
    plain = torch.nn.Parameter(torch.randn(1001))
    flat, slope = plain.detach().clone(), torch.empty(1001)
    theirs = TORCH[optimizer]([plain], lr=0.01)
    ours = updater(optimizer, flat, slope)
    for rate in (0.01, 0.01, 0.003, 0.02, 0.0001):
        plain.grad = slope.copy_(torch.randn(1001))
        theirs.param_groups[0]["lr"] = rate
        theirs.step()
        ours(lr=rate)
        assert torch.equal(flat, plain.detach())
