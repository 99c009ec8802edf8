"""A network's gradients worked out by hand, for batches too small for autograd's bookkeeping.

The gradients of a plain stack of layers are a few matrix products. For widths of a hundred and
batches of some dozen samples, recording and replaying them takes longer than the products.
"""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from tissuestate.networks import ACTIVATIONS, DROPOUT_FROM, ClassifierNetwork

aten = torch.ops.aten

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


def soft_targets(codes: torch.Tensor, n_classes: int, smoothing: float) -> torch.Tensor:
    """What cross-entropy compares the log-probabilities with: samples × classes.

    codes: a class number a sample, -1 where unknown: a row of zeros, which teaches nothing. As
    torch's `cross_entropy` has it, with label smoothing.
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


class HandGradients:
    """The gradients of a network's loss, with its parameters as one vector for an optimiser.

    The network's parameters become views of `flat`; `slope` is the gradient, as long as that. The
    loss is the cross-entropy with soft targets of each head, a mean over the labelled samples of a
    batch, summed over the heads. Autograd has no part in it: `torch.inference_mode` spares its
    bookkeeping.
    """

    def __init__(self, network: ClassifierNetwork) -> None:
        architecture = network.architecture
        self.sizes = [len(names) for names in architecture.heads.values()]
        self.keep = 1 - architecture.dropout
        self.activate = ACTIVATIONS[architecture.activation]().forward
        self.backward = BACKWARD[architecture.activation]
        named = dict(network.named_parameters())
        hidden = [n for n, layer in enumerate(network.hidden) if isinstance(layer, nn.Linear)]
        # Heads side by side, so that one product serves them all.
        groups: list[list[nn.Parameter]] = [
            *([named[f"hidden.{number}.weight"]] for number in hidden),
            *([named[f"hidden.{number}.bias"]] for number in hidden),
            [named[f"heads.{head}.weight"] for head in architecture.heads],
            [named[f"heads.{head}.bias"] for head in architecture.heads],
            [named[f"direct.{head}.weight"] for head in network.direct],
        ]
        total = sum(p.numel() for group in groups for p in group)
        first = groups[0][0]
        self.flat = torch.empty(total, dtype=first.dtype, device=first.device)
        self.slope = torch.zeros_like(self.flat)
        values, slopes, start = [], [], 0
        for group in filter(None, groups):
            shape = (sum(len(p) for p in group), *group[0].shape[1:])
            end = start + sum(p.numel() for p in group)
            value = self.flat[start:end].view(shape)
            torch.cat([p.data for p in group], out=value)
            for p, part in zip(group, value.split([len(p) for p in group]), strict=True):
                p.data = part
            values.append(value)
            slopes.append(self.slope[start:end].view(shape))
            start = end
        n = len(hidden)
        self.weights, self.biases, self.output = values[:n], values[n : 2 * n], values[2 * n :]
        self.turned = [weight.t() for weight in self.weights]
        self.weight_slopes, self.bias_slopes = slopes[:n], slopes[n : 2 * n]
        self.output_slopes = slopes[2 * n :]

    def masks(self, n: int) -> list[torch.Tensor]:
        """What dropout multiplies n samples by: samples × units of each layer that it follows."""
        limit = round(self.keep * 2**16) - 2**15  # of the 16-bit numbers that keep a unit
        if limit == 2**15:  # which all of them do: torch would take it for the least of them
            return []
        units = [len(bias) for bias in self.biases[DROPOUT_FROM:]]
        # Sixteen random bits a unit, four units a draw: draws of floats take a tenth of an epoch.
        draws = torch.empty(-(-n * sum(units) // 4), dtype=torch.int64, device=self.flat.device)
        bits = draws.random_(-(2**63), None).view(torch.int16)[: n * sum(units)]
        kept = torch.empty(n, sum(units), dtype=torch.uint8, device=self.flat.device)
        bits = bits.view(n, -1)
        torch.lt(bits, limit, out=kept)  # many times as fast as to bool
        return list((kept * (1 / self.keep)).split(units, 1))

    def step(
        self, z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Write the gradients of a batch into `slope`; returns its loss.

        z: standardised inputs, samples × features. shares: of each head, minus the soft targets
        divided by the number of labelled samples of the batch. masks: those of the batch.
        """
        inputs: list[torch.Tensor] = [z]
        before: list[torch.Tensor] = []
        after: list[torch.Tensor] = []
        first = len(self.weights) - len(masks)  # that dropout follows
        for number, (turned, bias) in enumerate(zip(self.turned, self.biases, strict=True)):
            before.append(torch.addmm(bias, inputs[-1], turned))
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


Step = Callable[[torch.Tensor, Sequence[torch.Tensor], Sequence[torch.Tensor]], torch.Tensor]


def replayed(step: Step) -> Step:
    """`HandGradients.step` recorded as a CUDA graph for each size of batch, and replayed.

    To launch its fifty or so small kernels one by one takes many times as long as they run.
    """
    recorded: dict[int, tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = {}

    def record(
        z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
        fixed = [tensor.clone() for tensor in (z, *shares, *masks)]
        arguments = fixed[0], fixed[1 : 1 + len(shares)], fixed[1 + len(shares) :]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # the libraries make ready what cannot be recorded
            step(*arguments)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step(*arguments)
        return graph, fixed, loss

    def replay(
        z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        if len(z) not in recorded:
            recorded[len(z)] = record(z, shares, masks)
        graph, fixed, loss = recorded[len(z)]
        torch._foreach_copy_(fixed, [z, *shares, *masks])
        graph.replay()
        return loss.clone()

    return replay
