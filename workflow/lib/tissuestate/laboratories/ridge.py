"""Ridge regression whose penalty grows along the differences between laboratories.

Each question is answered by regression on class indicators, in closed form: no random starts, no
epochs. A coefficient costs more the more laboratories differ along it (`scatter`), by a strength of
its own for each question: what makes a tumour in one laboratory is easily confused with how another
prepares its RNA, what makes a brain is not. Samples weigh so that a large laboratory does not drown
a small one. A kernel, logistic regression, networks, ranks, and copies of samples (thinned, or
mixed with other tissue) did not do better on laboratories left out (benchmarks/front_end.tsv).
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve

from tissuestate.labels import NEOPLASTIC, STATES, encode, has_class
from tissuestate.laboratories.scatter import laboratory_shifts, principal_shifts

STRENGTHS = {"tissue": 100.0, "tumour": 1000.0, "adjacent": 0.0, "subtype": 100.0}
PENALTY = 1e-4  # of features whose samples have a mean squared length of 1
ADJACENT = STATES[1]


def sample_weights(obs: pd.DataFrame) -> np.ndarray:
    """Weights n^-½ of samples, n the number of the same laboratory, tissue and state."""
    cells = obs[["laboratory", "tissue", "disease_state"]].astype(str).agg("|".join, axis=1)
    return cells.map(cells.value_counts()).to_numpy(float) ** -0.5


class Ridge:
    """Scores of tissue (and none of them), tumour, adjacent tissue and subtype.

    Fitted: for each question `coefficients_` (features × outputs) and `intercepts_`. The tissue has
    an output for each tissue and a last one for samples of no class, the subtype one for each
    subtype, about 1 for its class and 0 for others; tumour, and adjacent (of samples that are no
    tumours), have one output, about 1 or -1.
    """

    def fit(self, X: np.ndarray, obs: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> Self:
        """Learn from samples × features (standardised) and their labels.

        obs: laboratory, study, source, tissue, disease_state and subtype. classes: the tissues and
        subtypes that are asked for; a class without samples gets low scores everywhere, and so
        does a question without samples.
        """
        x = np.asarray(X, dtype=np.float64)
        scale = float(np.sqrt((x**2).sum(axis=1).mean())) or 1.0
        x = x / scale
        directions, spreads = principal_shifts(laboratory_shifts(x, obs))
        weights = sample_weights(obs)
        self.coefficients_, self.intercepts_ = {}, {}
        for name, (targets, used) in _questions(obs, classes).items():
            if not used.any():
                self.coefficients_[name] = np.zeros((x.shape[1], targets.shape[1]), np.float32)
                self.intercepts_[name] = np.zeros(targets.shape[1])
                continue
            shortened = spreads * STRENGTHS[name] / (1 + spreads * STRENGTHS[name])
            slopes, intercept = _solve(x[used], targets[used], weights[used], directions, shortened)
            self.coefficients_[name] = (slopes / scale).astype(np.float32)
            self.intercepts_[name] = intercept
        return self

    def scores(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """Scores by question, samples × outputs; each sample on its own."""
        return {name: self.scores_of(name, X) for name in self.coefficients_}

    def scores_of(self, question: str, X: np.ndarray) -> np.ndarray:
        """Scores of one question, samples × outputs."""
        x, slopes = (np.asarray(a, np.float64) for a in (X, self.coefficients_[question]))
        return np.einsum("ij,jk->ik", x, slopes) + self.intercepts_[question]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {
            "questions": np.array(list(self.coefficients_)),
            **{f"{name}.coefficients": value for name, value in self.coefficients_.items()},
            **{f"{name}.intercept": value for name, value in self.intercepts_.items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        model, names = cls(), arrays["questions"].tolist()
        model.coefficients_ = {name: arrays[f"{name}.coefficients"] for name in names}
        model.intercepts_ = {name: arrays[f"{name}.intercept"] for name in names}
        return model


def _questions(
    obs: pd.DataFrame, classes: Mapping[str, Sequence[str]]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Targets (samples × outputs) of each question, and the samples that it is learnt from."""
    known = has_class(obs).to_numpy()
    tumour = (obs["disease_state"] == NEOPLASTIC).to_numpy()
    adjacent = (obs["disease_state"] == ADJACENT).to_numpy()
    codes = encode(obs["tissue"], classes["tissue"])
    tissue = np.eye(len(classes["tissue"]) + 1)[np.where(known, codes, len(classes["tissue"]))]
    found = {
        "tissue": (tissue, ~known | (codes >= 0)),
        "tumour": (np.where(tumour, 1.0, -1.0)[:, None], known),
        "adjacent": (np.where(adjacent, 1.0, -1.0)[:, None], known & ~tumour),
    }
    if len(classes["subtype"]):
        subtype = encode(obs["subtype"], classes["subtype"])
        found["subtype"] = (np.eye(len(classes["subtype"]))[subtype], subtype >= 0)
    return found


def _solve(
    x: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    directions: np.ndarray,
    shortened: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (features × outputs) and intercepts of weighted ridge regression.

    The penalty is PENALTY · tr Bᵀ (I + γS) B, and (I + γS)⁻¹ = I - Vᵀ diag(shortened) V. The system
    solved is one of samples, which are fewer than features (Saunders, Gammerman & Vovk 1998).
    """
    weights = weights / weights.sum()
    center, mean = weights @ x, weights @ targets
    x = x - center
    along = x @ directions.T
    gram = x @ x.T - (along * shortened) @ along.T
    gram[np.diag_indices_from(gram)] += PENALTY / weights
    dual = cho_solve(cho_factor(gram, overwrite_a=True), targets - mean)
    slopes = x.T @ dual - directions.T @ (shortened[:, None] * (along.T @ dual))
    return slopes, mean - center @ slopes
