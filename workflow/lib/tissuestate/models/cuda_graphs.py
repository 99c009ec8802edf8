"""Training steps recorded as CUDA graphs and replayed.

Launching the roughly fifty small kernels of a step takes many times as long as running them.
"""

from collections.abc import Sequence

import torch

from tissuestate.models.loss import Differentiate


def record_steps(differentiate: Differentiate) -> Differentiate:
    """`HandGradients.differentiate` as a function that records each batch size and replays it."""
    recorded: dict[int, tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = {}

    def record(
        z: torch.Tensor, shares: Sequence[torch.Tensor], masks: Sequence[torch.Tensor]
    ) -> tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]:
        fixed = [tensor.clone() for tensor in (z, *shares, *masks)]
        arguments = fixed[0], fixed[1 : 1 + len(shares)], fixed[1 + len(shares) :]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries initialise what cannot be recorded
            differentiate(*arguments)
        torch.cuda.current_stream().wait_stream(stream)
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
