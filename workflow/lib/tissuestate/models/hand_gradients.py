"""Gradients by hand: small networks train about 1.8 times as fast with them as by autograd.

The gradients of a plain stack of layers are a few matrix products. For widths of a hundred and
batches of some dozen samples, autograd's bookkeeping takes longer than the products, and so does
an optimiser's step on a dozen tensors instead of one.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from tissuestate.models.network import ACTIVATIONS, ClassifierNetwork

aten = torch.ops.aten

# Multiplications in a batch's forward pass up to which the loop on autograd takes at least 1.5
# times as long on a CPU (benchmarks/training.tsv: "search", but not "small batches").
MOST_MULTIPLICATIONS = 8_000_000

# The gradient before an activation from that after it, the value before and the value after.
Backward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
_SELU = 1.6732632423543772, 1.0507009873554805  # alpha and scale (Klambauer et al. 2017)
BACKWARD: dict[str, Backward] = {
    "relu": lambda g, x, y: aten.threshold_backward.default(g, y, 0),
    "leaky_relu": lambda g, x, y: aten.leaky_relu_backward.default(g, y, 0.01, True),
    "elu": lambda g, x, y: aten.elu_backward.default(g, 1, 1, 1, True, y),
    "selu": lambda g, x, y: aten.elu_backward.default(g, *_SELU, 1, True, y),
    "gelu": lambda g, x, y: aten.gelu_backward.default(g, x),
    "tanh": lambda g, x, y: aten.tanh_backward.default(g, y),
    "sigmoid": lambda g, x, y: aten.sigmoid_backward.default(g, y),
}


def is_faster_by_hand(network: ClassifierNetwork, batch_size: int) -> bool:
    """Whether `HandGradients` are faster: on a GPU, and for small networks on a CPU.

    On a GPU their step is one graph, and the optimiser's step is one kernel.
    """
    weights = sum(parameter.numel() for parameter in network.parameters())
    return network.shift.is_cuda or weights * batch_size <= MOST_MULTIPLICATIONS


class HandGradients:
    """The gradients of a network's loss, with its parameters as one vector for an optimiser.

    The network's parameters become views of `flat`, and the gradient is `flat.grad`. The loss is
    that of `loss.differentiate`, without autograd.
    """

    def __init__(self, network: ClassifierNetwork) -> None:
        architecture = network.architecture
        self.sizes = [len(names) for names in architecture.heads.values()]
        self.activate = ACTIVATIONS[architecture.activation]().forward
        self.backward = BACKWARD[architecture.activation]
        named = dict(network.named_parameters())
        hidden = [n for n, layer in enumerate(network.hidden) if isinstance(layer, nn.Linear)]
        # Heads are concatenated, so that one product serves them all.
        groups: list[list[nn.Parameter]] = [
            *([named[f"hidden.{number}.weight"]] for number in hidden),
            *([named[f"hidden.{number}.bias"]] for number in hidden),
            [named[f"heads.{head}.weight"] for head in architecture.heads],
            [named[f"heads.{head}.bias"] for head in architecture.heads],
            [named[f"direct.{head}.weight"] for head in network.direct],
        ]
        values = torch.cat([p.detach().flatten() for group in groups for p in group])
        self.flat = nn.Parameter(values)
        self.flat.grad = torch.zeros_like(values)
        weights, slopes, start = [], [], 0
        for group in filter(None, groups):
            shape = (sum(len(p) for p in group), *group[0].shape[1:])
            end = start + sum(p.numel() for p in group)
            weight = values[start:end].view(shape)
            for p, part in zip(group, weight.split([len(p) for p in group]), strict=True):
                p.data = part
            weights.append(weight)
            slopes.append(self.flat.grad[start:end].view(shape))
            start = end
        n = len(hidden)
        self.weights, self.biases, self.output = weights[:n], weights[n : 2 * n], weights[2 * n :]
        self.transposed = [weight.t() for weight in self.weights]
        self.weight_slopes, self.bias_slopes = slopes[:n], slopes[n : 2 * n]
        self.output_slopes = slopes[2 * n :]

    @torch.inference_mode()
    def differentiate(
        self, z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Write the gradients of a batch into `flat.grad` and return its loss.

        z, shares, masks: as for `loss.differentiate`.
        """
        inputs: list[torch.Tensor] = [z]
        before: list[torch.Tensor] = []
        after: list[torch.Tensor] = []
        first = len(self.weights) - len(masks)  # that dropout follows
        for number, (transposed, bias) in enumerate(zip(self.transposed, self.biases, strict=True)):
            before.append(torch.addmm(bias, inputs[-1], transposed))
            after.append(self.activate(before[-1]))
            inputs.append(after[-1] * masks[number - first] if number >= first else after[-1])
        logits = torch.addmm(self.output[1], inputs[-1], self.output[0].t())
        for direct in self.output[2:]:
            logits.addmm_(z, direct.t())
        losses, slopes = [], []
        for own, share in zip(logits.split(self.sizes, 1), shares, strict=True):
            scores = torch.log_softmax(own, 1)
            losses.append(torch.dot(share.view(-1), scores.view(-1)))
            slopes.append(aten._log_softmax_backward_data.default(share, scores, 1, own.dtype))
        slope = torch.cat(slopes, 1) if len(slopes) > 1 else slopes[0]
        torch.mm(slope.t(), inputs[-1], out=self.output_slopes[0])
        torch.sum(slope, 0, out=self.output_slopes[1])
        for direct_slope in self.output_slopes[2:]:
            torch.mm(slope.t(), z, out=direct_slope)
        slope = slope @ self.output[0]
        for number in reversed(range(len(self.weights))):
            if number >= first:
                slope.mul_(masks[number - first])
            slope = self.backward(slope, before[number], after[number])
            torch.mm(slope.t(), inputs[number], out=self.weight_slopes[number])
            torch.sum(slope, 0, out=self.bias_slopes[number])
            if number:
                slope = slope @ self.weights[number]
        return sum(losses[1:], losses[0])
