"""Training steps recorded as CUDA graphs and replayed.

Launching the fifty or so small kernels of a step one by one takes many times as long as they run.
"""

from collections.abc import Sequence

import torch

from tissuestate.models.loss import Differentiate


def record_steps(differentiate: Differentiate) -> Differentiate:
    """`HandGradients.differentiate`, recorded for each size of batch and replayed."""
    recorded: dict[int, tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = {}

    def record(
        z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
        fixed = [tensor.clone() for tensor in (z, *shares, *masks)]
        arguments = fixed[0], fixed[1 : 1 + len(shares)], fixed[1 + len(shares) :]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # the libraries prepare what cannot be recorded
            differentiate(*arguments)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = differentiate(*arguments)
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
