"""The steps of torch's optimisers on one vector, without `Optimizer`'s bookkeeping.

For a network of a hundred units a layer, groups, hooks and states cost as much as the step itself.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch.optim.adagrad import adagrad
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad")


def updater(
    optimizer: str, flat: torch.Tensor, slope: torch.Tensor, weight_decay: float
) -> Callable[..., None]:
    """A function of `lr`, the learning rate, that moves `flat` a step by the gradient in `slope`.

    optimizer: one of `OPTIMIZERS`, with torch's defaults (SGD: with a momentum of 0.9).
    """
    first, second = torch.zeros_like(flat), torch.zeros_like(flat)  # moments of the gradient
    count = torch.zeros(())  # of steps: torch wants it beside the vector for its fused kernels
    match optimizer:
        case "adam" | "adamw":
            count = count.to(flat.device)
            # The kernel itself: of a small network's step torch's `adam` around it is a twelfth.
            fused = partial(
                torch._fused_adam_ if optimizer == "adam" else torch._fused_adamw_,
                *([flat], [slope], [first], [second], [], [count]),
                weight_decay=weight_decay,
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
                weight_decay=weight_decay,
                momentum=0.9,
                dampening=0,
                nesterov=False,
                maximize=False,
            )
        case "rmsprop":
            return partial(
                rmsprop,
                *([flat], [slope], [second], [], [], [count]),
                foreach=False,
                weight_decay=weight_decay,
                alpha=0.99,
                eps=1e-8,
                momentum=0,
                centered=False,
            )
        case _:
            return partial(
                adagrad,
                *([flat], [slope], [second], [count]),
                fused=flat.device.type == "cpu",  # there is no such kernel elsewhere
                weight_decay=weight_decay,
                lr_decay=0,
                eps=1e-10,
                maximize=False,
            )
