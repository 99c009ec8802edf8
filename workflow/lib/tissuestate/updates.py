"""The steps of torch's optimisers on one vector, without `Optimizer`'s bookkeeping.

For a network of a hundred units a layer, groups, hooks and states cost as much as the step itself.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

OPTIMIZERS = ("adam", "sgd", "rmsprop")


def updater(optimizer: str, flat: torch.Tensor, slope: torch.Tensor) -> Callable[..., None]:
    """A function of `lr`, the learning rate, that moves `flat` a step by the gradient in `slope`.

    optimizer: one of `OPTIMIZERS`, with torch's defaults (SGD: with a momentum of 0.9).
    """
    first, second = torch.zeros_like(flat), torch.zeros_like(flat)  # moments of the gradient
    count = torch.zeros(())  # of steps: torch wants it beside the vector for its fused kernels
    match optimizer:
        case "adam":
            count = count.to(flat.device)
            # The kernel itself: of a small network's step torch's `adam` around it is a twelfth.
            fused = partial(
                torch._fused_adam_,
                *([flat], [slope], [first], [second], [], [count]),
                weight_decay=0,
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                amsgrad=False,
                maximize=False,
            )

            def step(lr: float) -> None:
                count.add_(1)
                fused(lr=lr)

            return step
        case "sgd":
            momentum: list[torch.Tensor | None] = [first]
            return partial(
                sgd,
                *([flat], [slope], momentum),
                fused=True,
                weight_decay=0,
                momentum=0.9,
                dampening=0,
                nesterov=False,
                maximize=False,
            )
        case _:
            return partial(
                rmsprop,
                *([flat], [slope], [second], [], [], [count]),
                foreach=False,
                weight_decay=0,
                alpha=0.99,
                eps=1e-8,
                momentum=0,
                centered=False,
            )
