"""The logits of ridge regression as a module of torch, whose gradients explain calls."""

import numpy as np
import torch
from torch.nn import Module
from torch.nn.functional import logsigmoid

from tissuestate.labels import NEOPLASTIC, STATES
from tissuestate.laboratories.answers import RidgeModel
from tissuestate.laboratories.calibration import has_two_without_tumour


class RidgeModule(Module):
    """Logits by head of standardised expression, as `RidgeModel.logits`, in double precision."""

    def __init__(self, model: RidgeModel) -> None:
        super().__init__()
        self.model = model
        ridge = model.ridge
        self.lines = {
            name: (torch.from_numpy(np.float64(slopes)), torch.from_numpy(ridge.intercepts_[name]))
            for name, slopes in ridge.coefficients_.items()
        }

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of samples × features."""
        scores = {name: x @ slopes + start for name, (slopes, start) in self.lines.items()}
        found = {"tissue": scores["tissue"][:, :-1], "disease_state": self._states(scores)}
        return found | ({"subtype": scores["subtype"]} if "subtype" in scores else {})

    def _states(self, scores: dict[str, torch.Tensor]) -> torch.Tensor:
        def log_odds(name: str) -> torch.Tensor:
            slope, start = getattr(self.model.calibration, name)
            return torch.clamp(slope * scores[name][:, 0] + start, -30, 30)

        states = self.model.heads["disease_state"]
        tumour, adjacent = log_odds("tumour"), log_odds("adjacent")
        no_tumour, both = logsigmoid(-tumour), has_two_without_tumour(states)
        found = {
            STATES[0]: no_tumour + both * logsigmoid(-adjacent),
            STATES[1]: no_tumour + both * logsigmoid(adjacent),
            NEOPLASTIC: logsigmoid(tumour),
        }
        return torch.stack([found[state] for state in states], dim=1)
