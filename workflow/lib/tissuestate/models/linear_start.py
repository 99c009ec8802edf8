"""Training that begins as the logistic regression of each head."""

from collections.abc import Mapping

import torch

from tissuestate.models.network import ClassifierNetwork

RIDGE = 1.0  # the penalty of scikit-learn's LogisticRegression


def fit_linear_start(
    network: ClassifierNetwork, z: torch.Tensor, targets: Mapping[str, torch.Tensor]
) -> float:
    """Fit the direct path alone, as ridge logistic regression, and return its cross-entropy.

    z, targets: standardised inputs and, for each head, `soft_targets`. The hidden layers' share of
    the logits is zero at first, and grows if it is useful.
    """
    named = dict(network.named_parameters())
    weights = [named[f"direct.{head}.weight"] for head in targets]
    biases = [named[f"heads.{head}.bias"] for head in targets]
    with torch.no_grad():
        for head in targets:
            for name in (f"direct.{head}.weight", f"heads.{head}.weight", f"heads.{head}.bias"):
                named[name].zero_()
    optimizer = torch.optim.LBFGS([*weights, *biases], max_iter=100, line_search_fn="strong_wolfe")

    def loss_and_penalty() -> torch.Tensor:
        """Cross-entropy and penalty, summed over the heads."""
        found = torch.zeros(2, device=z.device)
        for target, weight, bias in zip(targets.values(), weights, biases, strict=True):
            scores = torch.log_softmax(torch.addmm(bias, z, weight.t()), 1)
            both = torch.stack([-(target * scores).sum(), RIDGE / 2 * weight.square().sum()])
            found = found + both / target.any(1).sum().clamp(min=1)
        return found

    def evaluate_gradient() -> torch.Tensor:
        optimizer.zero_grad()
        total = loss_and_penalty().sum()
        total.backward()
        return total

    optimizer.step(evaluate_gradient)
    optimizer.zero_grad()
    with torch.no_grad():
        return float(loss_and_penalty()[0])
